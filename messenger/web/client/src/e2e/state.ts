/**
 * State as bytes: a version byte, then JSON in the form that its codec says.
 *
 * Members may be added with defaults under the same version; a version that is not known is refused, so that an
 * older program never writes over what a newer one has stored. The store seals these bytes.
 */

import { concat, utf8Text } from "../wire/bytes.ts";
import { type Codec, Misfit, encode } from "../wire/codec.ts";
import { BadState } from "./errors.ts";

const VERSION = 1;

/** A value as bytes. */
export function dump<T>(codec: Codec<T>, value: T): Uint8Array {
  return concat(Uint8Array.of(VERSION), encode(codec, value));
}

/** The value that `dump` wrote; BadState for anything else. */
export function load<T>(codec: Codec<T>, raw: Uint8Array): T {
  if (raw[0] !== VERSION) throw new BadState(`Stored encryption state is not of version ${String(VERSION)}.`);
  try {
    // Our own words come back from our own sealed store: the fast parser will do.
    return codec.read(JSON.parse(utf8Text(raw.subarray(1)) ?? ""));
  } catch (error) {
    if (error instanceof Misfit || error instanceof SyntaxError) {
      throw new BadState(`Stored encryption state is damaged: ${error.message}.`);
    }
    throw error;
  }
}
