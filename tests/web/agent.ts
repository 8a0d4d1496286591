/**
 * Devices of the web client in Node, at work for a test in another language: `node agent.js`.
 *
 * A line of its input is a command, a line of its output what came of it, by `id`. Profiles lie in memory, and can be
 * copied as a backup does. A password is derived by one hash where `MESSENGER_QUICK` is set: then nothing waits for
 * Argon2id, nor for long before it is tried again.
 */

import "./store/indexeddb.ts";

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import process from "node:process";

import { type Derived, type Kdf, derive } from "../../messenger/web/client/src/e2e/password.ts";
import { decodeBody } from "../../messenger/web/client/src/e2e/bodies.ts";
import * as client from "../../messenger/web/client/src/engine/index.ts";
import { type Clock, SYSTEM_CLOCK } from "../../messenger/web/client/src/net/clock.ts";
import { blobSource } from "../../messenger/web/client/src/net/files.ts";
import { base64, base64Bytes } from "../../messenger/web/client/src/wire/bytes.ts";
import { copyProfile } from "./store/copying.ts";

const QUICK = process.env["MESSENGER_QUICK"] !== undefined;
const TURNS = 25;

type Said = Readonly<Record<string, unknown>>;
const engines = new Map<string, client.Engine>();

// What is going on: requests, work in stores, and how much there was of both.
let busy = 0;
let moved = 0;

async function counted<T>(work: () => Promise<T>): Promise<T> {
  busy += 1;
  moved += 1;
  try {
    return await work();
  } finally {
    busy -= 1;
    moved += 1;
  }
}

function quickly(password: string, kdf: Kdf): Derived {
  const half = (label: string): Buffer =>
    createHash("sha256").update(label).update(kdf.salt).update(password).digest();
  return { login: half("login").toString("base64"), wrap: half("wrap") };
}

const clock: Clock = QUICK ? { ...SYSTEM_CLOCK, draw: () => 0.01 * Math.random() } : SYSTEM_CLOCK;

function place(said: Said) {
  return {
    profile: text(said, "profile"),
    server: text(said, "server"),
    http: {
      clock,
      ...(QUICK ? { patience: 0 } : {}),
      fetch: (url: string | URL | Request, init?: RequestInit) => counted(() => globalThis.fetch(url, init)),
    },
    derive: QUICK ? quickly : derive,
  };
}

function text(said: Said, name: string): string {
  const value = said[name];
  if (typeof value !== "string") throw new TypeError(`A command wants ${name}.`);
  return value;
}

function engineOf(said: Said): client.Engine {
  const found = engines.get(text(said, "profile"));
  if (found === undefined) throw new TypeError(`There is no ${text(said, "profile")}.`);
  return found;
}

/** Watch what an engine does, and have it connect. */
function begun(said: Said, engine: client.Engine): unknown {
  const honest = engine.vault.run.bind(engine.vault);
  engine.vault.run = (work) => counted(() => honest(work));
  engines.set(text(said, "profile"), engine);
  engine.start();
  return engine.facts;
}

