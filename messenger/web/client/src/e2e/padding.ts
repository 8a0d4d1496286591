/**
 * Sizes that tell little about what was written.
 *
 * A payload gets one byte 0x80 and then zeros (ISO/IEC 7816-4) up to the next step: 256 bytes up to 2 KiB,
 * above that an eighth of the power of two below, so at most an eighth is added. A file gets zeros by Padmé
 * (Nikitin et al., Reducing Metadata Leakage from Encrypted Files and Communication with PURBs, 2019): at most
 * 12 %, and less the larger it is.
 */

import { Malformed, PayloadTooLarge } from "./errors.ts";

const STEP = 256;
const MARK = 0x80;
const MAX_PADDED = 61_440; // with handshake, header and tag it stays below the server's 64 KiB
export const MAX_PAYLOAD = MAX_PADDED - 1;
const MIN_FILE = 1_024;

/** The payload with its padding; PayloadTooLarge over MAX_PAYLOAD bytes. */
export function padded(payload: Uint8Array): Uint8Array {
  if (payload.length > MAX_PAYLOAD) {
    throw new PayloadTooLarge(
      `A message has at most ${String(MAX_PAYLOAD)} bytes; this one has ${String(payload.length)}.`,
    );
  }
  const marked = payload.length + 1;
  const whole = new Uint8Array(roundedUp(marked, Math.max(STEP, 2 ** exponentOf(marked) / 8)));
  whole.set(payload);
  whole[payload.length] = MARK;
  return whole;
}

/** The payload without its padding; Malformed where that is none. */
export function unpadded(raw: Uint8Array): Uint8Array {
  let end = raw.length - 1;
  while (raw[end] === 0) end -= 1;
  if (raw[end] !== MARK) throw new Malformed("The payload is not padded.");
  return raw.subarray(0, end);
}

/** How many bytes a file of `size` bytes takes with its padding. */
export function paddedFileSize(size: number): number {
  if (size <= MIN_FILE) return MIN_FILE;
  const exponent = exponentOf(size);
  return roundedUp(size, 2 ** (exponent - exponentOf(exponent) - 1));
}

/** The power of two that is the greatest one not above a number. Exact up to 2^53, which logarithms are not. */
function exponentOf(value: number): number {
  return value.toString(2).length - 1;
}

function roundedUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
