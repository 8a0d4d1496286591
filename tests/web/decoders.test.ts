/**
 * Every decoder that hostile.test.ts and wire.test.ts do not try: whatever bytes come, they are read, or refused by a
 * named error.
 */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import type { RosterChange, RosterMember } from "../../messenger/web/client/src/e2e/bodies.ts";
import {
  AccountKey,
  DeviceCode,
  DeviceKeys,
  KnownUser,
  Roster,
  Rosters,
  acceptGrant,
  errors,
  grant,
  newKdf,
} from "../../messenger/web/client/src/e2e/index.ts";
import { hkdf } from "../../messenger/web/client/src/e2e/primitives.ts";
import { ACCOUNT } from "../../messenger/web/client/src/store/account.ts";
import { CONVERSATIONS, MEMBERS, PEOPLE } from "../../messenger/web/client/src/store/conversations.ts";
import { importStore } from "../../messenger/web/client/src/store/export.ts";
import { ANSWERS, DOUBTS } from "../../messenger/web/client/src/store/history.ts";
import { errors as store } from "../../messenger/web/client/src/store/index.ts";
import { JOURNAL } from "../../messenger/web/client/src/store/journal.ts";
import { MESSAGES } from "../../messenger/web/client/src/store/messages.ts";
import { OUTBOX } from "../../messenger/web/client/src/store/outbox.ts";
import { PLACES } from "../../messenger/web/client/src/store/places.ts";
import { gcmKey, gcmSeal } from "../../messenger/web/client/src/store/sealing.ts";
import { STATES } from "../../messenger/web/client/src/store/states.ts";
import { Early, Parked, Started } from "../../messenger/web/client/src/store/waiting.ts";
import {
  base64,
  concat,
  hex,
  uint32,
  uint64,
  utf8,
  utf8Text,
} from "../../messenger/web/client/src/wire/bytes.ts";
import { Misfit } from "../../messenger/web/client/src/wire/codec.ts";
import { BadFrame, readFrames } from "../../messenger/web/client/src/wire/frames.ts";
import { ALICE, NOW, PHONE, TALK, message, profile, said } from "./store/world.ts";
import { SEED, mutated, noise, pick, storm } from "./storm.ts";

const USERS = Array.from({ length: 6 }, (_, at) => `b111111${String(at)}-0000-4000-8000-000000000001`);
const MOMENT = "2027-01-15T08:00:00.000Z";

test("frames of the WebSocket, byte by byte", () => {
  const [conversation_id, client_id, sender_id, sender_device_id] = [TALK, TALK, ALICE, PHONE];
  const frames = [
    { type: "hello", user_id: ALICE, device_id: PHONE, server_time: MOMENT, heartbeat: 45, epoch: "7" },
    {
      ...{ type: "message", conversation_id, seq: 7, sender_id, sender_device_id, client_id, kind: "text" },
      ...{ content: null, envelope: base64(noise(60)), created_at: MOMENT, expires_at: null, deleted: false },
    },
    { type: "sent", ref: "r", conversation_id, seq: 7, created_at: MOMENT },
    { type: "error", ref: "r", code: "devices_changed", detail: "No.", retry_after: 3 },
  ].map((one) => JSON.stringify(one));
  storm(
    [...frames, `[${frames.join()}]`].map(utf8),
    (input) => readFrames(utf8Text(input) ?? "\ufffd"),
    (error) => error instanceof BadFrame,
    4_000,
  );
});

