/** The account's password and the store's lock, which is made from it, against a server that is a function. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Derived, Kdf } from "../../messenger/web/client/src/e2e/password.ts";
import { account, errors } from "../../messenger/web/client/src/engine/index.ts";
import { settle } from "../../messenger/web/client/src/engine/locking.ts";
import { errors as store } from "../../messenger/web/client/src/store/index.ts";
import { base64, base64Bytes, utf8 } from "../../messenger/web/client/src/wire/bytes.ts";
import { sha256 } from "../../messenger/web/client/src/e2e/primitives.ts";
import { moments, written } from "./store/copying.ts";
import { ALICE, PHONE, freshName, fullAfter } from "./store/world.ts";

const SERVER = "https://chat.example.org";
const [FIRST, SECOND, THIRD] = [
  "umbrella kettle ninety",
  "zwölf Boxkämpfer jagen",
  "a third of its kind",
] as const;
type Fate = "done" | "lost before" | "lost after" | "failed";

function derive(password: string, kdf: Kdf): Derived {
  const half = (name: string): Uint8Array => sha256(utf8(name), kdf.salt, utf8(password));
  return { login: base64(half("login")), wrap: half("wrap") };
}

/** One account at a server. */
class Server {
  password = "";
  kdf: unknown = null;
  /** Where it breaks off, or answers nonsense. */
  gone = "";
  garbled = "";
  /** What becomes of the next change of the password. */
  fate: Fate = "done";
  readonly seen: string[] = [];

  readonly fetch = ((url: URL, init: RequestInit) =>
    Promise.resolve().then(() => this.#answer(url, init))) as typeof globalThis.fetch;

  #answer(url: URL, init: RequestInit): Response {
    const path = url.pathname.replace("/api/v1", "");
    const raw = init.body === null ? "" : new TextDecoder().decode(init.body as Uint8Array);
    this.seen.push(raw);
    if (path === this.gone) throw new TypeError("broken off");
    if (path === this.garbled) return new Response("<html>", { headers: { "Content-Type": "text/html" } });
    const body = (raw === "" ? {} : JSON.parse(raw)) as Record<string, unknown>;
    if (path === "/auth/kdf") return Response.json({ kdf: this.kdf });
    if (path === "/auth/register") return this.#register(body);
    if (path === "/auth/login") return body["password"] === this.password ? session() : refusal(401);
    if (path === "/auth/password") return this.#change(body);
    if (path === `/keys/identity/${ALICE}`) return Response.json({ device_list: null, items: [] });
    if (path === "/auth/logout") return new Response(null, { status: 204 });
    throw new TypeError(`What is ${path}?`);
  }

  #register({ password, kdf }: Record<string, unknown>): Response {
    this.password = String(password);
    this.kdf = kdf;
    return session();
  }

  #change({ current_password, new_password, kdf }: Record<string, unknown>): Response {
    const { fate } = this;
    this.fate = "done";
    if (fate === "lost before") throw new TypeError("broken off");
    if (fate === "failed") return refusal(500);
    if (current_password !== this.password) return refusal(403);
    this.password = String(new_password);
    this.kdf = kdf;
    if (fate === "lost after") throw new TypeError("broken off");
    return new Response(null, { status: 204 });
  }

  place(profile: string) {
    return { profile, server: SERVER, derive, http: { fetch: this.fetch, patience: 0 } };
  }

  /** What another device of the user's does. */
  changedElsewhere(password: string): void {
    const kdf = { ...(this.kdf as Kdf), salt: base64(crypto.getRandomValues(new Uint8Array(16))) };
    this.kdf = kdf;
    this.password = derive(password, { ...kdf, salt: base64Bytes(kdf.salt) ?? new Uint8Array() }).login;
  }
}

function session(): Response {
  return Response.json({
    user: { user_id: ALICE, username: "alice", created_at: "2027-01-15T08:00:00.000Z" },
    device_id: PHONE,
    access_token: "access",
    expires_in: 900,
    refresh_token: "refresh",
  });
}

function refusal(status: number): Response {
  return Response.json({ code: "refused", detail: "No." }, { status });
}

