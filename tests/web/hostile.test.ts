/**
 * Bytes that no honest client makes: whatever comes is taken or refused by a named error, in a bounded time, and
 * what is refused changes nothing. Random, cut, and changed from what is valid; each run has another seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { TYPES, decodeBody } from "../../messenger/web/client/src/e2e/bodies.ts";
import { decodeEnvelope, decodeGroup } from "../../messenger/web/client/src/e2e/envelope.ts";
import {
  AccountKey,
  type Claimed,
  DeviceCode,
  DeviceKeys,
  FileDecryptor,
  FileEncryptor,
  KnownUser,
  PeerSessions,
  Progress,
  ReceivedChains,
  ResendRequests,
  Rosters,
  SendingChain,
  SentMessage,
  decodePayload,
  encodePayload,
  errors,
  matchCode,
  newPayload,
  openConversationMetadata,
  openFileMetadata,
  readContactLink,
  sealFileMetadata,
} from "../../messenger/web/client/src/e2e/index.ts";
import { unpadded } from "../../messenger/web/client/src/e2e/padding.ts";
import { concat, hex, utf8, utf8Text } from "../../messenger/web/client/src/wire/bytes.ts";
import { Misfit, decode } from "../../messenger/web/client/src/wire/codec.ts";
import { BUNDLE, IDENTITIES } from "../../messenger/web/client/src/wire/keys.ts";
import { vector } from "./files.ts";
import type { Scenario } from "./scenarios/running.ts";
import { SEED, mutated, noise, pick, storm } from "./storm.ts";

const NOW = 1_800_000_000;
const ids = ["a", "b", "c", "d", "e", "f"].map(
  (letter) => `${letter.repeat(8)}-0000-4000-8000-${letter.repeat(12)}`,
);
const [ALICE, ALICE_DEVICE, BOB, BOB_DEVICE, CONVERSATION, CLIENT] = ids as [
  string,
  string,
  string,
  string,
  string,
  string,
];

const random = (count: number) => noise(count);
const alice = DeviceKeys.create(ALICE, ALICE_DEVICE, NOW, random);
const bob = DeviceKeys.create(BOB, BOB_DEVICE, NOW, random);
const payload = newPayload(
  alice,
  {
    conversation_id: CONVERSATION,
    client_id: CLIENT,
    kind: "text",
    number: 1,
    sent_at: "2027-01-15T08:00:00.000Z",
    seen: { from: 1, seq: 2, digest: noise(32) },
    roster: { version: 1, digest: noise(32) },
  },
  { type: "text", text: "hello", mentions: [BOB] },
);
const said: Claimed = payload;
const alicePeer = { userId: ALICE, deviceId: ALICE_DEVICE, identityKey: alice.identityKey };

function bundleOf(keys: DeviceKeys) {
  return {
    user_id: keys.userId,
    device_id: keys.deviceId,
    identity_key: keys.identityKey,
    signed_prekey: keys.signedPrekey(),
    one_time_prekey: keys.newOneTimePrekeys(1, random)[0] ?? null,
    kem_prekey: keys.newKemPrekeys(1, true, NOW, random).last_resort,
    list_version: null,
  };
}

test("forms: envelopes, payloads, bodies, padding, links and codes", (context) => {
  context.diagnostic(`seed ${String(SEED)}`);
  const { scenarios } = vector("scenarios") as { scenarios: Scenario[] };
  const bodies = scenarios
    .flatMap((one) => one.steps)
    .filter((step) => step.do === "body" && step.gives !== undefined)
    .map((step) => utf8(step.with["body"] as string));
  assert.ok(bodies.length > TYPES.size);
  storm(bodies, (input) => decodeBody(utf8Text(input) ?? ""), undefined, 4_000);
  storm([encodePayload(payload)], (input) => encodePayload(decodePayload(input)), undefined, 4_000);
  storm([concat(encodePayload(payload), Uint8Array.of(0x80, 0, 0))], unpadded);
  storm([concat(Uint8Array.of(1, 1), noise(120)), concat(Uint8Array.of(1, 2), noise(1_800))], decodeEnvelope);
  storm([concat(Uint8Array.of(1, 3), noise(200))], decodeGroup);
  const link = "https://chat.example.org/#contact=AdlbhaupaokSaoiu0aoi";
  storm([utf8(link)], (input) => readContactLink(utf8Text(input) ?? ""));
  storm([utf8("ABCD-EFGH-IJKL-MNOP-QRST-UVWX")], (input) => matchCode(utf8Text(input) ?? "", ALICE, []));
  const key = noise(32);
  const sealed = sealFileMetadata(key, { name: "a", media_type: "b", size: 1 });
  storm([sealed], (input) => openFileMetadata(key, input));
  storm([sealed], (input) => openConversationMetadata(key, input));
  const misfit = (error: unknown) => error instanceof Misfit;
  const identities = [utf8('{"device_list":null,"items":[]}')];
  storm(identities, (input) => decode(IDENTITIES, input), misfit);
  storm([utf8(BUNDLE.write(bundleOf(bob)))], (input) => decode(BUNDLE, input), misfit);
});

test("sessions: what is refused leaves them as they were", () => {
  const mine = PeerSessions.none(BOB, BOB_DEVICE);
  mine.start(alice, bundleOf(bob), NOW);
  const first = mine.seal(alice, payload);
  const theirs = PeerSessions.none(ALICE, ALICE_DEVICE);
  const keys = bob.toBytes();
  const taken = storm(
    [first],
    (input) => {
      const before = [hex(theirs.toBytes()), hex(bob.toBytes())];
      try {
        theirs.open(bob, alicePeer, input, said, NOW);
      } catch (error) {
        assert.deepEqual([hex(theirs.toBytes()), hex(bob.toBytes())], before);
        throw error;
      }
    },
    undefined,
    60,
  );
  // What was taken is the first message itself: bytes that were changed to what they were.
  const fresh = taken === 0 ? theirs : PeerSessions.none(ALICE, ALICE_DEVICE);
  const reader = DeviceKeys.fromBytes(keys);
  assert.equal(fresh.open(reader, alicePeer, first, said, NOW).payload.client_id, CLIENT);
  const more = [mine.seal(alice, payload), mine.seal(alice, payload)];
  storm(more, (input) => fresh.open(reader, alicePeer, input, said, NOW), undefined, 150);
  const bytes = fresh.toBytes();
  storm([bytes], (input) => PeerSessions.fromBytes(input));
});

test("groups: what is refused leaves them as they were", () => {
  const chain = SendingChain.create(alice, CONVERSATION, NOW, random);
  const received = ReceivedChains.none(CONVERSATION, ALICE, ALICE_DEVICE);
  received.accept(chain.distribution(1), payload, true);
  const content = [chain.seal(alice, payload), chain.seal(alice, payload)];
  storm(content, (input) => {
    const before = hex(received.toBytes());
    try {
      received.open(bob, input, said);
    } catch (error) {
      assert.equal(hex(received.toBytes()), before);
      throw error;
    }
  });
  storm([received.toBytes()], (input) => ReceivedChains.fromBytes(input));
  storm([chain.toBytes()], (input) => SendingChain.fromBytes(input));
});

test("lists: nothing that the server says makes a user throw", () => {
  const account = AccountKey.create(random);
  const devices = new Map([[ALICE_DEVICE, alice.identityKey]]);
  const user = KnownUser.unknown(ALICE);
  const list = account.signList(ALICE, 1, devices);
  for (let round = 0; round < 60; round += 1) {
    const change = pick(5);
    const given = {
      ...list,
      account_key: change === 0 ? mutated(list.account_key) : list.account_key,
      signature: change === 1 ? mutated(list.signature) : list.signature,
      version: change === 2 ? pick(5) : list.version,
      devices: change === 3 ? [{ device_id: "x", identity_key: mutated(noise(32)) }] : list.devices,
    };
    const items = [{ device_id: hex(noise(3)), identity_key: noise(pick(40)) }];
    assert.ok(Array.isArray(user.learn({ device_list: given, items }, "warn")));
  }
  storm([user.toBytes()], (input) => KnownUser.fromBytes(input));
});

test("files: a blob that was changed is refused by name", () => {
  const key = noise(32);
  const encryptor = new FileEncryptor(key);
  const blob = concat(encryptor.update(noise(3_000)), ...encryptor.finish());
  const reference = encryptor.reference("", "", "");
  storm([blob], (input) => {
    const decryptor = new FileDecryptor(reference);
    decryptor.update(input);
    return decryptor.finish();
  });
});

test("stored state that was changed is BadState, or fits", () => {
  const asked = ResendRequests.none();
  asked.ask(said, 1, NOW);
  const progress = Progress.none();
  progress.see(5, true);
  const states: [Uint8Array, (input: Uint8Array) => unknown][] = [
    [bob.toBytes(), (input) => DeviceKeys.fromBytes(input)],
    [asked.toBytes(), (input) => ResendRequests.fromBytes(input)],
    [progress.toBytes(), (input) => Progress.fromBytes(input)],
    [SentMessage.of(payload, [BOB_DEVICE]).toBytes(), (input) => SentMessage.fromBytes(input)],
    [Rosters.none(CONVERSATION).toBytes(), (input) => Rosters.fromBytes(input)],
    [DeviceCode.create(alice, NOW, random).toBytes(), (input) => DeviceCode.fromBytes(input)],
    [AccountKey.create(random).toBytes(), (input) => AccountKey.fromBytes(input)],
  ];
  for (const [valid, read] of states) {
    storm([valid], read, (error) => error instanceof errors.BadState, 150);
  }
});

test("work is bounded by what comes", () => {
  const long = "[".repeat(61_000);
  assert.throws(() => decodeBody(long), { name: "Malformed" });
  assert.throws(() => decodePayload(utf8(`{"a":"${"\\u0061".repeat(10_000)}`)), { name: "Malformed" });
  assert.throws(() => readContactLink(`${"/".repeat(60_000)}x`), { name: "BadContactCode" });
  assert.throws(() => matchCode(" ".repeat(60_000), ALICE, []), { name: "CodeError" });
  const chain = SendingChain.create(alice, CONVERSATION, NOW, random);
  const received = ReceivedChains.none(CONVERSATION, ALICE, ALICE_DEVICE);
  received.accept({ ...chain.distribution(1), iteration: 0 }, payload, true);
  const far = chain.seal(alice, payload);
  far.set([0xff, 0xff, 0xff, 0xff], 18);
  assert.throws(() => received.open(bob, far, said), { name: "BadSenderSignature" });
});
