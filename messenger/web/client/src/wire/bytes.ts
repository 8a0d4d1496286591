/**
 * Bytes, and the texts that they travel as: UTF-8, hex, base64, base64url and base32 (RFC 4648).
 *
 * Nothing here is lenient: a text that is none gives `undefined`, and whoever asked says what that means.
 */

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const LETTERS_OF_32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value += 1) VALUES[LETTERS.charCodeAt(value)] = value;

const encoder = new TextEncoder();
// A byte order mark is no part of JSON, and must not vanish.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A number below 2^32 as four bytes, big-endian. */
export function uint32(value: number): Uint8Array {
  const raw = new Uint8Array(4);
  new DataView(raw.buffer).setUint32(0, value);
  return raw;
}

/** A whole number below 2^53 as eight bytes, big-endian. */
export function uint64(value: number): Uint8Array {
  const raw = new Uint8Array(8);
  new DataView(raw.buffer).setBigUint64(0, BigInt(value));
  return raw;
}

/** Four bytes, big-endian, from a place on. */
export function readUint32(raw: Uint8Array, at: number): number {
  return new DataView(raw.buffer, raw.byteOffset, raw.byteLength).getUint32(at);
}

/** A text in UTF-8. A lone surrogate has no UTF-8: see `isWellFormed`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of strict UTF-8: no surrogates, nothing overlong. */
export function utf8Text(raw: Uint8Array): string | undefined {
  try {
    return decoder.decode(raw);
  } catch {
    return undefined;
  }
}

/** Whether a text has no lone surrogate, so that it is Unicode. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** How many code points a text has, which is what bounds on the wire count. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at + 1 < text.length; at += 1) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00)
      count -= 1;
  }
  return count;
}

/** Bytes as lower-case hex. */
export function hex(raw: Uint8Array): string {
  let text = "";
  for (const byte of raw) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of hex in either case. */
export function hexBytes(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  const raw = new Uint8Array(text.length / 2);
  for (let at = 0; at < raw.length; at += 1) raw[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return raw;
}

/** Standard base64 with padding. */
export function base64(raw: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < raw.length; at += 3) {
    const [a = 0, b = 0, c = 0] = raw.subarray(at, at + 3);
    const four = (a << 16) | (b << 8) | c;
    pieces.push(LETTERS.charAt(four >> 18), LETTERS.charAt((four >> 12) & 63));
    pieces.push(at + 1 < raw.length ? LETTERS.charAt((four >> 6) & 63) : "=");
    pieces.push(at + 2 < raw.length ? LETTERS.charAt(four & 63) : "=");
  }
  return pieces.join("");
}

/** The bytes of standard base64 with padding. `canonical`: the bits of the last letter that no byte uses are zero. */
export function base64Bytes(text: string, canonical = false): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const left = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const letters = text.length - left;
  const raw = new Uint8Array((text.length / 4) * 3 - left);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 0; index < letters; index += 1) {
    const value = VALUES[text.charCodeAt(index)] ?? -1;
    if (value < 0) return undefined;
    held = (held << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      raw[at] = held >> bits;
      at += 1;
      held &= (1 << bits) - 1;
    }
  }
  return canonical && held !== 0 ? undefined : raw;
}

/** base64url without padding. */
export function base64url(raw: Uint8Array): string {
  return base64(raw).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The bytes of base64url without padding. */
export function base64urlBytes(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  return base64Bytes(standard.padEnd(Math.ceil(text.length / 4) * 4, "="));
}

/** base32 of a multiple of five bytes, which needs no padding. */
export function base32(raw: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of raw) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += LETTERS_OF_32.charAt((held >> bits) & 31);
    }
    held &= (1 << bits) - 1;
  }
  return text;
}

/** The bytes of base32 whose length is a multiple of eight letters, without padding. */
export function base32Bytes(text: string): Uint8Array | undefined {
  if (text.length % 8 !== 0) return undefined;
  const raw = new Uint8Array((text.length / 8) * 5);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of text) {
    const value = LETTERS_OF_32.indexOf(letter);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      raw[at] = held >> bits;
      at += 1;
      held &= (1 << bits) - 1;
    }
  }
  return raw;
}
