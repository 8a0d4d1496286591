/**
 * What travels and what is stored as JSON: its form in one place, for reading and for writing.
 *
 * A codec reads a parsed value into what the code works with, and throws `Misfit` for any other form; what it
 * writes it reads again. Members that are not known are passed over.
 */

import { base64, base64Bytes, codePoints, isWellFormed, utf8, utf8Text } from "./bytes.ts";
import { NoJson, parse } from "./json.ts";

/** A value of another form than expected. */
export class Misfit extends Error {
  override readonly name = "Misfit";
}

export interface Codec<T> {
  /** The value; Misfit. */
  read(value: unknown): T;
  /** Its JSON; Misfit for a text that is no Unicode. */
  write(value: T): string;
}

/** What a codec reads. */
export type Of<C> = C extends Codec<infer T> ? T : never;

/** A member that may be missing: then it is left out, or is `instead`. */
interface Field<T> extends Codec<T> {
  readonly missing: "left out" | "instead";
  readonly instead: T | undefined;
  /** Whether null is as good as missing. */
  readonly nullIsMissing: boolean;
  /** Whether there is nothing to say, so that the member is not written. */
  silent(value: T): boolean;
}

interface LeftOut<T> extends Field<T> {
  readonly missing: "left out";
}

type Fields = Readonly<Record<string, Codec<unknown>>>;
type LeftOutOf<F> = { [K in keyof F]: F[K] extends LeftOut<unknown> ? K : never }[keyof F];
type Flat<T> = { [K in keyof T]: T[K] };
/** What an object of these members is. */
export type Members<F> = Flat<
  { -readonly [K in Exclude<keyof F, LeftOutOf<F>>]: Of<F[K]> } & { -readonly [K in LeftOutOf<F>]?: Of<F[K]> }
>;

const LOWER_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text is a UUID in its 36-character form (RFC 9562 section 4), in lower case. */
export function isId(text: string): boolean {
  return LOWER_ID.test(text);
}

/** A UUID in its 36-character form, in either case; it comes out in lower case. */
export const ID: Codec<string> = {
  read: (value) => {
    const id = typeof value === "string" && value.length === 36 ? value.toLowerCase() : "";
    return isId(id) ? id : misfit("a UUID");
  },
  write: quoted,
};

/** A text of `least` to `most` code points. */
export function text(most = Number.POSITIVE_INFINITY, least = 0): Codec<string> {
  return {
    read: (value) => {
      if (typeof value !== "string") return misfit("a text");
      const size = codePoints(value);
      return size >= least && size <= most ? value : misfit("a text of another length");
    },
    write: quoted,
  };
}

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number): Codec<number> {
  return {
    read: (value) =>
      typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most
        ? value
        : misfit("a whole number"),
    write: (value) => (Number.isSafeInteger(value) ? String(value) : misfit("a whole number")),
  };
}

/** A finite number; only in what is stored here. */
export const REAL: Codec<number> = {
  read: (value) => (typeof value === "number" && Number.isFinite(value) ? value : misfit("a number")),
  write: (value) => (Number.isFinite(value) ? String(value) : misfit("a number")),
};

export const TRUTH: Codec<boolean> = {
  read: (value) => (typeof value === "boolean" ? value : misfit("true or false")),
  write: String,
};

/** `least` to `most` bytes as base64. `canonical`: in the one spelling that encoders make. */
export function binary(least: number, most = least, canonical = false): Codec<Uint8Array> {
  return {
    read: (value) => {
      const raw = typeof value === "string" ? base64Bytes(value, canonical) : undefined;
      return raw !== undefined && raw.length >= least && raw.length <= most ? raw : misfit("base64");
    },
    write: (value) => `"${base64(value)}"`,
  };
}

/** One of these texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Codec<T> {
  return {
    read: (value) => texts.find((one) => one === value) ?? misfit(texts.join(" or ")),
    write: quoted,
  };
}

/** `least` to `most` values. */
export function list<T>(codec: Codec<T>, most = Number.POSITIVE_INFINITY, least = 0): Codec<T[]> {
  return {
    read: (value) => {
      if (!Array.isArray(value)) return misfit("a list");
      if (value.length < least || value.length > most) return misfit("a list of another length");
      return value.map((one) => codec.read(one));
    },
    write: (value) => `[${value.map((one) => codec.write(one)).join(",")}]`,
  };
}

