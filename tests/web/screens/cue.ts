/** What somebody with the Python client is to do: asked for on the output, answered on the input, a line each. */

import process from "node:process";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Have it done; what came of it. */
export async function cue(what: string, said: object = {}): Promise<Readonly<Record<string, string>>> {
  process.stdout.write(`${JSON.stringify({ cue: what, ...said })}\n`);
  const line: IteratorResult<string, undefined> = await lines.next();
  if (line.done === true) throw new Error(`Nobody does ${what}.`);
  return JSON.parse(line.value) as Readonly<Record<string, string>>;
}