test("a grant of the account key", () => {
  const keys = DeviceKeys.create(ALICE, PHONE, NOW / 1_000);
  const code = DeviceCode.create(keys, NOW / 1_000);
  const account = AccountKey.create();
  const waiting = { device_id: PHONE, identity_key: keys.identityKey, device_name: null, created_at: MOMENT };
  const { seed, proof } = grant(account, code.toString(), ALICE, waiting);
  assert.deepEqual(acceptGrant(code, keys, { seed, proof }, NOW / 1_000).public, account.public);
  let taken = 0;
  for (let round = 0; round < 100; round += 1) {
    const [other, false_] = pick(2) === 0 ? [noise(32), proof] : [seed, mutated(proof)];
    try {
      acceptGrant(code, keys, { seed: other, proof: false_ }, NOW / 1_000);
      assert.deepEqual([other, false_], [seed, proof]); // what was changed to what it was
      taken += 1;
    } catch (error) {
      assert.ok(error instanceof errors.GrantRefused, `seed ${String(SEED)}: ${String(error)}`);
    }
  }
  assert.ok(taken < 100);
});

test("rosters and their changes: what is refused leaves them as they were", () => {
  const entry = (): RosterMember => ({
    user_id: USERS[pick(USERS.length)] ?? ALICE,
    account_key: new Uint8Array(32).fill(pick(3)),
    role: (["owner", "admin", "member"] as const)[pick(3)] ?? "member",
  });
  const some = <T>(made: () => T, most: number): T[] => Array.from({ length: pick(most) }, made);
  let [taken, refused] = [0, 0];
  for (let round = 0; round < 40; round += 1) {
    const rosters = Rosters.none(TALK);
    for (let step = 0; step < 40; step += 1) {
      const before = hex(rosters.toBytes());
      const sender = entry().user_id;
      const standing = rosters.current;
      try {
        if (pick(3) === 0) {
          const whole = Roster.ofBody(TALK, { type: "roster", version: pick(6), members: some(entry, 5) });
          rosters.takeWhole(whole, step, sender, pick(4) === 0, pick(4) === 0);
        } else {
          const change: RosterChange = {
            type: "roster_change",
            version: (standing?.version ?? 0) + pick(3),
            previous: pick(4) === 0 || standing === undefined ? noise(32) : standing.digest,
            put: some(entry, 3),
            remove: some(() => entry().user_id, 2),
          };
          rosters.takeChange(change, sender, pick(50));
        }
        taken += 1;
      } catch (error) {
        assert.ok(error instanceof errors.RosterRefused, `seed ${String(SEED)}: ${String(error)}`);
        assert.equal(hex(rosters.toBytes()), before, `seed ${String(SEED)}`);
        refused += 1;
      }
      const { current } = rosters;
      if (current === undefined || current.version === 0) continue;
      const owners = current.members.filter((one) => one.role === "owner").length;
      assert.ok(current.members.length === 0 || owners === 1, `seed ${String(SEED)}`);
    }
    storm([rosters.toBytes()], (input) => Rosters.fromBytes(input), isBadState, 40);
  }
  assert.ok(taken > 0 && refused > 0);
});

const isBadState = (error: unknown): boolean => error instanceof errors.BadState;

