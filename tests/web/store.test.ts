/** The store's rules: sealed, whole or not at all, one writer, named errors. In Node, and in a browser as they are. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { AccountKey } from "../../messenger/web/client/src/e2e/account.ts";
import { Progress } from "../../messenger/web/client/src/e2e/index.ts";
import { Vault } from "../../messenger/web/client/src/engine/vault.ts";
import { Database } from "../../messenger/web/client/src/store/database.ts";
import { errors } from "../../messenger/web/client/src/store/index.ts";
import { askToPersist } from "../../messenger/web/client/src/store/persisting.ts";
import { STEPS } from "../../messenger/web/client/src/store/schema.ts";
import { hex, utf8, utf8Text } from "../../messenger/web/client/src/wire/bytes.ts";
import {
  ALICE,
  NOW,
  PHONE,
  type Stored,
  TABLES,
  TALK,
  again,
  freshName,
  fullAfter,
  message,
  onDisk,
  profile,
  rows,
  said,
} from "./store/world.ts";

/** One record or more in each table. */
async function fill(vault: Vault): Promise<void> {
  await vault.run(async (store) => {
    store.account.set("user_id", ALICE);
    store.account.set("tokens", "a secret token");
    store.states.save(`${TALK}/${PHONE}`, Progress.none());
    store.people.put(ALICE, "alice.cooper");
    await store.conversations.take(said());
    await store.conversations.set(TALK, { title: "a title" });
    await store.conversations.putMember(TALK, ALICE, "owner", "2027-01-15T08:00:00.000Z");
    for (const number of [1, 2]) {
      const one = message(number);
      await store.places.put(one, number, NOW / 1_000);
      await store.messages.add(one);
      await store.outbox.add({
        client_id: one.client_id,
        conversation_id: TALK,
        kind: "text",
        body: '{"type":"text","text":"what is queued"}',
        sent_at: one.sent_at,
      });
      await store.tell({ event: "message_received", detail: "what has happened" });
    }
    await store.warnings.add({ event: "history_differs", detail: "what has happened" }, NOW);
    store.drafts.keep(TALK, "what is begun", NOW);
    const first = message(1).client_id;
    await store.outbox.sealed(first, 1, utf8("a draft"), [PHONE]);
    const sealed = await store.outbox.get(first);
    assert.ok(sealed);
    await store.history.keep(sealed, NOW / 1_000);
  });
  await vault.run((store) => store.history.doubt(TALK, 0, NOW / 1_000 + 600));
  await vault.run(async (store) => {
    await store.places.put(message(3), 3, NOW / 1_000);
    await store.places.put(message(4), 4, NOW / 1_000);
  });
}

test("nothing that was said, and nobody's name, is on the disk in the clear", async () => {
  const { name, vault } = await profile();
  await fill(vault);
  const secrets = [
    "what was said",
    "what is queued",
    "what has happened",
    "what is begun",
    "alice",
    "a title",
    "a draft",
  ];
  secrets.push("a secret token", ALICE, PHONE, TALK, "message_received", "progress", hex(utf8("what")));
  for (const table of TABLES) {
    const found = await rows(name, table);
    assert.ok(found.length > 0, table);
    for (const row of found) {
      const text = `${JSON.stringify(row.key)}${JSON.stringify(row.at)}${new TextDecoder("latin1").decode(row.sealed)}`;
      for (const secret of secrets) assert.equal(text.includes(secret), false, `${table}: ${secret}`);
    }
  }
  await vault.close();
});

test("the same value is sealed to other bytes each time", async () => {
  const { name, vault } = await profile();
  const found = new Set<string>();
  for (let count = 0; count < 5; count += 1) {
    await vault.run((store) => {
      store.account.set("name", "value");
    });
    for (const row of await rows(name, "account")) found.add(hex(row.sealed));
  }
  assert.equal(found.size, 5);
  await vault.close();
});

test("what was written is there after a restart", async () => {
  const { name, vault } = await profile();
  await fill(vault);
  const opened = await again(name, vault);
  await opened.run(async (store) => {
    assert.equal(await store.userId(), ALICE);
    assert.equal(await store.people.userNamed("alice.cooper"), ALICE);
    assert.deepEqual(
      (await store.messages.history(TALK, 10)).map((one) => one.text),
      ["what was said 1", "what was said 2"],
    );
    assert.equal((await store.conversations.get(TALK))?.title, "a title");
    assert.equal((await store.outbox.first(TALK))?.client_id, message(1).client_id);
    assert.ok(await store.states.get(Progress, `${TALK}/${PHONE}`));
    assert.deepEqual(await store.states.keys(Progress), [`${TALK}/${PHONE}`]);
    assert.deepEqual(
      (await store.journal.after(0, 10)).map((one) => [one.position, one.event]),
      [
        [1, "message_received"],
        [2, "message_received"],
      ],
    );
  });
  await opened.close();
});

