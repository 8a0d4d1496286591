/**
 * What a server does to the order of messages, or holds back, or says was deleted; what an honest loss must not look
 * like; and what only an author may say. On real stores, by the engine's own rules.
 */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { PeerSessions, ReceivedChains } from "../../messenger/web/client/src/e2e/index.ts";
import { giveUp } from "../../messenger/web/client/src/engine/receiving.ts";
import { type Desk, World, spoiled } from "./engine/world.ts";
import type { Talk } from "./engine/talk.ts";

const OTHER = "00000000-0000-4000-8000-000000000001";

/** Alice and bob, with a conversation. */
async function two(
  kind: "direct" | "group" = "direct",
): Promise<[world: World, alice: Desk, bob: Desk, talk: Talk]> {
  const world = new World();
  const alice = await world.desk("alice");
  const bob = await world.desk("bob");
  return [world, alice, bob, await (kind === "group" ? world.group(alice, bob) : world.direct(alice, bob))];
}

test("what is written down twice under one id is one message", async () => {
  const [world, alice, bob, talk] = await two();
  const id = crypto.randomUUID();
  const first = await alice.write(talk, "once", id);
  assert.deepEqual(await alice.write(talk, "once", id), first);
  await alice.pump(talk);
  // Also after it has gone.
  assert.equal((await alice.write(talk, "once", id)).id, first.id);
  await world.settle(talk, alice, bob);
  for (const desk of [alice, bob]) assert.deepEqual(await desk.texts(talk), ["once"]);
  await world.close();
});

for (const kind of ["direct", "group"] as const) {
  test(`what is said in a ${kind} conversation is read, both ways, and nobody is warned`, async () => {
    const [world, alice, bob, talk] = await two(kind);
    for (const text of ["one", "two"]) await alice.say(talk, text);
    await bob.sync(talk);
    await bob.say(talk, "three");
    await world.settle(talk, alice, bob);
    for (const desk of [alice, bob]) {
      assert.deepEqual(await desk.texts(talk), ["one", "two", "three"]);
      assert.deepEqual(await desk.warnings(), []);
    }
    await world.close();
  });

  test(`a message of a ${kind} conversation that could not be opened comes again`, async () => {
    const [world, alice, bob, talk] = await two(kind);
    await alice.say(talk, "one");
    await bob.sync(talk);
    const seq = await alice.say(talk, "two");
    await bob.shown(talk, seq, spoiled(talk, seq, bob));
    await alice.say(talk, "three");
    await world.settle(talk, alice, bob);
    assert.deepEqual((await bob.texts(talk)).sort(), ["one", "three", "two"]);
    assert.deepEqual(
      (await bob.warnings()).filter((one) => !one.startsWith("message_rejected")),
      [],
    );
    await world.close();
  });

  test(`the first messages of a ${kind} conversation, held back, are told with the next one`, async () => {
    const [world, alice, bob, talk] = await two(kind);
    for (const text of ["one", "two", "three"]) await alice.say(talk, text);
    const kept = talk.filed.slice(0, -1).map((one) => one.seq);
    const hidden = kept.filter((seq) => kind === "direct" || talk.at(seq, bob).envelope === null);
    talk.held.set(bob.deviceId, new Set(hidden));
    await bob.sync(talk);
    assert.deepEqual(await bob.texts(talk), ["three"]);
    const missing = (await bob.told()).filter((one) => one["reason"] === "held_back");
    assert.deepEqual(
      missing.map((one) => one["count"]),
      [2],
    );
    await world.close();
  });
}

