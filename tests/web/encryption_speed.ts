/**
 * How fast the encryption is, in Node (`make web`, then `node build/web/tests/encryption_speed.js`) and in Chromium
 * (`python -m benchmarks web`). No test: it asserts nothing.
 */

import { test } from "node:test";

import {
  DeviceKeys,
  FileEncryptor,
  PeerSessions,
  ReceivedChains,
  SendingChain,
  derive,
  newKdf,
  newPayload,
} from "../../messenger/web/client/src/e2e/index.ts";

const NOW = 1_800_000_000;
const [alice, bob] = ["a", "b"].map((letter) => {
  const id = `${letter.repeat(8)}-0000-4000-8000-${letter.repeat(12)}`;
  return DeviceKeys.create(id, id.replace("0000", "0001"), NOW);
}) as [DeviceKeys, DeviceKeys];
const about = { conversation_id: alice.userId, kind: "text", number: 1, sent_at: "2027-01-15T08:00:00.000Z" };
const payload = newPayload(
  alice,
  { ...about, client_id: alice.userId },
  { type: "text", text: "x".repeat(100) },
);
const peer = { userId: alice.userId, deviceId: alice.deviceId, identityKey: alice.identityKey };

type Timed = (name: string, done: () => void) => void;

function first(timed: Timed): void {
  const bundle = {
    user_id: bob.userId,
    device_id: bob.deviceId,
    identity_key: bob.identityKey,
    signed_prekey: bob.signedPrekey(),
    one_time_prekey: bob.newOneTimePrekeys(1)[0] ?? null,
    kem_prekey: bob.newKemPrekeys(1, false, NOW).prekeys[0] ?? null,
    list_version: null,
  };
  mine = PeerSessions.none(bob.userId, bob.deviceId);
  theirs = PeerSessions.none(alice.userId, alice.deviceId);
  let envelope = new Uint8Array();
  timed("PQXDH and the first message sealed", () => {
    mine.start(alice, bundle, NOW);
    envelope = new Uint8Array(mine.seal(alice, payload));
  });
  timed("the first message opened", () => theirs.open(bob, peer, envelope, payload, NOW));
}

let mine: PeerSessions;
let theirs: PeerSessions;

test("the encryption", (context) => {
  const timed: Timed = (name, done) => {
    const began = performance.now();
    done();
    context.diagnostic(`${name}: ${(performance.now() - began).toFixed(1)} ms`);
  };
  timed("100 one-time and 100 KEM prekeys, cold", () => {
    bob.newOneTimePrekeys(100);
    bob.newKemPrekeys(100, true, NOW);
  });
  for (let count = 0; count < 5; count += 1) first(timed);
  for (let round = 0; round < 2; round += 1) {
    let envelopes: Uint8Array[] = [];
    timed("1,000 pairwise sealed", () => {
      envelopes = Array.from({ length: 1_000 }, () => mine.seal(alice, payload));
    });
    timed("1,000 pairwise opened", () => {
      for (const one of envelopes) theirs.open(bob, peer, one, payload, NOW);
    });
    timed("1,000 pairwise states written", () => {
      for (let count = 0; count < 1_000; count += 1) PeerSessions.fromBytes(theirs.toBytes());
    });
    const chain = SendingChain.create(alice, alice.userId, NOW);
    const received = ReceivedChains.none(alice.userId, alice.userId, alice.deviceId);
    received.accept(chain.distribution(1), payload, true);
    let contents: Uint8Array[] = [];
    timed("1,000 group sealed", () => {
      contents = Array.from({ length: 1_000 }, () => chain.seal(alice, payload));
    });
    timed("1,000 group opened", () => {
      for (const one of contents) received.open(bob, one, payload);
    });
  }
  const file = new FileEncryptor();
  timed("a file of 16 MiB encrypted", () => {
    for (let part = 0; part < 16; part += 1) file.update(new Uint8Array(2 ** 20));
    for (const _ of file.finish());
  });
  timed("Argon2id, 64 MiB and 3 passes", () => derive("password", newKdf()));
});