test("what a piece of work throws undoes it, in memory and on the disk", async () => {
  const { name, vault } = await profile();
  await fill(vault);
  const work = vault.run(async (store) => {
    store.account.set("user_id", "somebody else");
    store.people.put(ALICE, "mallory");
    await store.messages.erase(1);
    await store.tell({ event: "message_deleted" });
    throw new Error("no");
  });
  await assert.rejects(work, /no/);
  for (const opened of [vault, await again(name, vault)]) {
    if (opened.closed) continue;
    await opened.run(async (store) => {
      assert.equal(await store.userId(), ALICE);
      assert.equal(await store.people.named(ALICE), "alice.cooper");
      assert.equal((await store.messages.get(1))?.text, "what was said 1");
      assert.equal((await store.journal.after(0, 10)).length, 2);
    });
    await opened.close();
  }
});

test("state, plaintext and event come together or not at all", async () => {
  const { name, vault } = await profile();
  let news = 0;
  vault.onNews = () => {
    news += 1;
  };
  const receive = (): Promise<number> =>
    vault.run(async (store) => {
      const progress = (await store.states.get(Progress, TALK)) ?? Progress.none();
      progress.see(1, false);
      store.states.save(TALK, progress);
      const id = await store.messages.add(message(1));
      await store.tell({ event: "message_received" });
      return id;
    });
  // A full disk after each number of rows: of state, message, event, and the counters of two tables.
  for (let count = 0; count < 5; count += 1) {
    const mend = fullAfter(count);
    await assert.rejects(receive(), errors.StoreFull, String(count));
    mend();
    for (const table of TABLES) assert.deepEqual(await rows(name, table), [], table);
    await vault.run(async (store) => {
      assert.equal(await store.states.get(Progress, TALK), undefined);
      assert.deepEqual(await store.messages.history(TALK, 10), []);
      assert.deepEqual(await store.journal.after(0, 10), []);
    });
  }
  assert.equal(news, 0);
  assert.equal(await receive(), 1);
  assert.equal(news, 1);
  await vault.close();
});

test("pieces of work come one after the other", async () => {
  const { vault } = await profile();
  const order: number[] = [];
  const work = (number: number): Promise<void> =>
    vault.run(async (store) => {
      const count = Number((await store.account.get("count")) ?? 0);
      await new Promise((resolve) => {
        setTimeout(resolve, 0);
      });
      store.account.set("count", String(count + 1));
      order.push(number);
    });
  await Promise.all([1, 2, 3, 4, 5].map(work));
  assert.deepEqual(order, [1, 2, 3, 4, 5]);
  assert.equal(await vault.run((store) => store.account.get("count")), "5");
  const numbers = await vault.run((store) =>
    Promise.all([1, 2, 3].map(() => store.messages.add(message(1, { client_id: String(Math.random()) })))),
  );
  assert.deepEqual(numbers, [1, 2, 3]);
  await vault.close();
});

test("who has opened a profile last writes, and nobody else", async () => {
  const { name, vault } = await profile();
  await fill(vault);
  const second = await Vault.open(name, null, () => NOW);
  const late = vault.run((store) => {
    store.account.set("user_id", "late");
  });
  await assert.rejects(late, errors.ProfileTaken);
  await second.run((store) => {
    store.account.set("seen", "yes");
  });
  assert.equal(await second.run((store) => store.userId()), ALICE);
  await vault.close();
  await second.close();
  await assert.rejects(
    second.run(() => undefined),
    errors.StoreClosed,
  );
});

test("there is a profile or there is none", async () => {
  const name = freshName();
  await assert.rejects(Vault.open(name, null), errors.NoProfile);
  await assert.rejects(Vault.locksOf(name), errors.NoProfile);
  if ((indexedDB as Partial<IDBFactory>).databases !== undefined) {
    const names = (await indexedDB.databases()).map((one) => one.name);
    assert.equal(names.includes(name), false);
  }
  const both = await Promise.allSettled([Vault.create(name, null), Vault.create(name, null)]);
  const made = both.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  assert.equal(made.length, 1);
  for (const one of both)
    if (one.status === "rejected") assert.ok(one.reason instanceof errors.ProfileExists);
  await made[0]?.close();
  await Database.remove(name);
  await assert.rejects(Vault.open(name, null), errors.NoProfile);
});

test("a profile that is removed closes for whoever has it open", async () => {
  const { name, vault } = await profile();
  await Database.remove(name);
  assert.equal(vault.closed, true);
  await assert.rejects(
    vault.run(() => undefined),
    errors.StoreClosed,
  );
});

// damage

const DAMAGES: Readonly<Record<string, (row: Stored, other: Stored | undefined) => Stored>> = {
  "another byte": (row) => ({ ...row, sealed: row.sealed.map((byte, at) => (at === 20 ? byte ^ 1 : byte)) }),
  "cut off": (row) => ({ ...row, sealed: row.sealed.subarray(0, row.sealed.length - 1) }),
  nothing: (row) => ({ ...row, sealed: new Uint8Array() }),
  "no bytes": (row) => ({ ...row, sealed: "text" as unknown as Uint8Array }),
  "another's record": (row, other) => ({ ...row, sealed: other?.sealed ?? new Uint8Array(40) }),
  "found by something else": (row) => ({ ...row, at: { ...row.at, more: 1 } }),
};

