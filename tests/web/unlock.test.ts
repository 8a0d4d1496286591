/** The store's key: who opens it, and who does not. In Node, and in a browser as they are. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { type Kdf, errors as encryption, newKdf } from "../../messenger/web/client/src/e2e/index.ts";
import { Vault } from "../../messenger/web/client/src/engine/vault.ts";
import { type Lock, errors } from "../../messenger/web/client/src/store/index.ts";
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
  const [first, second] = [lock(1), lock(2)];
  const vault = await Vault.create(name, first, () => NOW);
  await vault.run((store) => {
    store.account.set("user_id", ALICE);
  });
  await vault.close();
  assert.deepEqual(await Vault.locksOf(name), { lock: first.kdf, next: null });
  for (const wrong of [null, () => second.wrap])
    await assert.rejects(Vault.open(name, wrong), errors.WrongPassword);
  const opened = await Vault.open(
    name,
    (kdf) => by(first, kdf),
    () => NOW,
  );
  assert.equal(await opened.run((store) => store.userId()), ALICE);
  await opened.setLock(second);
  await opened.close();
  await assert.rejects(
    Vault.open(name, () => first.wrap),
    errors.WrongPassword,
  );
  const third = await Vault.open(
    name,
    (kdf) => by(second, kdf),
    () => NOW,
  );
  await third.setLock(null);
  await third.close();
  const last = await Vault.open(name, null, () => NOW);
  assert.equal(await last.run((store) => store.userId()), ALICE);
  await last.close();
});

/** The half that a password makes, where it is asked for in the way that made it. */
function by(made: Lock, kdf: Kdf): Uint8Array {
  return made.kdf.salt.every((byte, at) => byte === kdf.salt[at]) ? made.wrap : new Uint8Array(32);
}

test("of two locks either opens, until one of them is settled on", async () => {
  const [first, second] = [lock(1), lock(2)];
  for (const kept of [first, second]) {
    const name = freshName();
    const vault = await Vault.create(name, first, () => NOW);
    await vault.addLock(second);
    assert.deepEqual(await vault.locks(), { lock: first.kdf, next: second.kdf });
    await vault.close();
    for (const one of [first, second]) await (await Vault.open(name, (kdf) => by(one, kdf))).close();
    await assert.rejects(
      Vault.open(name, () => lock(3).wrap),
      errors.WrongPassword,
    );
    await assert.rejects(Vault.open(name, null), errors.WrongPassword);
    const opened = await Vault.open(
      name,
      (kdf) => by(first, kdf),
      () => NOW,
    );
    await opened.settleLock(lock(3).kdf.salt); // that is neither
    assert.notEqual((await opened.locks()).next, null);
    await opened.settleLock(kept.kdf.salt);
    assert.deepEqual(await opened.locks(), { lock: kept.kdf, next: null });
    await opened.close();
    const other = kept === first ? second : first;
    await assert.rejects(
      Vault.open(name, (kdf) => by(other, kdf)),
      errors.WrongPassword,
    );
    await (await Vault.open(name, (kdf) => by(kept, kdf))).close();
  }
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
    [{ ...whole, next: {} }, errors.StoreCorrupt],
    [{ ...whole, next: null }, errors.StoreCorrupt],
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
