/** Sealed files of the store: whole or refused, and no keys in them. In Node, and in a browser as they are. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { AccountKey, DeviceKeys, KnownUser, derive } from "../../messenger/web/client/src/e2e/index.ts";
import type { Vault } from "../../messenger/web/client/src/engine/vault.ts";
import { type Derivation, exportStore, importStore } from "../../messenger/web/client/src/store/export.ts";
import { errors } from "../../messenger/web/client/src/store/index.ts";
import { concat, utf8 } from "../../messenger/web/client/src/wire/bytes.ts";
import { ALICE, NOW, PHONE, TALK, message, profile, said } from "./store/world.ts";

const PASSWORD = "a long password";
const MESSAGES = 250;

/** A key without the work: all but one test are about what comes after it. */
const quickly: Derivation = (password) => ({
  wrap: concat(utf8(password), new Uint8Array(32)).subarray(0, 32),
});

async function account(userId = ALICE): Promise<Vault> {
  const { vault } = await profile();
  await vault.run((store) => {
    store.account.set("user_id", userId);
    store.account.set("server", "https://chat.example");
  });
  return vault;
}

async function filled(): Promise<Vault> {
  const vault = await account();
  await vault.run(async (store) => {
    store.account.set("tokens", "a secret token");
    store.people.put(ALICE, "alice");
    store.states.save(ALICE, KnownUser.unknown(ALICE));
    store.states.save("own", AccountKey.create());
    store.states.save("own", DeviceKeys.create(ALICE, PHONE, NOW / 1_000));
    await store.conversations.take(said());
    await store.conversations.set(TALK, { title: "a title", place: 7 });
    await store.conversations.putMember(TALK, ALICE, "owner", "2027-01-15T08:00:00.000Z");
    for (let number = 1; number <= MESSAGES; number += 1) await store.messages.add(message(number));
    await store.messages.add(message(900, { seq: null, outgoing: true, state: "queued" }));
  });
  return vault;
}

async function written(vault: Vault, derivation = quickly): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const count = await exportStore(vault, PASSWORD, (piece) => void pieces.push(piece), derivation);
  assert.equal(count, MESSAGES + 1);
  return concat(...pieces);
}

function blob(raw: Uint8Array): Blob {
  return new Blob([raw as Uint8Array<ArrayBuffer>]);
}

test("an export goes into another profile of the account, once", async () => {
  const [from, to] = [await filled(), await account()];
  const file = blob(await written(from, derive));
  assert.equal(await importStore(to, file, PASSWORD), MESSAGES + 1);
  assert.equal(await importStore(to, file, PASSWORD), 0);
  await to.run(async (store) => {
    const { messages, conversations, people, states, account: facts } = store;
    assert.equal((await messages.after(0, 1_000)).length, MESSAGES + 1);
    assert.deepEqual(
      { ...(await messages.at(TALK, 7)), id: 0 },
      {
        ...{ ...message(7), id: 0, late: false, gone: false, edited: 0, expires_at: null, expires_in: null },
        ...{ width: 0, height: 0 },
      },
    );
    const last = (await messages.history(TALK, 1)).at(0);
    assert.deepEqual([last?.state, await store.outbox.count()], ["failed", 0]);
    const found = await conversations.get(TALK);
    // How far the other device had come is not how far this one has.
    assert.deepEqual([found?.title, found?.place], ["a title", null]);
    assert.equal((await conversations.members(TALK)).length, 1);
    assert.equal(await people.named(ALICE), "alice");
    assert.ok(await states.get(KnownUser, ALICE));
    // No keys, no tokens.
    assert.equal(await states.get(AccountKey, "own"), undefined);
    assert.equal(await states.get(DeviceKeys, "own"), undefined);
    assert.equal(await facts.get("tokens"), undefined);
  });
  for (const vault of [from, to]) await vault.close();
});

test("what is known here stays", async () => {
  const [from, to] = [await filled(), await account()];
  const other = "b1111111-0000-4000-8000-000000000009";
  await to.run(async (store) => {
    store.people.put(other, "alice");
    await store.messages.add(message(1, { text: "as it is here" }));
  });
  assert.equal(await importStore(to, blob(await written(from)), PASSWORD, quickly), MESSAGES);
  await to.run(async ({ people, messages }) => {
    assert.equal(await people.userNamed("alice"), other);
    assert.equal(await people.named(ALICE), undefined);
    assert.equal((await messages.find(message(1)))?.text, "as it is here");
  });
  for (const vault of [from, to]) await vault.close();
});

test("another account's export is refused", async () => {
  const [from, to] = [await filled(), await account(PHONE)];
  const file = blob(await written(from));
  await assert.rejects(importStore(to, file, PASSWORD, quickly), errors.ProfileMismatch);
  assert.deepEqual(await to.run(({ messages }) => messages.after(0, 9)), []);
  for (const vault of [from, to]) await vault.close();
});

test("a file that was changed, cut, put together anew or made up is refused, and nothing of it is taken", async () => {
  const [from, to] = [await filled(), await account()];
  const file = await written(from);
  const flipped = (at: number): Uint8Array => file.map((byte, index) => (index === at ? byte ^ 1 : byte));
  const sizeOf = (at: number): number => new DataView(file.buffer, at).getUint32(0);
  const first = 45; // where chunks begin
  const second = first + 4 + sizeOf(first);
  const third = second + 4 + sizeOf(second);
  const bad: Record<string, Uint8Array> = {
    nothing: new Uint8Array(),
    "something else": utf8("x".repeat(1_000)),
    "only its header": file.subarray(0, first),
    "cut off": file.subarray(0, file.length - 1),
    "without its last chunk": file.subarray(0, third),
    "with more": concat(file, Uint8Array.of(0)),
    "with a chunk more": concat(file, file.subarray(first, second)),
    "without a chunk": concat(file.subarray(0, second), file.subarray(third)),
    "with chunks moved": concat(
      file.subarray(0, first),
      file.subarray(second, third),
      file.subarray(first, second),
      file.subarray(third),
    ),
    "a chunk of 4 GiB": concat(
      file.subarray(0, first),
      Uint8Array.of(255, 255, 255, 255),
      file.subarray(first),
    ),
  };
  for (let count = 0; count < 60; count += 1) {
    const at = count < 45 ? count : Math.floor(Math.random() * file.length);
    bad[`with another byte ${String(at)}`] = flipped(at);
  }
  for (const [what, raw] of Object.entries(bad)) {
    await assert.rejects(importStore(to, blob(raw), PASSWORD, quickly), errors.ExportRefused, what);
  }
  await assert.rejects(importStore(to, blob(file), "another password", quickly), errors.ExportRefused);
  assert.deepEqual(await to.run(({ messages }) => messages.after(0, 9)), []);
  assert.equal(await importStore(to, blob(file), PASSWORD, quickly), MESSAGES + 1);
  for (const vault of [from, to]) await vault.close();
});

test("a file that asks for absurd work, or for hardly any, is refused before it is done", async () => {
  const [from, to] = [await filled(), await account()];
  const file = await written(from);
  for (const [at, value] of [
    [17, 0xffffffff],
    [17, 1_024],
    [21, 1_000],
    [21, 0],
    [25, 0],
    [25, 10_000],
  ] as const) {
    const raw = file.slice();
    new DataView(raw.buffer).setUint32(at, value);
    const never: Derivation = () => {
      throw new Error("the work was done");
    };
    await assert.rejects(importStore(to, blob(raw), PASSWORD, never), errors.ExportRefused);
  }
  for (const vault of [from, to]) await vault.close();
});