test("a forged envelope hides no dropped message", async () => {
  const [world, alice, bob, talk] = await two();
  await alice.say(talk, "one");
  await bob.sync(talk);
  const dropped = await alice.say(talk, "two");
  const lie = spoiled(talk, dropped, bob);
  await bob.shown(talk, dropped, { client_id: OTHER, ...lie });
  await alice.say(talk, "three");
  await bob.shown(talk, dropped + 1);
  for (let number = 2; number < 5; number += 1) {
    world.now += 80_000;
    const seq = dropped + number;
    const client_id = `00000000-0000-4000-8000-00000000000${String(number)}`;
    await bob.take(talk.at(dropped, bob, { seq, client_id, ...lie }));
    await bob.run((store) => giveUp(store, world.batch()));
  }
  const warnings = await bob.warnings();
  assert.ok(warnings.includes("messages_lost:unanswered"), warnings.join());
  assert.ok(warnings.includes("messages_missing:held_back"), warnings.join());
  await world.close();
});

test("history wiped or written over by the server's word stays", async () => {
  const [world, alice, bob, talk] = await two();
  const places = [await alice.say(talk, "one"), await alice.say(talk, "two")];
  await bob.sync(talk);
  for (const seq of places) await bob.shown(talk, seq, { content: null, envelope: null, deleted: true });
  assert.deepEqual(await bob.texts(talk), ["one", "two"]);
  const gone = (await bob.told()).filter((one) => one.event === "gone_from_server");
  assert.deepEqual(
    gone.map((one) => one["seq"]),
    places,
  );
  await bob.shown(talk, 1, { client_id: OTHER });
  assert.deepEqual(await bob.warnings(), ["history_rewritten:replaced"]);
  assert.deepEqual(await bob.texts(talk), ["one", "two"]);
  await world.close();
});

test("another history is told at the next message of anybody", async () => {
  const world = new World();
  const [alice, bob, carol] = [await world.desk("alice"), await world.desk("bob"), await world.desk("carol")];
  const talk = await world.group(alice, bob, carol);
  for (const desk of [alice, bob, carol]) {
    await desk.say(talk, "hello");
    await world.settle(talk, alice, bob, carol);
  }
  const seq = await bob.say(talk, "yes");
  await alice.sync(talk);
  await carol.shown(talk, seq, { client_id: OTHER, content: null, kind: "control" });
  await alice.say(talk, "so be it");
  await carol.sync(talk);
  assert.ok((await carol.warnings()).includes("history_differs:another_history"));
  assert.deepEqual([...(await alice.warnings()), ...(await bob.warnings())], []);
  await world.close();
});

test("messages replayed, refiled, reflected or under another kind are refused and told", async () => {
  const [world, alice, bob, talk] = await two();
  const seq = await alice.say(talk, "one");
  await bob.sync(talk);
  await bob.take(talk.at(seq, bob, { seq: seq + 1, client_id: OTHER }));
  const [carol] = [await world.desk("carol")];
  const second = await world.direct(carol, bob);
  await carol.say(second, "to bob");
  await bob.sync(second);
  const next = await alice.say(talk, "two");
  await bob.take(talk.at(next, bob, { seq: next + 1, kind: "control" }));
  assert.deepEqual(await bob.texts(talk), ["one"]);
  const refused = (await bob.warnings()).filter((one) => one.startsWith("message_rejected"));
  assert.ok(refused.length >= 2, refused.join());
  await world.close();
});

test("only its author edits or deletes a message", async () => {
  const [world, alice, bob, talk] = await two();
  const message = await alice.write(talk, "mine");
  await alice.pump(talk);
  await bob.sync(talk);
  const reference = { device_id: alice.deviceId, client_id: message.client_id };
  await bob.forge(talk, { type: "edit", message: reference, text: "not yours" }, alice);
  await bob.forge(talk, { type: "delete", message: reference }, alice);
  await alice.sync(talk);
  assert.deepEqual(await alice.texts(talk), ["mine"]);
  assert.deepEqual(await alice.warnings(), [
    "message_rejected:not_the_author",
    "message_rejected:not_the_author",
  ]);
  await alice.tell(talk, { type: "edit", message: reference, text: "mine, corrected" });
  await bob.sync(talk);
  assert.deepEqual(await bob.texts(talk), ["mine, corrected"]);
  await alice.tell(talk, { type: "delete", message: reference });
  await bob.sync(talk);
  assert.deepEqual(await bob.texts(talk), []);
  await world.close();
});

