/** The store's tables: what each answers, within a piece of work and after it. In Node, and in a browser as they are. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeBody } from "../../messenger/web/client/src/e2e/bodies.ts";
import { DeviceKeys, SentMessage, newPayload } from "../../messenger/web/client/src/e2e/index.ts";
import { type Settled, Vault } from "../../messenger/web/client/src/engine/vault.ts";
import { MOST_ANSWERED, MOST_TRIES } from "../../messenger/web/client/src/store/history.ts";
import { TAKEN_KEPT } from "../../messenger/web/client/src/store/journal.ts";
import { PLACES_KEPT } from "../../messenger/web/client/src/store/places.ts";
import { ALICE, NOW, PHONE, TALK, freshName, message, profile, said } from "./store/world.ts";

const LAPTOP = "a1111111-0000-4000-8000-000000000003";
const BOB = "b1111111-0000-4000-8000-000000000001";
const SECONDS = NOW / 1_000;

test("messages: history by pages, places, unread, edits, deletions", async () => {
  const { vault } = await profile();
  await vault.run(async ({ messages }) => {
    for (let number = 1; number <= 25; number += 1) await messages.add(message(number));
    await messages.add(
      message(30, { seq: null, outgoing: true, state: "queued", reply_to: message(3).client_id }),
    );
    await messages.add(message(40, { conversation_id: "another", seq: 1 }));
  });
  await vault.run(async ({ messages }) => {
    const latest = await messages.history(TALK, 10);
    assert.deepEqual(
      latest.map((one) => one.seq),
      [17, 18, 19, 20, 21, 22, 23, 24, 25, null],
    );
    const page = await messages.history(TALK, 10, latest[0]?.id);
    assert.deepEqual(
      page.map((one) => one.seq),
      [7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    );
    assert.deepEqual(await messages.history(TALK, 10, 999), []);
    assert.equal((await messages.at(TALK, 7))?.id, 7);
    assert.equal((await messages.replied(TALK, latest.at(-1)?.reply_to ?? ""))?.seq, 3);
    assert.equal(await messages.unread(TALK, 20), 5);
    await messages.erase(25);
    assert.equal(await messages.unread(TALK, 20), 4);
    assert.equal(await messages.edit(24, "another text", 26), true);
    assert.equal(await messages.edit(24, "an older text", 25), false);
    await messages.placed(26, 26, "2027-01-15T08:00:02.000Z");
    await messages.moved(23, 27);
    await messages.addDeleted(message(24), ALICE, 24, "2027-01-15T08:00:00.000Z");
    await messages.addDeleted(message(50), ALICE, null, "2027-01-15T08:00:00.000Z");
  });
  await vault.run(async ({ messages }) => {
    const last = await messages.history(TALK, 5);
    assert.deepEqual(
      last.map((one) => [one.seq, one.text, one.state]),
      [
        [24, "another text", "received"],
        [25, "", "deleted"],
        [26, "what was said 30", "sent"],
        [27, "what was said 23", "received"],
        [null, "", "deleted"],
      ],
    );
    assert.equal((await messages.find(message(23)))?.seq, 27);
    assert.deepEqual(
      (await messages.after(24, 2)).map((one) => one.id),
      [25, 26],
    );
  });
  await vault.close();
});

test("what has expired is gone before anything reads it, and what waits is kept until it was sent", async () => {
  const name = freshName();
  let now = NOW;
  const vault = await Vault.create(name, null, () => now);
  const expires_at = new Date(NOW + 60_000).toISOString();
  await vault.run(async ({ messages }) => {
    await messages.add(message(1, { expires_at, expires_in: 60 }));
    await messages.add(message(2, { seq: null, outgoing: true, state: "queued", expires_at }));
    await messages.add(message(3));
  });
  const texts = (): Promise<string[]> =>
    vault.run(async ({ messages }) => (await messages.after(0, 10)).map((one) => one.text));
  assert.equal((await texts()).includes(""), false);
  now += 60_000;
  assert.deepEqual(await texts(), ["", "what was said 2", "what was said 3"]);
  await vault.run(({ messages }) => messages.placed(2, 2, "2027-01-15T08:01:00.000Z"));
  assert.deepEqual(await texts(), ["", "", "what was said 3"]);
  // What was to be taken away when a transaction failed is taken away by the next.
  const later = new Date(now + 60_000).toISOString();
  await vault.run(({ messages }) => messages.add(message(4, { expires_at: later })));
  now += 60_000;
  const failed = vault.run(() => {
    throw new Error("no");
  });
  await assert.rejects(failed, /no/);
  assert.deepEqual(await texts(), ["", "", "what was said 3", ""]);
  await vault.close();
});

test("the outbox: what was sealed goes first, then what is for some, then in order", async () => {
  const { vault } = await profile();
  const target = { user_id: BOB, device_id: LAPTOP, identity_key: new Uint8Array(32) };
  const add = (clientId: string, more = {}): Promise<void> =>
    vault.run(({ outbox }) => {
      const about = { conversation_id: TALK, kind: "text", body: "{}", sent_at: "2027-01-15T08:00:00.000Z" };
      return outbox.add({ client_id: clientId, ...about, ...more });
    });
  await add("first");
  await add("second");
  await add("to some", { targets: [target], kind: "control" });
  await add("elsewhere", { conversation_id: "another" });
  await vault.run(async ({ outbox, history }) => {
    assert.equal((await outbox.first(TALK))?.client_id, "to some");
    await outbox.sealed("second", 7, new Uint8Array([1]), [LAPTOP]);
    assert.equal((await outbox.first(TALK))?.client_id, "second");
    await outbox.unseal("second");
    assert.deepEqual(await outbox.waiting(TALK), ["to some"]);
    assert.deepEqual((await outbox.conversations()).sort(), ["another", TALK].sort());
    assert.equal(await outbox.count(), 4);
    await outbox.remove("to some");
    assert.equal((await outbox.first(TALK))?.client_id, "first");
    await outbox.sealed("first", 8, new Uint8Array([2]), [LAPTOP]);
    await outbox.tried("first");
    const queued = await outbox.get("first");
    assert.ok(queued);
    assert.equal(queued.attempts, 1);
    await outbox.remove("first");
    await history.keep(queued, SECONDS);
  });
  // The server's database is replaced: what was answered for goes out again, before what was written after it.
  await vault.run(async ({ outbox, history }) => {
    assert.deepEqual(
      (await history.answered()).map((one) => one.client_id),
      ["first"],
    );
    await history.sendAgain("first", "{}");
    const queued = await outbox.first(TALK);
    assert.deepEqual([queued?.client_id, queued?.again, queued?.position], ["first", 1, 1]);
    assert.deepEqual(await history.answered(), []);
    assert.ok(queued);
    await history.keep({ ...queued, again: MOST_TRIES }, SECONDS);
    assert.deepEqual(await history.answered(), []);
  });
  await vault.run(async ({ outbox }) => {
    assert.equal((await outbox.first(TALK))?.client_id, "first");
    await outbox.remove("first");
    await outbox.remove("second");
    assert.equal(await outbox.first(TALK), undefined);
  });
  await vault.close();
});

test("what was answered for is kept for a while, within bounds", async () => {
  const { vault } = await profile();
  await vault.run(async ({ outbox, history }) => {
    const about = { conversation_id: TALK, kind: "text", body: "{}", sent_at: "2027-01-15T08:00:00.000Z" };
    await outbox.add({ client_id: "model", ...about });
    const queued = await outbox.get("model");
    assert.ok(queued);
    const positions = Array.from({ length: MOST_ANSWERED + 20 }, (_, at) => at + 1);
    await Promise.all(
      positions.map((position) => {
        const one = { ...queued, position, client_id: String(position), draft: new Uint8Array(10) };
        return history.keep(one, SECONDS + Math.min(position, 10));
      }),
    );
    const big = { ...queued, position: 5_000, client_id: "big", draft: new Uint8Array((16 << 20) - 50) };
    await history.keep(big, SECONDS + 10);
  });
  const kept = (): Promise<string[]> =>
    vault.run(async ({ history }) => (await history.answered()).map((one) => one.client_id));
  await vault.run(({ history }) => history.prune(SECONDS + 10));
  assert.deepEqual(await kept(), ["1016", "1017", "1018", "1019", "1020", "big"]);
  await vault.close();
});

test("places: who wrote, holes, doubts that end", async () => {
  const { vault } = await profile();
  await vault.run(async ({ places, conversations }) => {
    await conversations.take(said());
    for (const seq of [1, 2, 5, 6]) await places.put(message(seq), seq, SECONDS + seq);
    await places.put(message(9), 6, SECONDS);
    await conversations.set(TALK, { place: 6 });
  });
  await vault.run(async ({ places, history }) => {
    assert.equal((await places.at(TALK, 6))?.client_id, message(6).client_id);
    assert.deepEqual(await places.holes(TALK, 0, 8), [3, 4, 7]);
    assert.equal(await places.of(message(5)), 5);
    assert.equal(await history.doubt(TALK, SECONDS + 2, SECONDS + 100), 2);
    assert.equal(await places.at(TALK, 5), undefined);
    assert.deepEqual(await history.doubted(TALK, 5), [2, 5]);
    assert.equal(await history.cameBefore(message(5)), true);
    assert.equal(await history.cameBefore(message(5)), false);
    await history.endDoubts(SECONDS + 99);
    assert.deepEqual(await history.doubted(TALK, 9), [2, 6]);
    await history.endDoubts(SECONDS + 100);
    assert.deepEqual(await history.doubted(TALK, 9), []);
    assert.deepEqual(
      (await places.between(TALK, 1, 9)).map((one) => one.seq),
      [1, 2, 6],
    );
    // What is far behind is forgotten.
    await places.put(message(7), PLACES_KEPT + 2_000, SECONDS);
    assert.equal(await places.at(TALK, 6), undefined);
  });
  await vault.close();
});

test("the journal: what was taken is kept for a while, and positions rise for ever", async () => {
  const { vault } = await profile();
  await vault.run(async (store) => {
    const id = await store.messages.add(message(1));
    const stored = await store.messages.get(id);
    assert.ok(stored);
    await store.tell({ event: "message_received", message: stored });
    for (let count = 0; count < 3; count += 1)
      await store.tell({ event: "device_waiting", device_id: LAPTOP });
  });
  await vault.run(async ({ journal, messages }) => {
    await messages.edit(1, "another text", 2);
    const [first, second] = await journal.after(0, 2);
    // A text lies in one place.
    assert.deepEqual([first?.position, first?.message?.text], [1, "another text"]);
    assert.deepEqual([second?.position, second?.["device_id"]], [2, LAPTOP]);
    await journal.setHandled(TAKEN_KEPT + 4);
    assert.equal(await journal.handled(), TAKEN_KEPT + 4);
    assert.deepEqual(await journal.after(0, 9), []);
    assert.equal(await journal.add({ event: "device_approved" }), 5);
  });
  await vault.close();
});

test("conversations, members and people", async () => {
  const { vault } = await profile();
  await vault.run(async ({ conversations, people }) => {
    assert.equal(await conversations.take(said()), true);
    assert.equal(await conversations.take(said("another", "self")), true);
    assert.equal(await conversations.take({ ...said(), read_seq: 4, role: "member" }), false);
    await conversations.take(said());
    await conversations.touch(TALK, 10);
    await conversations.touch(TALK, 5);
    const member = { role: "owner", joined_at: "2027-01-15T08:00:00.000Z", delivered_seq: 3, read_seq: 1 };
    await conversations.takeMembers(TALK, [
      { user_id: ALICE, ...member },
      { user_id: BOB, ...member, role: "member", joined_at: "2027-01-15T09:00:00.000Z" },
    ]);
    people.put(ALICE, "alice");
    people.put(BOB, "bob");
  });
  await vault.run(async ({ conversations, people }) => {
    const found = await conversations.get(TALK);
    assert.deepEqual(
      [found?.read_seq, found?.role, found?.activity, found?.next_number],
      [4, "owner", 10, 1],
    );
    assert.deepEqual(
      (await conversations.shown()).map((one) => one.conversation_id),
      [TALK],
    );
    assert.deepEqual(
      (await conversations.members(TALK)).map((one) => one.user_id),
      [ALICE, BOB],
    );
    assert.deepEqual(await conversations.leaders(TALK), [ALICE]);
    assert.equal(await conversations.receipt(TALK, BOB, "read", 2), true);
    assert.equal(await conversations.receipt(TALK, BOB, "read", 2), false);
    await conversations.dropMember(TALK, ALICE);
    assert.deepEqual(await conversations.withMember(ALICE), []);
    assert.deepEqual(await conversations.withMember(BOB), [TALK]);
    assert.equal((await conversations.members(TALK, true)).length, 2);
    assert.equal(await people.name(null), "");
    assert.equal(await people.name(LAPTOP), LAPTOP);
    assert.equal(await people.userNamed("bob"), BOB);
    assert.deepEqual(await people.nameless([LAPTOP, BOB, LAPTOP]), [LAPTOP]);
  });
  await vault.close();
});

test("of a message that is taken away nothing is left for who asks for it again", async () => {
  const { vault } = await profile();
  const settled: Settled[] = [];
  vault.onSettled = (one) => settled.push(one);
  const keys = DeviceKeys.create(ALICE, PHONE, SECONDS);
  const ids = [1, 2].map((number) => message(number).client_id) as [string, string];
  await vault.run(async ({ states, outbox }) => {
    const about = { conversation_id: TALK, kind: "text", number: 1, sent_at: "2027-01-15T08:00:00.000Z" };
    const [said1, edit] = [
      newPayload(keys, { ...about, client_id: ids[0] }, { type: "text", text: "a secret" }),
      newPayload(
        keys,
        { ...about, client_id: ids[1] },
        { type: "edit", message: { device_id: PHONE, client_id: ids[0] }, text: "a secret, edited" },
      ),
    ];
    for (const payload of [said1, edit]) {
      const sent = SentMessage.of(payload, [LAPTOP]);
      states.save(payload.client_id, sent);
      const target = { user_id: BOB, device_id: LAPTOP, identity_key: new Uint8Array(32) };
      const queued = { conversation_id: TALK, kind: "control", sent_at: about.sent_at, targets: [target] };
      await outbox.add({
        client_id: `again ${payload.client_id}`,
        ...queued,
        body: encodeBody(sent.again(LAPTOP, TALK)),
      });
    }
    await outbox.sealed(`again ${ids[1]}`, 0, new Uint8Array([1]), [LAPTOP]);
  });
  await vault.run((store) => store.forgetSent(ids[0], true));
  await vault.run(async ({ states, outbox }) => {
    assert.deepEqual(await states.keys(SentMessage), []);
    assert.equal(await outbox.get(`again ${ids[0]}`), undefined);
    const sealed = await outbox.get(`again ${ids[1]}`);
    assert.equal(sealed?.body.includes("resend_request"), true);
  });
  assert.deepEqual(settled, [{ clientId: `again ${ids[0]}` }]);
  await vault.close();
});
