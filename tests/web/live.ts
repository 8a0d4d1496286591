/**
 * The network side against a real server: `node live.js URL`. Where the gateway has to die and come back, it says
 * `kill` on its standard output and goes on at the next line of its input.
 */

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import process from "node:process";

import { Api } from "../../messenger/web/client/src/net/api.ts";
import { SYSTEM_CLOCK } from "../../messenger/web/client/src/net/clock.ts";
import { Files, PIECE, blobSource } from "../../messenger/web/client/src/net/files.ts";
import { Http } from "../../messenger/web/client/src/net/http.ts";
import { Open } from "../../messenger/web/client/src/net/open.ts";
import { Connection } from "../../messenger/web/client/src/net/socket.ts";
import { SessionTokens, type Tokens, tokensOf } from "../../messenger/web/client/src/net/tokens.ts";
import { derive, newKdf } from "../../messenger/web/client/src/e2e/password.ts";
import { type Hello, type ServerFrame } from "../../messenger/web/client/src/wire/frames.ts";

const [, , origin = ""] = process.argv;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

let cuts = 0;
/** A network that breaks off the second piece of an upload, once. */
const fetch: typeof globalThis.fetch = (url, init) => {
  const second = init?.method === "PATCH" && new Headers(init.headers).get("Upload-Offset") === String(PIECE);
  if (second && cuts === 0) {
    cuts += 1;
    return Promise.reject(new TypeError("cut"));
  }
  return globalThis.fetch(url, init);
};

const http = new Http({ origin, fetch });
const open = new Open(http);
const name = `u${randomBytes(6).toString("hex")}`;

const info = await open.info();
assert.ok(info.protocols.includes("messenger.v1") && info.reconnect_spread >= 0);

const kdf = newKdf();
const { login } = derive("correct horse battery", kdf);
const registered = await open.register({
  username: name,
  password: login,
  kdf: { ...kdf, algorithm: "argon2id" },
});
assert.deepEqual((await open.kdf(name))?.salt, kdf.salt);
await assert.rejects(open.login({ username: name, password: "wrong password" }), {
  name: "Refused",
  status: 401,
});
const again = await open.login({ username: name, password: login, device_id: registered.device_id });
assert.ok("session" in again);

const other = await open.register({ username: `${name}b`, password: login });

let remembered: Tokens | null = tokensOf(again.session, SYSTEM_CLOCK.now());
const tokens = new SessionTokens(http, remembered, (now) => {
  remembered = now;
  return Promise.resolve();
});
const api = new Api(http, tokens);
const first = await tokens.access();
const [second, third] = await Promise.all([tokens.renew(first), tokens.renew(first)]);
assert.ok(second === third && second !== first && remembered.access === second);
assert.equal((await api.me()).username, name);
const talk = await api.createConversation({ type: "direct", members: [other.user.user_id] });

// What a device of the other side is, does not matter here: content is the same for all.
const frames: ServerFrame[] = [];
const greetings: Hello[] = [];
let wake: () => void = () => undefined;
const connection = new Connection({
  ...{ origin, userId: again.session.user.user_id, deviceId: again.session.device_id, epoch: null },
  ...{ clock: SYSTEM_CLOCK, tokens, api },
  listener: {
    greeted: (hello) => void greetings.push(hello),
    frames: (some) => {
      frames.push(...some);
      wake();
      return Promise.resolve();
    },
    state: () => {
      wake();
    },
    over: (over, why) => {
      if (over !== "stopped") process.stderr.write(`${over} ${why}\n`);
    },
    failed: (error) => {
      throw error;
    },
  },
});
connection.spread = 1;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

const synced = (): number => frames.filter((one) => one.type === "synced").length;

async function send(): Promise<number> {
  const clientId = randomUUID();
  const { digest } = await api.conversationDevices(talk.conversation_id);
  const answer = await connection.ask({
    ...{ type: "send", ref: clientId, client_id: clientId, conversation_id: talk.conversation_id },
    ...{ kind: "text", content: randomBytes(100), devices_digest: digest, partial: false },
  });
  assert.ok(answer.type === "sent", JSON.stringify(answer));
  return answer.seq;
}

connection.start();
await until(() => synced() === 1);
assert.equal(await send(), 1);
assert.ok(connection.say({ type: "ack", conversation_id: talk.conversation_id, seq: 1, change: 1 }));

// By HTTP of another device, so that it comes here as a frame.
const elsewhere = await open.login({ username: name, password: login });
assert.ok("session" in elsewhere);
const laptop = new Api(
  http,
  new SessionTokens(http, tokensOf(elsewhere.session, SYSTEM_CLOCK.now()), () => Promise.resolve()),
);
const draft = { client_id: randomUUID(), kind: "text", content: randomBytes(10), partial: false };
assert.equal((await laptop.send(talk.conversation_id, draft)).seq, 2);
await until(() => frames.some((one) => one.type === "message" && one.seq === 2));

process.stdout.write("kill\n");
await until(() => connection.state !== "up");
await lines.next();
await until(() => synced() === 2);
assert.equal(greetings.length, 2);
assert.equal(await send(), 3);

const files = new Files(http, tokens);
const content = randomBytes(2 * PIECE + 12_345);
const fileId = await files.upload({
  source: blobSource(new Blob([content])),
  conversationId: talk.conversation_id,
  metadata: randomBytes(50),
});
assert.equal(cuts, 1);
const parts: Uint8Array[] = [];
for await (const part of files.download(fileId, content.length)) parts.push(part);
assert.ok(Buffer.concat(parts).equals(content));
const small = await files.upload({ source: blobSource(new Blob(["small"])), metadata: randomBytes(5) });
assert.equal((await files.info(small)).size, 5);
for await (const part of files.download(small, 5, 2)) assert.equal(Buffer.from(part).toString(), "all");

connection.stop();
await api.logout();
await assert.rejects(api.me(), { name: "SessionEnded" });
process.stdout.write("done\n");
process.exit(0);
