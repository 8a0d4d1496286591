/**
 * Bytes that no honest program makes: random, cut, and changed from what is valid. Each run has another seed, which
 * `MESSENGER_SEED` repeats.
 */

import process from "node:process";

import { errors } from "../../messenger/web/client/src/e2e/index.ts";
import { concat, hex } from "../../messenger/web/client/src/wire/bytes.ts";

export const SEED = Number(process.env["MESSENGER_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const ROUNDS = 400;

/** Mulberry32: small, and the same for a seed. */
function chance(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export const pick = chance(SEED);

export function noise(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, () => pick(256));
}

/** A valid input after something was done to it. */
export function mutated(valid: Uint8Array): Uint8Array {
  const made = valid.slice();
  switch (pick(7)) {
    case 0:
      return noise(pick(300));
    case 1:
      return made.subarray(0, pick(made.length + 1));
    case 2:
      return concat(made, noise(1 + pick(40)));
    case 3:
      made[pick(made.length)] = pick(256);
      return made;
    case 4: {
      const at = pick(made.length + 1);
      return concat(made.subarray(0, at), noise(1 + pick(8)), made.subarray(at));
    }
    case 5: {
      const [from, to] = [pick(made.length + 1), pick(made.length + 1)];
      return concat(made.subarray(0, Math.min(from, to)), made.subarray(Math.max(from, to)));
    }
    default:
      for (let count = pick(8); count >= 0; count -= 1)
        made[pick(made.length)] = [0, 1, 0x7f, 0x80, 0xff][pick(5)] ?? 0;
      return made;
  }
}

/** Does it to many mutations of valid inputs: it returns, or throws what `named` knows. How many were taken. */
export function storm(
  valid: readonly Uint8Array[],
  done: (input: Uint8Array) => unknown,
  named: (error: unknown) => boolean = (error) => error instanceof errors.EncryptionError,
  rounds = ROUNDS,
): number {
  let taken = 0;
  for (let round = 0; round < rounds; round += 1) {
    const input = mutated(valid[pick(valid.length)] ?? new Uint8Array());
    try {
      done(input);
      taken += 1;
    } catch (error) {
      if (!named(error)) throw new Error(`seed ${String(SEED)}: ${hex(input)}`, { cause: error });
    }
  }
  return taken;
}
