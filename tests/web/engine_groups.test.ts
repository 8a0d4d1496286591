/** Groups by their rosters: who may read, write and change them, whatever the server says. On real stores. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { takeChange } from "../../messenger/web/client/src/engine/changes.ts";
import { MOMENT } from "./engine/talk.ts";
import { World } from "./engine/world.ts";

test("who was removed reads nothing that is said afterwards, though the server lists it", async () => {
  const world = new World();
  const [alice, bob, carol] = [await world.desk("alice"), await world.desk("bob"), await world.desk("carol")];
  const talk = await world.group(alice, bob, carol);
  await alice.say(talk, "to all");
  await world.settle(talk, alice, bob, carol);
  await alice.change(talk, [], [carol.user]);
  await alice.pump(talk);
  await alice.say(talk, "without carol");
  await world.settle(talk, alice, bob, carol);
  assert.deepEqual(await bob.texts(talk), ["to all", "without carol"]);
  assert.deepEqual(await carol.texts(talk), ["to all"]);
  assert.deepEqual(await bob.roster(talk), ["alice", "bob"]);
  // What carol asks for is refused, and told.
  assert.deepEqual([...new Set(await alice.warnings())], ["message_rejected:not_in_audience"]);
  await world.close();
});

test("a newcomer takes the roster from who adds it, and reads from then on", async () => {
  const world = new World();
  const [alice, bob] = [await world.desk("alice"), await world.desk("bob")];
  const talk = await world.group(alice, bob);
  await alice.say(talk, "before");
  await world.settle(talk, alice, bob);
  const carol = await world.desk("carol");
  await alice.change(talk, [world.entry(carol.user)]);
  await alice.pump(talk);
  talk.users = [...talk.users, carol.user];
  const first = talk.filed.length + 1;
  await alice.say(talk, "welcome");
  await bob.sync(talk);
  await bob.say(talk, "hello carol");
  for (const desk of [alice, bob]) await desk.sync(talk);
  await carol.know(talk);
  for (let seq = first; seq <= talk.filed.length; seq += 1) await carol.shown(talk, seq);
  await world.settle(talk, alice, bob, carol);
  assert.deepEqual(await carol.texts(talk), ["welcome", "hello carol"]);
  for (const desk of [alice, bob, carol]) {
    assert.deepEqual(await desk.roster(talk), ["alice", "bob", "carol"]);
    assert.deepEqual(await desk.warnings(), []);
  }
  await world.close();
});

test("who was removed and added again while away hears of no places that were never its own", async () => {
  const world = new World();
  const [alice, bob, dave] = [await world.desk("alice"), await world.desk("bob"), await world.desk("dave")];
  const talk = await world.group(alice, bob, dave);
  for (const desk of [alice, bob, dave]) {
    await desk.say(talk, "hello");
    await world.settle(talk, alice, bob, dave);
  }
  const seen = talk.filed.length;
  await alice.change(talk, [], [dave.user]);
  await alice.pump(talk);
  talk.users = [alice.user, bob.user];
  await world.settle(talk, alice, bob);
  for (const desk of [alice, bob]) {
    await desk.say(talk, "without him");
    await world.settle(talk, alice, bob);
  }
  await alice.change(talk, [world.entry(dave.user)]);
  await alice.pump(talk);
  talk.users = [alice.user, bob.user, dave.user];
  const place = talk.filed.length;
  const away = talk.filed.map((one) => one.seq).filter((seq) => seq > seen);
  talk.held.set(dave.deviceId, new Set(away));
  const added = {
    change: 9,
    at_seq: place,
    created_at: MOMENT,
    actor_id: alice.user.userId,
  } as const;
  await dave.run((store) =>
    takeChange(store, talk.conversationId, {
      ...added,
      event: "member_added",
      user_id: dave.user.userId,
    }),
  );
  assert.equal(
    await dave.run(async (store) => (await store.conversations.get(talk.conversationId))?.place),
    place,
  );
  await bob.sync(talk);
  await bob.say(talk, "welcome");
  await alice.say(talk, "back");
  await world.settle(talk, alice, bob, dave);
  assert.deepEqual((await dave.texts(talk)).slice(-2), ["welcome", "back"]);
  // It has no word but the server's for its absence: of each sender numbers are missing.
  assert.deepEqual([...new Set(await dave.warnings())], ["messages_missing:held_back"]);
  await world.close();
});

test("of two changes at once the one with the lower place counts, and the other is done again", async () => {
  const world = new World();
  const [alice, bob, carol, dave] = [
    await world.desk("alice"),
    await world.desk("bob"),
    await world.desk("carol"),
    await world.desk("dave"),
  ];
  const talk = await world.group(alice, bob, carol, dave);
  await alice.change(talk, [world.entry(bob.user, "admin")]);
  await alice.pump(talk);
  await world.settle(talk, alice, bob, carol, dave);
  await alice.change(talk, [], [carol.user]);
  await bob.change(talk, [], [dave.user]);
  await bob.pump(talk);
  await alice.pump(talk);
  await world.settle(talk, alice, bob);
  for (const desk of [alice, bob]) {
    assert.deepEqual(await desk.roster(talk), ["alice", "bob"]);
    assert.deepEqual(await desk.warnings(), []);
  }
  await world.close();
});

test("a member may not change the roster", async () => {
  const world = new World();
  const [alice, bob, carol] = [await world.desk("alice"), await world.desk("bob"), await world.desk("carol")];
  const talk = await world.group(alice, bob, carol);
  await assert.rejects(bob.change(talk, [], [carol.user]), {
    name: "RosterRefused",
  });
  const roster = {
    type: "roster",
    version: 9,
    members: [world.entry(bob.user, "owner")],
  } as const;
  await bob.forge(talk, { ...roster, members: [...roster.members] }, alice);
  await alice.sync(talk);
  assert.deepEqual(await alice.roster(talk), ["alice", "bob", "carol"]);
  assert.deepEqual(await alice.warnings(), ["roster_differs:roster_refused"]);
  await world.close();
});

test("content that comes pairwise in a group is refused", async () => {
  const world = new World();
  const [alice, bob] = [await world.desk("alice"), await world.desk("bob")];
  const talk = await world.group(alice, bob);
  await alice.say(talk, "one");
  await world.settle(talk, alice, bob);
  await alice.forge(talk, { type: "text", text: "for you alone" }, bob, "text");
  await bob.sync(talk);
  assert.deepEqual(await bob.texts(talk), ["one"]);
  assert.deepEqual(await bob.warnings(), ["message_rejected:malformed"]);
  await world.close();
});

test("whom only the server adds is encrypted to by nobody, and told once", async () => {
  const world = new World();
  const [alice, bob] = [await world.desk("alice"), await world.desk("bob")];
  const talk = await world.group(alice, bob);
  const mallory = await world.desk("mallory");
  talk.users = [...talk.users, mallory.user];
  for (const text of ["one", "two"]) await alice.say(talk, text);
  await world.settle(talk, alice, bob);
  await mallory.know(talk);
  await mallory.sync(talk);
  assert.deepEqual(await mallory.texts(talk), []);
  assert.deepEqual(await bob.texts(talk), ["one", "two"]);
  assert.deepEqual(await alice.warnings(), ["audience_refused:not_in_audience"]);
  await world.close();
});

test("what comes before the roster waits for it", async () => {
  const world = new World();
  const [alice, bob] = [await world.desk("alice"), await world.desk("bob")];
  const talk = await world.group(alice, bob);
  const phone = await world.desk("bob", bob.user);
  await phone.know(talk);
  await alice.say(talk, "one");
  const rosters = talk.filed.filter(
    (one) => one.draft.envelopes?.some(({ device_id }) => device_id === phone.deviceId) === true,
  );
  const [handed] = rosters;
  assert.ok(handed);
  talk.held.set(phone.deviceId, new Set([handed.seq]));
  await phone.sync(talk);
  assert.deepEqual(await phone.texts(talk), []);
  talk.held.clear();
  await phone.shown(talk, handed.seq);
  await world.settle(talk, alice, bob, phone);
  assert.deepEqual(await phone.texts(talk), ["one"]);
  await world.close();
});
