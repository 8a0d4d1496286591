/** Events on their way to the page: durable ones wait for it, ephemeral ones are bounded, and a close ends it all. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { Feed } from "../../messenger/web/client/src/engine/feed.ts";
import { Gate } from "../../messenger/web/client/src/engine/gate.ts";
import { Vault } from "../../messenger/web/client/src/engine/vault.ts";
import { NOW, TALK, again, message, onDisk, profile, rows } from "./store/world.ts";

const waiting = (device_id: string) => ({ event: "device_waiting", device_id });

test("durable events come again after a restart, unless they were handled", async () => {
  const { name, vault } = await profile();
  const feed = new Feed(vault);
  await vault.run(async (store) => {
    for (const one of ["one", "two", "three"]) await store.tell(waiting(one));
  });
  const events = feed.events();
  assert.equal((await events.next()).value?.position, 1);
  assert.equal((await events.next()).value?.position, 2); // so the first was handled
  await feed.finish();
  assert.equal((await events.next()).done, true);
  const later = await again(name, vault);
  const rest = new Feed(later).events();
  assert.equal((await rest.next()).value?.position, 2);
  await later.close();
});

test("a feed that is closed under its reader ends", async () => {
  const { vault } = await profile();
  const feed = new Feed(vault);
  await vault.run((store) => store.tell(waiting("one")));
  const events = feed.events();
  await events.next();
  await feed.finish();
  await vault.close();
  assert.equal((await events.next()).done, true);
});

test("of ephemeral events the oldest go", async () => {
  const { vault } = await profile();
  const feed = new Feed(vault);
  for (let number = 0; number < 1_001; number += 1) {
    feed.tell({ event: "state_changed", state: "offline", detail: String(number), retry_at: null });
  }
  const { value } = await feed.events().next();
  assert.ok(value?.event === "state_changed");
  assert.equal(value.detail, "1");
  await vault.close();
});

test("a gate lets through who waits, and forgets who gives up", async () => {
  const gate = new Gate();
  const over = new AbortController();
  const given = gate.wait(over.signal);
  const through = gate.wait();
  over.abort(new Error("given up"));
  await assert.rejects(given, { message: "given up" });
  gate.pulse();
  await through;
  assert.equal(gate.isOpen, false);
  gate.open();
  await gate.wait();
});

test("damaged records are told once for each table", async () => {
  const { name, vault } = await profile();
  await vault.run(async (store) => {
    for (const number of [1, 2, 3]) await store.messages.add(message(number));
  });
  await vault.close();
  for (const row of (await rows(name, "messages")).slice(0, 2)) {
    const sealed = row.sealed.map((byte, at) => (at === 20 ? byte ^ 1 : byte));
    await onDisk(name, "messages", (store) => store.put({ ...row, sealed }));
  }
  const opened = await Vault.open(name, null, () => NOW);
  const feed = new Feed(opened);
  for (let count = 0; count < 2; count += 1) {
    assert.equal((await opened.run((store) => store.messages.history(TALK, 10))).length, 1);
  }
  const events = feed.events();
  const { value } = await events.next();
  assert.equal(value?.event, "store_damaged");
  assert.equal((value as { table?: string }).table, "messages");
  feed.close();
  assert.equal((await events.next()).done, true);
  await opened.close();
});