test("an export that was made up under its own password", async () => {
  const { vault } = await profile();
  const server = "https://chat.example";
  await vault.run((store) => {
    store.account.set("user_id", ALICE);
    store.account.set("server", server);
  });
  const wrap = noise(32);
  const kdf = newKdf();
  const header = concat(
    utf8("messenger-export"),
    Uint8Array.of(1),
    ...[kdf.memory_kib, kdf.passes, kdf.lanes].map(uint32),
    kdf.salt,
  );
  const key = await gcmKey(hkdf(wrap, utf8("messenger-export-1")));
  const file = async (...chunks: Uint8Array[]): Promise<Blob> => {
    const pieces: Uint8Array[] = [header];
    for (const [at, plaintext] of chunks.entries()) {
      const nonce = concat(uint64(at), Uint8Array.of(0, 0, 0, at === chunks.length - 1 ? 1 : 0));
      const sealed = await gcmSeal(key, nonce, plaintext, header);
      pieces.push(uint32(sealed.length), sealed);
    }
    return new Blob([concat(...pieces) as Uint8Array<ArrayBuffer>]);
  };
  const taken = (blob: Blob): Promise<number> => importStore(vault, blob, "", () => ({ wrap }));
  const first = { account: { server, user_id: ALICE } };
  const json = (value: object): Uint8Array => utf8(JSON.stringify(value));
  const state = (userId: string): string => base64(KnownUser.unknown(userId).toBytes());
  // What is known of one user is not taken as another's, and nothing of such a file is taken.
  const [bob, carol] = [USERS[0] ?? "", USERS[1] ?? ""];
  for (const bad of [state(carol), base64(noise(20)), ""]) {
    const made = {
      ...first,
      people: [{ user_id: bob, username: "bob" }],
      known: [{ user_id: bob, state: bad }],
    };
    await assert.rejects(taken(await file(json(made))), store.ExportRefused);
    assert.equal(await vault.run((store) => store.people.named(bob)), undefined);
  }
  assert.equal(await taken(await file(json({ ...first, known: [{ user_id: bob, state: state(bob) }] }))), 0);
  const whole = json({ ...first, people: [{ user_id: carol, username: "carol" }], known: [] });
  const more = json({ messages: [{ ...message(1), id: 1 }] });
  for (let round = 0; round < 150; round += 1) {
    const made = [whole, more].map((one) => (pick(2) === 0 ? one : mutated(one)));
    try {
      await taken(await file(...made));
    } catch (error) {
      const isNamed = error instanceof store.ExportRefused || error instanceof store.ProfileMismatch;
      assert.ok(isNamed, `seed ${String(SEED)}: ${String(error)}`);
    }
  }
  await vault.run((store) => store.messages.after(0, 10)); // and the store is whole
  await vault.close();
});

test("records of the store, though none comes as far unless its seal holds", async () => {
  const shapes = [
    ...[ACCOUNT, CONVERSATIONS, MEMBERS, PEOPLE, ANSWERS, DOUBTS, JOURNAL],
    ...[MESSAGES, OUTBOX, PLACES, STATES],
  ] as unknown as { name: string; write: (value: object) => Uint8Array; read: (raw: Uint8Array) => object }[];
  const written = new Map<string, Uint8Array[]>();
  const honest = shapes.map((shape) => shape.write);
  for (const shape of shapes) {
    const { write } = shape;
    shape.write = (value) => {
      const raw = write(value);
      written.set(shape.name, [...(written.get(shape.name) ?? []), raw]);
      return raw;
    };
  }
  try {
    const { vault } = await profile();
    await vault.run(async (store) => {
      store.account.set("user_id", ALICE);
      store.people.put(ALICE, "alice");
      store.states.save(ALICE, KnownUser.unknown(ALICE));
      await store.conversations.take(said());
      await store.conversations.putMember(TALK, ALICE, "owner", MOMENT);
      await store.messages.add(message(1));
      await store.outbox.add({
        ...{ conversation_id: TALK, client_id: TALK, kind: "text", sent_at: MOMENT },
        body: '{"type":"text","text":"hello"}',
      });
      await store.tell({ event: "device_approved" });
    });
    await vault.close();
  } finally {
    for (const [at, shape] of shapes.entries()) shape.write = honest[at] ?? shape.write;
  }
  assert.ok(written.size >= 8, [...written.keys()].join());
  const named = (error: unknown): boolean => isBadState(error) || error instanceof Misfit;
  for (const shape of shapes) {
    storm(written.get(shape.name) ?? [utf8("{}")], (input) => shape.read(input), named, 300);
  }
  const parked = new Parked();
  const small = [
    [new Early({ senderId: ALICE, text: "x", seq: 3 }).toBytes(), (raw: Uint8Array) => Early.fromBytes(raw)],
    [new Started(["a", "b"]).toBytes(), (raw: Uint8Array) => Started.fromBytes(raw)],
    [parked.toBytes(), (raw: Uint8Array) => Parked.fromBytes(raw)],
  ] as const;
  for (const [valid, read] of small) storm([valid], read, isBadState, 200);
});