test("a device that is new hears where the numbers of others stand", async () => {
  const [world, alice, bob, talk] = await two();
  await alice.say(talk, "one");
  await bob.sync(talk);
  const phone = await world.desk("bob", bob.user);
  await phone.know(talk, alice.user);
  await alice.say(talk, "two");
  await world.settle(talk, alice, bob, phone);
  assert.deepEqual(await phone.texts(talk), ["two"]);
  assert.deepEqual(await phone.warnings(), []);
  await world.close();
});

test("a server that lists a third one in a direct conversation has nothing encrypted to it", async () => {
  const [world, alice, bob, talk] = await two();
  const mallory = await world.desk("mallory");
  talk.users = [...talk.users, mallory.user];
  const seq = await alice.say(talk, "for bob alone");
  assert.equal(talk.at(seq, mallory).envelope, null);
  await bob.sync(talk);
  assert.deepEqual(await bob.texts(talk), ["for bob alone"]);
  assert.deepEqual(await alice.warnings(), ["audience_refused:not_in_audience"]);
  await world.close();
});

test("an expired message leaves the store and is sent to nobody again", async () => {
  const [world, alice, bob, talk] = await two();
  await alice.run((store) => store.conversations.set(talk.conversationId, { expires_in: 60 }));
  const seq = await alice.say(talk, "burn after reading");
  await bob.shown(talk, seq, spoiled(talk, seq, bob));
  await bob.pump(talk);
  await alice.sync(talk); // asked for again: the answer waits in the outbox
  world.now += 61;
  assert.deepEqual(await alice.texts(talk), []);
  assert.equal(await alice.run((store) => store.outbox.count()), 0);
  await world.close();
});

for (const kind of ["direct", "group"] as const) {
  test(`damaged sessions and chains of a ${kind} conversation are told, begun anew, and lose nothing`, async () => {
    const [world, alice, bob, talk] = await two(kind);
    await alice.say(talk, "before");
    await bob.sync(talk);
    await bob.say(talk, "before, too");
    await world.settle(talk, alice, bob);
    const damaged: string[] = [];
    for (const desk of [alice, bob]) {
      desk.vault.onDamaged = (error) => damaged.push(error.table);
      const unread = { toBytes: () => Uint8Array.of(0) };
      const other = desk === alice ? bob : alice;
      const chain = `${talk.conversationId}/${other.deviceId}`;
      await desk.run((store) => {
        const sessions = PeerSessions.none(other.user.userId, other.deviceId);
        store.states.save(other.deviceId, Object.assign(sessions, unread));
        const chains = ReceivedChains.none(talk.conversationId, other.user.userId, other.deviceId);
        if (kind === "group") store.states.save(chain, Object.assign(chains, unread));
      });
      await desk.run((store) => {
        store.states.forget();
      });
    }
    await alice.say(talk, "after");
    await bob.say(talk, "after, too");
    await world.settle(talk, alice, bob);
    for (const desk of [alice, bob]) {
      assert.deepEqual((await desk.texts(talk)).sort(), ["after", "after, too", "before", "before, too"]);
      const others = (await desk.warnings()).filter((one) => !one.startsWith("message_rejected"));
      assert.deepEqual(others, []);
    }
    assert.ok(damaged.length >= 2 && damaged.every((one) => one === "states"));
    await world.close();
  });
}

test("damaged pins, numbers and keys stop whoever asks for them, by name", async () => {
  const [world, alice, bob, talk] = await two();
  await alice.say(talk, "before");
  await bob.sync(talk);
  await bob.run(async (store) => {
    const known = await store.known(alice.user.userId);
    store.states.save(alice.user.userId, Object.assign(known, { toBytes: () => Uint8Array.of(0) }));
  });
  await bob.run((store) => {
    store.states.forget();
  });
  const seq = await alice.say(talk, "after");
  await assert.rejects(bob.take(talk.at(seq, bob)), { name: "DamagedRecord" });
  assert.deepEqual(await bob.texts(talk), ["before"]);
  await world.close();
});