/** Values by name, at most so many; names are not known beforehand. */
export function named<T>(codec: Codec<T>, most = 1_000): Codec<ReadonlyMap<string, T>> {
  return {
    read: (value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return misfit("an object");
      const entries = Object.entries(value);
      if (entries.length > most) return misfit("fewer members");
      return new Map(entries.map(([name, one]) => [name, within(name, () => codec.read(one))]));
    },
    write: (value) => `{${[...value].map(([name, one]) => `${quoted(name)}:${codec.write(one)}`).join(",")}}`,
  };
}

/** Two values in a list. */
export function pair<A, B>(first: Codec<A>, second: Codec<B>): Codec<[A, B]> {
  return {
    read: (value) =>
      Array.isArray(value) && value.length === 2
        ? [first.read(value[0]), second.read(value[1])]
        : misfit("a pair"),
    write: ([a, b]) => `[${first.write(a)},${second.write(b)}]`,
  };
}

export function orNull<T>(codec: Codec<T>): Codec<T | null> {
  return {
    read: (value) => (value === null ? null : codec.read(value)),
    write: (value) => (value === null ? "null" : codec.write(value)),
  };
}

/** A text, or what the codec reads. */
export function orText<T extends object>(codec: Codec<T>): Codec<T | string> {
  return {
    read: (value) => (typeof value === "string" ? value : codec.read(value)),
    write: (value) => (typeof value === "string" ? quoted(value) : codec.write(value)),
  };
}

/** A member that may be missing or null, and is left out then. */
export function optional<T>(codec: Codec<T>): LeftOut<T> {
  return { ...codec, missing: "left out", instead: undefined, nullIsMissing: true, silent: () => false };
}

/** A member that may be missing; null is a value of its own. */
export function unset<T>(codec: Codec<T>): LeftOut<T | null> {
  return { ...optional(orNull(codec)), nullIsMissing: false };
}

/** A member that may be missing: then it is `instead`, which is not written. Null does not fit. */
export function defaulted<T>(codec: Codec<T>, instead: T): Field<T> {
  const nothing = codec.write(instead);
  return {
    ...codec,
    missing: "instead",
    instead,
    nullIsMissing: false,
    silent: (value) => codec.write(value) === nothing,
  };
}

/** An object. It is written in the order in which its members are named here. */
export function members<F extends Fields>(fields: F): Codec<Members<F>> {
  const entries = Object.entries(fields).map(([name, codec]) => ({
    name,
    codec,
    field: "missing" in codec ? (codec as Field<unknown>) : undefined,
  }));
  return {
    read: (value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return misfit("an object");
      const found: Record<string, unknown> = {};
      for (const { name, codec, field } of entries) {
        const there = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
        if (there !== undefined && !(there === null && field?.nullIsMissing === true)) {
          found[name] = within(name, () => codec.read(there));
        } else if (field === undefined) {
          misfit(`a member ${name}`);
        } else if (field.missing === "instead") {
          found[name] = field.instead;
        }
      }
      return found as Members<F>;
    },
    write: (value) => {
      const parts: string[] = [];
      for (const { name, codec, field } of entries) {
        const member = (value as Record<string, unknown>)[name];
        if (member === undefined && field?.missing === "left out") continue;
        if (field?.silent(member) !== true) parts.push(`${quoted(name)}:${codec.write(member)}`);
      }
      return `{${parts.join(",")}}`;
    },
  };
}

/** What JSON in UTF-8 says; Misfit where it is none, or of another form. */
export function decode<T>(codec: Codec<T>, raw: Uint8Array): T {
  return codec.read(parsed(textOf(raw)).value);
}

/** Parsed JSON; Misfit where it is none. */
export function parsed(json: string): ReturnType<typeof parse> {
  try {
    return parse(json);
  } catch (error) {
    if (error instanceof NoJson) return misfit("JSON");
    throw error;
  }
}

/** The text of UTF-8; Misfit for anything else. */
export function textOf(raw: Uint8Array): string {
  return utf8Text(raw) ?? misfit("UTF-8");
}

/** A value as JSON in UTF-8. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  return utf8(codec.write(value));
}

function quoted(value: string): string {
  return isWellFormed(value) ? JSON.stringify(value) : misfit("Unicode");
}

function within<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Misfit ? new Misfit(`${name}: ${error.message}`) : error;
  }
}

/** Throws Misfit. */
export function misfit(expected: string): never {
  throw new Misfit(`expected ${expected}`);
}
