/** The store's key: who opens it, and who does not. In Node, and in a browser as they are. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { errors as encryption, newKdf } from "../../messenger/web/client/src/e2e/index.ts";
import { Vault } from "../../messenger/web/client/src/engine/vault.ts";
import { errors } from "../../messenger/web/client/src/store/index.ts";
import { ALICE, NOW, freshName, lock, onDisk, profile } from "./store/world.ts";

test("the key's keeper can't be read by the page", async () => {
  const { name, vault } = await profile();
  const row = (await onDisk(name, "meta", (store) => store.get("key"))) as { wrapping: CryptoKey };
  assert.equal(row.wrapping.extractable, false);
  await assert.rejects(crypto.subtle.exportKey("raw", row.wrapping));
  await vault.close();
});

test("a lock opens by its password alone", async () => {
  const name = freshName();
  const first = lock(1);
  const vault = await Vault.create(name, first, () => NOW);
  await vault.run((shelf) => {
    shelf.account.set("user_id", ALICE);
  });
  await vault.close();
  assert.deepEqual(await Vault.lockOf(name), first.kdf);
  for (const wrong of [null, lock(2).wrap])
    await assert.rejects(Vault.open(name, wrong), errors.WrongPassword);
  const opened = await Vault.open(name, first.wrap, () => NOW);
  assert.equal(await opened.run((shelf) => shelf.userId()), ALICE);
  const second = lock(2);
  await assert.rejects(opened.changeLock(second.wrap, second), errors.WrongPassword);
  await assert.rejects(opened.changeLock(null, null), errors.WrongPassword);
  await opened.changeLock(first.wrap, second);
  await opened.close();
  await assert.rejects(Vault.open(name, first.wrap), errors.WrongPassword);
  const third = await Vault.open(name, second.wrap, () => NOW);
  await third.changeLock(second.wrap, null);
  await third.close();
  const last = await Vault.open(name, null, () => NOW);
  assert.equal(await last.run((shelf) => shelf.userId()), ALICE);
  await last.close();
});

test("a lock with too little work is refused", async () => {
  const weak = lock(1, { ...newKdf(), memory_kib: 1_024 });
  await assert.rejects(Vault.create(freshName(), weak), encryption.WeakKdf);
});

test("what keeps the key may be damaged, and has a name for it", async () => {
  const { name, vault } = await profile();
  await vault.close();
  const whole = (await onDisk(name, "meta", (store) => store.get("key"))) as {
    wrapped: Uint8Array;
  };
  const flipped = whole.wrapped.map((byte, at) => (at === 3 ? byte ^ 1 : byte));
  const lockedBy = { ...whole, lock: newKdf() };
  const cases: [unknown, abstract new (...given: never[]) => Error][] = [
    [{ ...whole, wrapped: flipped }, errors.StoreCorrupt],
    [{ ...whole, wrapped: new Uint8Array() }, errors.StoreCorrupt],
    [{ ...whole, wrapping: "none" }, errors.StoreCorrupt],
    [{ ...whole, lock: { salt: "none" } }, errors.StoreCorrupt],
    [{}, errors.StoreCorrupt],
    [7, errors.StoreCorrupt],
    [{ ...whole, version: 2 }, errors.StoreTooNew],
    [lockedBy, errors.WrongPassword],
  ];
  for (const [row, kind] of cases) {
    await onDisk(name, "meta", (store) => store.put(row, "key"));
    await assert.rejects(Vault.open(name, null), kind);
  }
  await onDisk(name, "meta", (store) => store.put(whole, "key"));
  await (await Vault.open(name, null)).close();
});