/** Alice's first device, whose store her password locks. */
async function locked(): Promise<{
  server: Server;
  profile: string;
  engine: Awaited<ReturnType<typeof account.open>>;
}> {
  const [server, profile] = [new Server(), freshName()];
  const said = { username: "alice", password: FIRST, lock: true };
  return { server, profile, engine: await account.register(server.place(profile), said) };
}

/** Which of these passwords open a profile. */
async function keysTo(server: Server, profile: string): Promise<string[]> {
  const found: string[] = [];
  for (const password of [FIRST, SECOND, THIRD]) {
    try {
      await (await account.open(server.place(profile), password)).close();
      found.push(password);
    } catch (error) {
      if (!(error instanceof store.WrongPassword)) throw error;
    }
  }
  return found;
}

test("a changed password locks the store, and the old one does no more", async () => {
  const { server, profile, engine } = await locked();
  assert.equal(await account.isLocked(profile), true);
  await assert.rejects(account.changePassword(engine, "not the password", SECOND), { status: 403 });
  await account.changePassword(engine, FIRST, SECOND);
  await engine.close();
  assert.deepEqual(await keysTo(server, profile), [SECOND]);
  await assert.rejects(account.open(server.place(profile)), store.WrongPassword);
  // Nothing of the store's half, nor a password, was sent.
  assert.ok(server.seen.every((one) => ![FIRST, SECOND].some((password) => one.includes(password))));
});

test("a refused password leaves the store as it was", async () => {
  const { server, profile, engine } = await locked();
  await assert.rejects(account.changePassword(engine, "not the password", SECOND), { status: 403 });
  await assert.rejects(account.changePassword(engine, FIRST, "password1234"), errors.WeakPassword);
  await assert.rejects(account.changePassword(engine, FIRST, "too short"), errors.WeakPassword);
  await engine.close();
  assert.deepEqual(await keysTo(server, profile), [FIRST]);
});

for (const fate of ["lost before", "lost after", "failed"] as const) {
  test(`a change that is ${fate} leaves two locks until it is known which password counts`, async () => {
    const { server, profile, engine } = await locked();
    server.fate = fate;
    await assert.rejects(account.changePassword(engine, FIRST, SECOND));
    await engine.close();
    assert.deepEqual(await keysTo(server, profile), [FIRST, SECOND]);
    const again = await account.open(server.place(profile), SECOND);
    await settle(again.vault, again.http, "alice");
    await again.close();
    const counts = fate === "lost after" ? SECOND : FIRST;
    assert.deepEqual(await keysTo(server, profile), [counts]);
    const last = await account.open(server.place(profile), counts);
    await account.changePassword(last, counts, THIRD);
    await last.close();
    assert.deepEqual(await keysTo(server, profile), [THIRD]);
  });
}

test("a change that was never answered is no lock for good, whatever is changed next", async () => {
  const { server, profile, engine } = await locked();
  server.fate = "lost after";
  await assert.rejects(account.changePassword(engine, FIRST, SECOND));
  await assert.rejects(account.changePassword(engine, FIRST, THIRD), { status: 403 });
  await account.changePassword(engine, SECOND, THIRD);
  await engine.close();
  assert.deepEqual(await keysTo(server, profile), [THIRD]);
});

test("a password that was changed elsewhere locks the store from the next login on", async () => {
  const { server, profile, engine } = await locked();
  await account.logout(engine);
  await engine.close();
  server.changedElsewhere(SECOND);
  const place = server.place(profile);
  const said = { username: "alice", password: SECOND };
  await assert.rejects(account.login(place, said), store.WrongPassword);
  await assert.rejects(account.login(place, { ...said, lockedBy: THIRD }), store.WrongPassword);
  await assert.rejects(account.login(place, { username: "alice", password: FIRST }), { status: 401 });
  await assert.rejects(account.login(place, { ...said, password: THIRD, lockedBy: FIRST }), { status: 401 });
  assert.deepEqual(await keysTo(server, profile), [FIRST]);
  await (await account.login(place, { ...said, lockedBy: FIRST })).close();
  assert.deepEqual(await keysTo(server, profile), [SECOND]);
});

