/** Warnings stand until they are dealt with, and drafts are kept. On real stores, by the engine's own rules. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { Feed } from "../../messenger/web/client/src/engine/feed.ts";
import { learn } from "../../messenger/web/client/src/engine/directory.ts";
import { settleWarning, warnings } from "../../messenger/web/client/src/engine/standing.ts";
import { Vault } from "../../messenger/web/client/src/engine/vault.ts";
import { AccountKey } from "../../messenger/web/client/src/e2e/account.ts";
import { Database } from "../../messenger/web/client/src/store/database.ts";
import { STEPS } from "../../messenger/web/client/src/store/schema.ts";
import { MOST_STANDING } from "../../messenger/web/client/src/store/standing.ts";
import { World } from "./engine/world.ts";
import { NOW, TALK, again, freshName, onDisk, profile, rows } from "./store/world.ts";

const [BEN, CLEO] = [crypto.randomUUID(), crypto.randomUUID()];

const rejected = (user_id: string, reason = "replayed") => ({
  ...{ event: "message_rejected", conversation_id: TALK, user_id, username: "ben", device_id: null },
  ...{ seq: 7, reason, detail: "It came twice." },
});

function told(vault: Vault, ...events: readonly { readonly event: string }[]): Promise<void> {
  return vault.run(async (store) => {
    for (const one of events) await store.tell(one);
  });
}

test("a warning stands over restarts until it is dealt with, and counts what is told again", async () => {
  const { name, vault } = await profile();
  await told(vault, rejected(BEN), rejected(CLEO), { ...rejected(BEN), ...{ seq: 9, detail: "Once more." } });
  await told(vault, { event: "message_sent" });
  const later = await again(name, vault);
  const standing = await warnings({ vault: later });
  assert.deepEqual(
    standing.map((one) => [one.user_id, one.times, one.seq, one.detail, one.refuses]),
    [
      [BEN, 2, 9, "Once more.", false],
      [CLEO, 1, 7, "It came twice.", false],
    ],
  );
  assert.deepEqual([standing[0]?.first_at, standing[0]?.last_at], [NOW, NOW]);
  await settleWarning({ vault: later }, standing[0]?.id ?? 0);
  await settleWarning({ vault: later }, 4_711);
  const rest = await again(name, later);
  assert.deepEqual(
    (await warnings({ vault: rest })).map((one) => one.user_id),
    [CLEO],
  );
  // What happens anew is told anew.
  await told(rest, rejected(BEN));
  assert.deepEqual(
    (await warnings({ vault: rest })).map((one) => [one.user_id, one.times]),
    [
      [CLEO, 1],
      [BEN, 1],
    ],
  );
  await rest.close();
});

test("the page hears when other warnings stand, and not of what was undone", async () => {
  const { vault } = await profile();
  const events = new Feed(vault).events();
  await told(vault, rejected(BEN));
  assert.equal((await events.next()).value?.event, "message_rejected");
  assert.equal((await events.next()).value?.event, "warnings_changed");
  const undone = vault.run(async (store) => {
    await store.tell(rejected(CLEO));
    throw new Error("undone");
  });
  await assert.rejects(undone, { message: "undone" });
  const [only, ...more] = await warnings({ vault });
  assert.deepEqual([only?.user_id, more.length], [BEN, 0]);
  await settleWarning({ vault }, only?.id ?? 0);
  const { value } = await events.next();
  assert.equal(value?.event, "warnings_changed");
  await vault.close();
});

test("a flood of one kind stays bounded, and hides no other", async () => {
  const { vault } = await profile();
  await told(vault, { ...rejected(BEN), event: "history_rewritten" });
  for (let count = 0; count < 3; count += 1) {
    await vault.run(async (store) => {
      for (let number = 0; number < MOST_STANDING / 2; number += 1)
        await store.tell(rejected(crypto.randomUUID()));
    });
  }
  const standing = await warnings({ vault });
  assert.equal(standing.length, MOST_STANDING);
  assert.equal(standing[0]?.event, "history_rewritten");
  await vault.close();
});

test("a warning that is damaged on the disk holds nothing up", async () => {
  const { name, vault } = await profile();
  await told(vault, rejected(BEN), rejected(CLEO));
  await vault.close();
  const [row] = await rows(name, "warnings");
  assert.ok(row !== undefined);
  const sealed = row.sealed.map((byte, at) => (at === 20 ? byte ^ 1 : byte));
  await onDisk(name, "warnings", (store) => store.put({ ...row, sealed }));
  const opened = await Vault.open(name, null, () => NOW);
  const damaged: string[] = [];
  opened.onDamaged = ({ table }) => damaged.push(table);
  await told(opened, rejected(BEN));
  assert.deepEqual(
    (await warnings({ vault: opened })).map((one) => one.user_id),
    [CLEO, BEN],
  );
  assert.ok(damaged.includes("warnings"));
  await opened.close();
});

test("nothing of a warning or a draft lies on the disk in the clear", async () => {
  const { name, vault } = await profile();
  await told(vault, rejected(BEN, "very-special-reason"));
  await vault.run((store) => {
    store.drafts.keep(TALK, "a secret plan", NOW);
  });
  await vault.close();
  for (const table of ["warnings", "drafts"] as const) {
    const raw = JSON.stringify(await rows(name, table), (_, one: unknown) =>
      one instanceof Uint8Array ? new TextDecoder("latin1").decode(one) : one,
    );
    assert.ok(raw.length > 50);
    for (const secret of [BEN, TALK, "very-special-reason", "message_rejected", "a secret plan"]) {
      assert.ok(!raw.includes(secret), `${table}: ${secret}`);
    }
  }
});

test("an identity that is refused stands until it is accepted, and one that was accepted is dealt with", async () => {
  const world = new World();
  const [alice, bob] = [await world.desk("alice"), await world.desk("bob")];
  const talk = await world.direct(alice, bob);
  const { userId } = bob.user;
  await alice.learn(userId);
  const mark = (isVerified: boolean): Promise<void> =>
    alice.run(async (store) => {
      const known = await store.known(userId);
      known.setVerified(isVerified);
      store.states.save(userId, known);
    });
  await mark(true);
  bob.user.account = AccountKey.create();
  await alice.learn(userId);
  const [only] = await warnings(alice, talk.conversationId);
  assert.ok(only !== undefined);
  assert.deepEqual(
    [only.event, only.refuses, only.was_verified, only.username],
    ["identity_changed", true, true, "bob"],
  );
  await assert.rejects(settleWarning(alice, only.id), { name: "StillStands", code: "still_stands" });
  assert.equal((await warnings(alice)).length, 1);
  await alice.run(async (store) => {
    const known = await store.known(userId);
    if (known.refusedKey !== null) known.acceptAccountKey(known.refusedKey);
    store.states.save(userId, known);
  });
  assert.equal((await warnings(alice))[0]?.refuses, false);
  await settleWarning(alice, only.id);
  assert.deepEqual(await warnings(alice), []);
  await world.close();
});

test("in a conversation those are shown that are of it, or of whom it is with", async () => {
  const world = new World();
  const [alice, bob, carol] = [await world.desk("alice"), await world.desk("bob"), await world.desk("carol")];
  const [talk, other] = [await world.direct(alice, bob), await world.direct(alice, carol)];
  const at = {
    conversation_id: null,
    username: null,
    device_id: null,
    seq: null,
    reason: "forged",
    detail: "No.",
  };
  await told(
    alice.vault,
    { event: "keys_refused", ...at, user_id: bob.user.userId } as { event: string },
    { ...rejected(CLEO), conversation_id: other.conversationId } as { event: string },
  );
  const kinds = async (id?: string): Promise<string[]> => (await warnings(alice, id)).map((one) => one.event);
  assert.deepEqual(await kinds(talk.conversationId), ["keys_refused"]);
  assert.deepEqual(await kinds(other.conversationId), ["message_rejected"]);
  assert.deepEqual(await kinds(), ["keys_refused", "message_rejected"]);
  await world.close();
});

test("a device that wants in stands for as long as it does", async () => {
  const world = new World();
  const alice = await world.desk("alice");
  const { user } = alice;
  const [one, other] = [crypto.randomUUID(), crypto.randomUUID()];
  const say = (...pending: readonly string[]): Promise<void> => {
    const waiting = pending.map((device_id) => ({
      ...{ device_id, identity_key: new Uint8Array(32), device_name: null },
      created_at: "2027-01-15T08:00:00.000Z",
    }));
    return alice.run((store) =>
      learn(store, user.userId, { ...user.identities(), pending: waiting }, "warn", world.now),
    );
  };
  await say(one, other);
  assert.deepEqual(
    (await warnings(alice)).map((warning) => warning.device_id),
    [one, other],
  );
  await say(other);
  assert.deepEqual(
    (await warnings(alice)).map((warning) => warning.device_id),
    [other],
  );
  await say();
  assert.deepEqual(await warnings(alice), []);
  await world.close();
});

test("a draft is kept over restarts, and is none any more once it was written down", async () => {
  const { name, vault } = await profile();
  const keep = (where: Vault, said: string): Promise<void> =>
    where.run((store) => {
      store.drafts.keep(TALK, said, NOW);
    });
  await keep(vault, "hel");
  await keep(vault, "hello");
  const later = await again(name, vault);
  assert.deepEqual(await later.run((store) => store.drafts.all()), [
    { conversation_id: TALK, text: "hello", changed_at: NOW },
  ]);
  await keep(later, "");
  assert.equal(await later.run((store) => store.drafts.get(TALK)), undefined);
  await later.close();
  const world = new World();
  const [alice, bob] = [await world.desk("alice"), await world.desk("bob")];
  const talk = await world.direct(alice, bob);
  await alice.run((store) => {
    store.drafts.keep(talk.conversationId, "hello", NOW);
  });
  await alice.write(talk, "hello");
  assert.deepEqual(await alice.run((store) => store.drafts.all()), []);
  await world.close();
});

test("a store of the first version gets what is new, and loses nothing", async () => {
  const name = freshName();
  const old = await Database.open(name, true, STEPS.slice(0, 1));
  await old.setKeyRow({ kept: true }, true);
  old.close();
  const opened = await Database.open(name, false);
  assert.deepEqual(await opened.keyRow(), { kept: true });
  for (const table of ["messages", "warnings", "drafts"]) {
    assert.deepEqual(await opened.keys({ table, range: { lower: 0 } }), []);
  }
  opened.close();
});