test("damaged records are named and told, and the others stay", async () => {
  for (const [what, damage] of Object.entries(DAMAGES)) {
    const { name, vault } = await profile();
    await fill(vault);
    await vault.close();
    for (const table of TABLES) {
      const [row, other] = await rows(name, table);
      assert.ok(row);
      await onDisk(name, table, (store) => store.put(damage(row, other)));
    }
    const opened = await Vault.open(name, null, () => NOW);
    const told: string[] = [];
    opened.onDamaged = (error) => told.push(error.table);
    const one = opened.run((store) => store.messages.get(1));
    await assert.rejects(one, { name: "DamagedRecord", table: "messages", code: "damaged_record" }, what);
    await opened.run(async (store) => {
      assert.deepEqual(
        (await store.messages.history(TALK, 10)).map((found) => found.id),
        [2],
      );
      assert.equal((await store.journal.after(0, 10)).length, 1);
      assert.equal((await store.places.between(TALK, 1, 9)).length, 1);
      assert.equal((await store.history.doubted(TALK, 9)).length, 1);
      assert.deepEqual(await store.conversations.all(), []);
      assert.deepEqual(await store.states.keys(Progress), []);
      assert.deepEqual(await store.people.all(), []);
      assert.deepEqual(await store.drafts.all(), []);
      assert.deepEqual(await store.warnings.all(), []);
    });
    const expected = [
      "conversations",
      "doubted",
      "drafts",
      "journal",
      "messages",
      "people",
      "places",
      "states",
    ];
    expected.push("warnings");
    assert.deepEqual([...new Set(told)].sort(), expected, what);
    await assert.rejects(
      opened.run((store) => store.states.get(Progress, `${TALK}/${PHONE}`)),
      errors.DamagedRecord,
    );
    await opened.close();
  }
});

test("a state that its class does not read is damaged, not a crash", async () => {
  const { vault } = await profile();
  await vault.run((store) => {
    // As a newer program might have written it.
    store.states.save(TALK, Object.assign(Progress.none(), { toBytes: () => utf8("\u0009{}") }));
  });
  await assert.rejects(
    vault.run(async (store) => {
      store.states.forget();
      await store.states.get(Progress, TALK);
    }),
    errors.DamagedRecord,
  );
  await vault.close();
});

// versions

test("the schema steps forward, and what is there stays", async () => {
  const { name, vault } = await profile();
  await fill(vault);
  await vault.close();
  const more = (database: IDBDatabase): void => {
    database.createObjectStore("more", { keyPath: "key" });
  };
  const before = await rows(name, "messages");
  const newer = await Database.open(name, false, [...STEPS, more]);
  assert.equal((await newer.rows({ table: "messages", range: {} })).length, before.length);
  assert.deepEqual(await newer.rows({ table: "more", range: {} }), []);
  newer.close();
  await assert.rejects(Vault.open(name, null), errors.StoreTooNew);
  assert.deepEqual(await rows(name, "messages"), before);
});

test("a step that fails leaves the version before", async () => {
  const { name, vault } = await profile();
  await fill(vault);
  await vault.close();
  const broken = (database: IDBDatabase): void => {
    database.createObjectStore("messages"); // there is one
  };
  await assert.rejects(Database.open(name, false, [...STEPS, broken]), errors.StoreError);
  const opened = await Vault.open(name, null, () => NOW);
  assert.equal(await opened.run((store) => store.userId()), ALICE);
  await opened.close();
});

test("an older version that is open elsewhere is closed", async () => {
  const { name, vault } = await profile();
  await fill(vault);
  const newer = await Database.open(name, false, [...STEPS, () => undefined]);
  assert.equal(vault.closed, true);
  newer.close();
});

test("a secret of an account is what it was", async () => {
  const { name, vault } = await profile();
  const key = AccountKey.create();
  await vault.run((store) => {
    store.states.save("own", key);
    store.account.set("raw", Uint8Array.of(0, 255, 128));
  });
  const opened = await again(name, vault);
  await opened.run(async (store) => {
    assert.deepEqual((await store.states.get(AccountKey, "own"))?.toBytes(), key.toBytes());
    assert.deepEqual(await store.account.raw("raw"), Uint8Array.of(0, 255, 128));
    await assert.rejects(store.account.get("raw"), errors.DamagedRecord);
    store.states.drop(AccountKey, "own");
    store.account.set("raw", null);
    assert.equal(await store.states.get(AccountKey, "own"), undefined);
    assert.deepEqual(await store.states.keys(AccountKey), []);
  });
  assert.equal(utf8Text(utf8("é")), "é");
  assert.equal((await rows(name, "states")).length, 0);
  await opened.close();
});

test("the browser is asked to keep the store", async () => {
  assert.equal(typeof (await askToPersist()), "boolean");
});
