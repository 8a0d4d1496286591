/** What tests read: the vectors of the page, and what the test run has put down for them. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** The top folder of the project: tests run there. */
const ROOT = process.cwd();

/** A file of docs/vectors. */
export function vector(name: string): unknown {
  return JSON.parse(readFileSync(join(ROOT, "docs", "vectors", `${name}.json`), "utf8"));
}

/** The JSON of a file that an environment variable names; `undefined` where it names none. */
export function named(variable: string): unknown {
  const path = process.env[variable];
  return path === undefined ? undefined : JSON.parse(readFileSync(path, "utf8"));
}

/** Numbers from 0 to 1 that a seed repeats; it is said, so that a failure can be seen again. */
export function random(seed = Number(process.env["MESSENGER_SEED"] ?? Date.now() % 2 ** 31)): () => number {
  process.stderr.write(`MESSENGER_SEED=${String(seed)}\n`);
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