/** JSON of anything: bytes as base64. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (one instanceof Uint8Array ? base64(one) : one));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const authoring = (said: Said): client.Authoring => new client.Authoring(engineOf(said), text(said, "talk"));
const group = (said: Said): client.Group => new client.Group(engineOf(said), text(said, "talk"));

async function messageOf(said: Said) {
  const id = Number(said["message"]);
  const found = await engineOf(said).vault.run((shelf) => shelf.messages.get(id));
  if (found === undefined) throw new TypeError("There is no such message.");
  return found;
}

const commands: Readonly<Record<string, (said: Said) => unknown>> = {
  register: async (said) => {
    const [username, password, deviceName] = [
      text(said, "username"),
      text(said, "password"),
      text(said, "name"),
    ];
    return begun(said, await client.account.register(place(said), { username, password, deviceName }));
  },
  login: async (said) => {
    const [username, password, deviceName] = [
      text(said, "username"),
      text(said, "password"),
      text(said, "name"),
    ];
    return begun(said, await client.account.login(place(said), { username, password, deviceName }));
  },
  open: async (said) => begun(said, await client.account.open(place(said))),
  close: async (said) => {
    const engine = engineOf(said);
    engines.delete(text(said, "profile"));
    await engine.close();
  },
  copy: (said) => copyProfile(text(said, "from"), text(said, "to")),
  remove: (said) => client.account.removeProfile(text(said, "profile")),
  quiet: async () => {
    for (let calm = 0; calm < TURNS;) {
      const before = moved;
      await turn();
      calm = busy > 0 || moved !== before ? 0 : calm + 1;
    }
    return moved;
  },
  until,
  until_state: (said) =>
    engineOf(said).state === said["state"]
      ? null
      : heardOf(said, (one) => one.event === "state_changed" && one.state === said["state"]),
  state: (said) => {
    const { state, approved } = engineOf(said);
    return { state, approved };
  },
  synced: (said) => engineOf(said).synced(AbortSignal.timeout(Number(said["within"] ?? 30_000))),
  link: (said) => client.devices.ownLink(engineOf(said)),
  add_contact: (said) => client.devices.addContact(engineOf(said), text(said, "link")),
  user: (said) => engineOf(said).asking.user(text(said, "username")),
  safety_number: (said) => client.devices.safetyNumberOf(engineOf(said), text(said, "username")),
  verify: (said) => client.devices.setVerified(engineOf(said), text(said, "username"), text(said, "proof")),
  accept: (said) => client.devices.acceptIdentity(engineOf(said), text(said, "username")),
  code: (said) => client.devices.deviceCode(engineOf(said)),
  approve: (said) =>
    client.devices.approveDevice(engineOf(said), text(said, "code"), (device) =>
      Promise.resolve(device.device_name === (said["name"] ?? null)),
    ),
  devices: (said) => client.devices.devices(engineOf(said)),
  remove_device: (said) => client.devices.removeDevice(engineOf(said), text(said, "device_id")),
  direct: (said) => client.direct(engineOf(said), text(said, "username")),
  group: (said) => client.createGroup(engineOf(said), text(said, "title"), said["members"] as string[]),
  conversations: (said) =>
    engineOf(said).vault.run(async (shelf) => {
      const rows = await shelf.conversations.shown();
      return Promise.all(
        rows.map(async (row) => ({
          ...row,
          peer: row.peer_id === null ? null : await shelf.people.name(row.peer_id),
        })),
      );
    }),
  members: (said) => group(said).members(),
  add_member: (said) => group(said).add(text(said, "username")),
  remove_member: (said) => group(said).remove(text(said, "username")),
  set_role: (said) =>
    group(said).setRole(text(said, "username"), text(said, "role") as "admin" | "member" | "owner"),
  rename: (said) => group(said).rename(text(said, "title")),
  leave: (said) => group(said).leave(),
  look: (said) => client.look(engineOf(said), text(said, "talk")),
  enqueue: (said) => authoring(said).enqueue(text(said, "text")),
  send: (said) => authoring(said).send(text(said, "text")),
  edit: async (said) => authoring(said).edit(await messageOf(said), text(said, "text")),
  delete: async (said) => authoring(said).remove(await messageOf(said)),
  timer: (said) => authoring(said).setTimer(said["expires_in"] as number | null),
  message: messageOf,
  history: (said) =>
    engineOf(said).vault.run(async (shelf) => {
      const found = await shelf.messages.history(text(said, "talk"), 1_000);
      return Promise.all(
        found.map(async (one) => ({ ...one, sender: await shelf.people.name(one.sender_id) })),
      );
    }),
  events: (said) =>
    engineOf(said).vault.run(async (shelf) => {
      const found = await shelf.journal.after(0, 10_000);
      return Promise.all(
        found.map(async (one) =>
          one.message === undefined
            ? one
            : { ...one, message: { ...one.message, sender: await shelf.people.name(one.message.sender_id) } },
        ),
      );
    }),
  outbox: (said) =>
    engineOf(said).vault.run(async (shelf) => {
      const found = await shelf.outbox.bodies();
      return found.map((one) => decodeBody(one.body).type);
    }),
  send_file: async (said) => {
    const source = blobSource(new Blob([base64Bytes(text(said, "content")) as Uint8Array<ArrayBuffer>]));
    const file = { source, name: text(said, "name"), mediaType: "text/plain" };
    return client.sendFile(engineOf(said), text(said, "talk"), file);
  },
  fetch_file: async (said) => {
    const message = await messageOf(said);
    const { file } = message;
    if (file === null) throw new TypeError("The message holds no file.");
    const parts: Uint8Array[] = [];
    for await (const part of client.fetchFile(engineOf(said), { ...message, file })) parts.push(part);
    return Buffer.concat(parts).toString("base64");
  },
  keys: async (said) => {
    const engine = engineOf(said);
    const account = await engine.accountKey();
    const keys = await engine.vault.run((shelf) => shelf.keys());
    return { ...engine.facts, seed: keys.seed, account: account?.seed ?? null };
  },
};

/** What an engine has told so far, from the first event on. */
interface Heard {
  readonly events: client.Event[];
  more: () => void;
}
const heard = new WeakMap<client.Engine, Heard>();

function hearing(engine: client.Engine): Heard {
  const known = heard.get(engine);
  if (known !== undefined) return known;
  const made: Heard = { events: [], more: () => undefined };
  heard.set(engine, made);
  void (async () => {
    for await (const event of engine.feed.events(0)) {
      made.events.push(event);
      made.more();
    }
  })();
  return made;
}

/** The first event of this kind, of those that came or will come; where `text` is given, of a message that says it. */
function until(said: Said): Promise<client.Event> {
  const kind = text(said, "event");
  return heardOf(
    said,
    (one) =>
      one.event === kind &&
      (said["text"] === undefined || ("message" in one && one.message.text === said["text"])),
  );
}

/** The first event that fits, of those that came or will come. */
async function heardOf(said: Said, fits: (event: client.Event) => boolean): Promise<client.Event> {
  const told = hearing(engineOf(said));
  for (;;) {
    const found = told.events.find(fits);
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => {
      const before = told.more;
      told.more = () => {
        told.more = () => undefined;
        before();
        resolve();
      };
    });
  }
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
