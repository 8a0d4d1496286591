/** Forms that many bodies and frames have in common. */

import { type Codec, binary, defaulted, list, members, misfit, orNull, text, whole } from "./codec.ts";

/** What every JSON parser has exactly. */
export const MOST = 2 ** 53 - 1;

export const COUNT = whole(0, MOST);
/** The number of a message in its conversation. */
export const PLACE = whole(1, MOST);

/** An opaque text of the server's, such as a token. */
export const WORD = text(8_192, 1);
/** A short word of the contract, new ones of which may come. */
export const KIND = text(64, 1);
/** A name that a person has given something. */
export const NAME = text(256);

/** `least` to `most` bytes as canonical base64 with padding (RFC 4648 section 4). */
export function bytes(least: number, most = least): Codec<Uint8Array> {
  return binary(least, most, true);
}

/** Ciphertext, of at most 1 MiB: how much it really is, settings of the server say. */
export const OPAQUE = bytes(0, 1_048_576);

const TIME_FORM = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** A time as RFC 3339 has it, in UTC and with milliseconds: `2026-01-31T09:30:00.123Z`. */
export const TIME: Codec<string> = {
  read: (value) =>
    typeof value === "string" && TIME_FORM.test(value) && isMoment(value) ? value : misfit("a time"),
  write: (value) => (isMoment(value) ? `"${value}"` : misfit("a time")),
};

/** That time in milliseconds since 1970. */
export function milliseconds(time: string): number {
  return Date.parse(time);
}

/** A list that is bounded by nature and comes whole. */
export function items<T>(codec: Codec<T>, most = 10_000): Codec<{ items: T[] }> {
  return members({ items: list(codec, most) });
}

/** One page of at most 200; `next` is the cursor of the following one, null on the last. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

export function page<T>(codec: Codec<T>): Codec<Page<T>> {
  return members({ items: list(codec, 200), next: defaulted(orNull(text(512)), null) });
}

function isMoment(text: string): boolean {
  const moment = Date.parse(text);
  // A day that is none, such as the 30th of February, comes out as another one.
  return !Number.isNaN(moment) && new Date(moment).toISOString() === text;
}
