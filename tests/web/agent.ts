/**
 * Devices of the web client in Node, at work for a test in another language: `node agent.js`.
 *
 * A line of its input is a command, a line of its output what came of it, by `id`. Profiles lie in memory, and can be
 * copied as a backup does. A password is derived by one hash where `MESSENGER_QUICK` is set: then nothing waits for
 * Argon2id, nor for long before it is tried again.
 */

import "./store/indexeddb.ts";

import { createInterface } from "node:readline";
import process from "node:process";

import { base64 } from "../../messenger/web/client/src/wire/bytes.ts";
import { ACCOUNT } from "./commands/account.ts";
import { CALLS } from "./commands/calls.ts";
import { PEOPLE } from "./commands/people.ts";
import { type Commands, type Said, going, text } from "./commands/running.ts";
import { TALKS } from "./commands/talks.ts";

const TURNS = 25;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const commands: Commands = {
  ...ACCOUNT,
  ...CALLS,
  ...PEOPLE,
  ...TALKS,
  quiet: async () => {
    for (let calm = 0; calm < TURNS;) {
      const before = going.moved;
      await turn();
      calm = going.busy > 0 || going.moved !== before ? 0 : calm + 1;
    }
    return going.moved;
  },
};

/** JSON of anything: bytes as base64. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (one instanceof Uint8Array ? base64(one) : one));
}

function failure(error: unknown): object {
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : "error";
  const stack = error instanceof Error ? error.stack : undefined;
  return { name, code: typeof code === "string" ? code : "error", message, stack };
}

async function obey(line: string): Promise<void> {
  const said = JSON.parse(line) as Said;
  let answer: object;
  try {
    const command = commands[text(said, "do")];
    if (command === undefined) throw new TypeError("There is no such command.");
    answer = { id: said["id"], ok: (await command(said)) ?? null };
  } catch (error) {
    answer = { id: said["id"], error: failure(error) };
  }
  process.stdout.write(`${jsonOf(answer)}\n`);
}

for await (const line of createInterface({ input: process.stdin })) void obey(line);
process.exit(0);