test("a store without a lock gets none by a changed password", async () => {
  const [server, profile] = [new Server(), freshName()];
  const engine = await account.register(server.place(profile), { username: "alice", password: FIRST });
  await account.changePassword(engine, FIRST, SECOND);
  await engine.close();
  assert.equal(await account.isLocked(profile), false);
  await (await account.open(server.place(profile))).close();
  assert.equal(await account.isLocked(freshName()), undefined);
});

test("a server that goes away in the middle leaves a whole profile or none", async () => {
  const server = new Server();
  const said = { username: "alice", password: FIRST, lock: true };
  const [first, second] = [freshName(), freshName()];
  for (const [fault, name] of [
    ["gone", "Unreachable"],
    ["garbled", "BadAnswer"],
  ] as const) {
    server[fault] = "/auth/register";
    await assert.rejects(account.register(server.place(first), said), { name });
    assert.equal(await account.isLocked(first), undefined);
    server[fault] = "";
  }
  await (await account.register(server.place(first), said)).close();
  const paths = ["/auth/kdf", "/auth/login"];
  for (const [fault, name] of [
    ["gone", "Unreachable"],
    ["garbled", "BadAnswer"],
  ] as const) {
    for (const path of [...paths, `/keys/identity/${ALICE}`]) {
      server[fault] = path;
      await assert.rejects(account.login(server.place(second), said), { name }, path);
      assert.equal(await account.isLocked(second), undefined);
      if (paths.includes(path))
        await assert.rejects(account.login(server.place(first), said), { name }, path);
      server[fault] = "";
    }
  }
  assert.deepEqual(await keysTo(server, first), [FIRST]);
  const engine = await account.login(server.place(second), said);
  assert.deepEqual(engine.facts.username, "alice");
  await engine.close();
});

test("a store that is full when a profile is made leaves none, and a taken name is told", async () => {
  const [server, profile] = [new Server(), freshName()];
  const said = { username: "alice", password: FIRST };
  for (const writes of [1, 5]) {
    const whole = fullAfter(writes);
    try {
      await assert.rejects(account.register(server.place(profile), said), { name: "StoreFull" });
    } finally {
      whole();
    }
    assert.equal(await account.isLocked(profile), undefined);
  }
  await (await account.register(server.place(profile), said)).close();
  await assert.rejects(account.register(server.place(profile), said), store.ProfileExists);
});

test("who dies while a profile is made has a whole one or none, and comes in by the password", async () => {
  for (const way of ["register", "login"] as const) {
    const [server, profile] = [new Server(), freshName()];
    const said = { username: "alice", password: FIRST, lock: true };
    if (way === "login") await (await account.register(server.place(freshName()), said)).close();
    const disks = await moments(async () => {
      const engine = await account[way](server.place(profile), said);
      await engine.close();
    });
    const states: string[] = [];
    for (const disk of disks) {
      await written(profile, disk);
      const engine = await account.open(server.place(profile), FIRST);
      if (engine.facts.userId === "") {
        // As nobody's, it is taken away when the page is opened (worker/host.ts).
        states.push("none");
        await engine.close();
        await account.removeProfile(profile);
        const again = await account.login(server.place(profile), said);
        assert.equal(again.approved, true);
        await again.close();
        continue;
      }
      states.push("whole");
      const keys = await engine.vault.run((store) => store.keys());
      assert.deepEqual([keys.userId, keys.deviceId], [ALICE, PHONE]);
      assert.ok(engine.tokens.alive && engine.approved);
      await engine.close();
    }
    assert.deepEqual([...new Set(states)], ["none", "whole"], way);
  }
});

test("who waits for a session that the user ends is told", async () => {
  const { engine } = await locked();
  const waiting = engine.synced();
  waiting.catch(() => undefined);
  await account.logout(engine);
  for (const waits of [waiting, engine.synced()]) await assert.rejects(waits, { code: "session_ended" });
  assert.equal(engine.state, "session_ended");
  await engine.close();
});
