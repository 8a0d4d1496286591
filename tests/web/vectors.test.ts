/** docs/vectors: what the client makes, and what it reads. `scenarios.test.ts` plays the rest. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { AccountKey, devicesOfList } from "../../messenger/web/client/src/e2e/account.ts";
import {
  type Claimed,
  DeviceKeys,
  FileEncryptor,
  PeerSessions,
  ReceivedChains,
  SendingChain,
  contactLink,
  decodePayload,
  derive,
  encodePayload,
  fitsContact,
  openConversationMetadata,
  openFileMetadata,
  ownConversationId,
  readContactLink,
  safetyNumber,
  storedSize,
} from "../../messenger/web/client/src/e2e/index.ts";
import { padded, paddedFileSize } from "../../messenger/web/client/src/e2e/padding.ts";
import { ed25519Holds, hmacSha256, idBytes, label } from "../../messenger/web/client/src/e2e/primitives.ts";
import {
  base32Bytes,
  base64,
  base64Bytes,
  concat,
  hex,
  utf8,
} from "../../messenger/web/client/src/wire/bytes.ts";
import { vector } from "./files.ts";
import { fileOf } from "./scenarios/files.ts";
import { raw } from "./scenarios/running.ts";
import { textOf } from "./scenarios/sessions.ts";

type Texts = Readonly<Record<string, string>>;
const NOW = 1_800_000_000;

function saidOf(json: string): Claimed {
  return decodePayload(utf8(json));
}

test("signatures hold by the rule of the page", () => {
  const { signatures } = vector("signatures") as { signatures: (Texts & { holds: boolean })[] };
  for (const one of signatures) {
    const [key, signature, text] = [one["key"], one["signature"], one["text"]].map((given) =>
      raw(given ?? ""),
    );
    assert.ok(key && signature && text);
    assert.equal(ed25519Holds(key, signature, text), one.holds, one["case"]);
  }
  assert.ok(signatures.length >= 19);
});

interface Account {
  readonly device_list: {
    account_seed: string;
    account_key: string;
    user_id: string;
    version: number;
    devices: { device_id: string; identity_key: string }[];
    signature: string;
  };
  readonly contact_link: Texts & {
    link: string;
    server: string;
    username: string;
    user_id: string;
    account_key: string;
  };
  readonly own_conversation: { user_id: string; client_id: string };
  readonly safety_number: {
    user_a: string;
    account_key_a: string;
    user_b: string;
    account_key_b: string;
    safety_number: string;
  };
  readonly device_code: Texts & {
    secret: string;
    code: string;
    user_id: string;
    device_id: string;
    identity_key: string;
    account_key: string;
    proof: string;
  };
}

test("account: lists, links, numbers and codes", () => {
  const account = vector("account") as Account;
  const made = account.device_list;
  const devices = new Map(made.devices.map((one) => [one.device_id, raw(one.identity_key)]));
  const signed = new AccountKey(raw(made.account_seed)).signList(made.user_id, made.version, devices);
  assert.equal(hex(signed.account_key), made.account_key);
  assert.equal(hex(signed.signature), made.signature);
  assert.deepEqual([...devicesOfList(made.user_id, signed).keys()].sort(), [...devices.keys()].sort());

  const link = account.contact_link;
  assert.equal(contactLink(link.server, link.username, link.user_id, raw(link.account_key)), link.link);
  assert.ok(fitsContact(readContactLink(link.link), link.user_id, raw(link.account_key)));

  assert.equal(ownConversationId(account.own_conversation.user_id), account.own_conversation.client_id);
  const number = account.safety_number;
  const digits = safetyNumber(
    number.user_b,
    raw(number.account_key_b),
    number.user_a,
    raw(number.account_key_a),
  );
  assert.equal(digits, number.safety_number);

  const code = account.device_code;
  const about = concat(idBytes(code.user_id), idBytes(code.device_id), raw(code.identity_key));
  const tag = hmacSha256(raw(code.secret), concat(label("messenger-device-code-1"), about)).subarray(0, 5);
  const letters = base32Bytes(code.code.replaceAll("-", "")) ?? new Uint8Array();
  assert.equal(hex(letters), code.secret + hex(tag));
  const granted = concat(label("messenger-account-grant-1"), raw(code.account_key), about);
  assert.equal(hex(hmacSha256(raw(code.secret), granted)), code.proof);
});

test("padding: of payloads and files", () => {
  const { payload, file, example } = vector("padding") as {
    payload: { size: number; padded: number }[];
    file: { size: number; padded: number }[];
    example: { payload: string; padded: string };
  };
  for (const one of payload) assert.equal(padded(new Uint8Array(one.size)).length, one.padded);
  for (const one of file) assert.equal(paddedFileSize(one.size), one.padded);
  assert.equal(hex(padded(raw(example.payload))), example.padded);
  assert.ok(payload.length > 5 && file.length > 5);
});

interface SessionVector {
  readonly private: Texts;
  readonly responder: {
    user_id: string;
    device_id: string;
    identity_key: string;
    signed_prekey: { key_id: number; signature: string };
    one_time_prekey: { key_id: number } | null;
    kem_prekey: { key_id: number };
  };
  readonly initiator: { user_id: string; device_id: string; identity_key: string };
  readonly session_id: string;
  readonly messages: { payload: string; envelope: string }[];
}

for (const name of ["pqxdh", "pqxdh_without_one_time_prekey"]) {
  test(`sessions: the responder reads ${name} from private keys alone`, () => {
    const session = (vector("sessions") as Readonly<Record<string, SessionVector>>)[name];
    assert.ok(session);
    const { responder, initiator } = session;
    const bytes = (given: string) => base64(raw(session.private[given] ?? ""));
    const seed = bytes("kem_prekey_seed");
    const oneTime = responder.one_time_prekey;
    const state = {
      userId: responder.user_id,
      deviceId: responder.device_id,
      seed: bytes("responder_identity_seed"),
      nextSigned: 2,
      nextOneTime: 2,
      nextKem: 2,
      signed: [
        {
          keyId: responder.signed_prekey.key_id,
          private: bytes("signed_prekey_private"),
          signature: base64(raw(responder.signed_prekey.signature)),
          createdAt: NOW,
        },
      ],
      oneTime: oneTime === null ? [] : [[oneTime.key_id, bytes("one_time_prekey_private")]],
      kem: [[responder.kem_prekey.key_id, seed]],
      lastResort: [],
      remembered: [],
    };
    const keys = DeviceKeys.fromBytes(concat(Uint8Array.of(1), utf8(JSON.stringify(state))));
    assert.equal(hex(keys.identityKey), responder.identity_key);
    const peer = {
      userId: initiator.user_id,
      deviceId: initiator.device_id,
      identityKey: raw(initiator.identity_key),
    };
    const sessions = PeerSessions.none(peer.userId, peer.deviceId);
    for (const { payload, envelope } of session.messages.slice(0, 2)) {
      const opened = sessions.open(keys, peer, raw(envelope), saidOf(payload), NOW);
      assert.equal(textOf(encodePayload(opened.payload)), payload);
    }
    assert.deepEqual(sessions.sessionIds.map(hex), [session.session_id]);
  });
}

interface GroupVector {
  readonly conversation_id: string;
  readonly user_id: string;
  readonly device_id: string;
  readonly sender_key: {
    chain_id: string;
    iteration: number;
    chain_key: string;
    signature_key: string;
    number: number;
  };
  readonly messages: { payload: string; content: string }[];
}

test("groups: content reads from the sender key", () => {
  const group = vector("groups") as GroupVector;
  const { sender_key: key, user_id: userId, device_id: deviceId, conversation_id: conversation } = group;
  const body = {
    type: "sender_key",
    chain_id: raw(key.chain_id),
    iteration: key.iteration,
    chain_key: raw(key.chain_key),
    signature_key: raw(key.signature_key),
    number: key.number,
  } as const;
  const chains = ReceivedChains.none(conversation, userId, deviceId);
  const [first] = group.messages;
  assert.ok(first);
  chains.accept(body, decodePayload(utf8(first.payload)), true);
  const reader = { userId, deviceId: conversation };
  for (const { payload, content } of group.messages) {
    const opened = chains.open(reader, raw(content), saidOf(payload));
    assert.equal(textOf(encodePayload(opened)), payload);
  }
  const own = SendingChain.create({ userId, deviceId }, conversation, NOW);
  const sealed = own.seal({ userId, deviceId }, decodePayload(utf8(first.payload)));
  const received = ReceivedChains.none(conversation, userId, deviceId);
  received.accept({ ...own.distribution(1), iteration: 0 }, decodePayload(utf8(first.payload)), true);
  assert.throws(() => received.open(reader, sealed, saidOf(first.payload)), { name: "AuthenticationFailed" });
});

interface Files {
  readonly files: { key: string; size: number; stored_size: number; sha256: string }[];
  readonly file_metadata: { key: string; sealed: string; name: string };
  readonly conversation_metadata: { key: string; sealed: string; name: string };
}

test("files: blobs and metadata", () => {
  const files = vector("files") as Files;
  for (const one of files.files) {
    const encryptor = new FileEncryptor(raw(one.key));
    const size = encryptor.update(fileOf(one.size)).length + concat(...encryptor.finish()).length;
    assert.equal(size, one.stored_size);
    assert.equal(storedSize(one.size), one.stored_size);
    assert.equal(hex(encryptor.sha256), one.sha256);
  }
  const { file_metadata: file, conversation_metadata: conversation } = files;
  assert.equal(openFileMetadata(raw(file.key), raw(file.sealed)).name, file.name);
  assert.equal(
    openConversationMetadata(raw(conversation.key), raw(conversation.sealed)).name,
    conversation.name,
  );
});

interface DerivedVector {
  readonly password: string;
  readonly kdf: { algorithm: string; memory_kib: number; passes: number; lanes: number; salt: string };
  readonly login: string;
  readonly wrap: string;
}

test("password: both halves", () => {
  const { derived } = vector("password") as { derived: DerivedVector[] };
  for (const one of derived) {
    const made = derive(one.password, { ...one.kdf, salt: base64Bytes(one.kdf.salt) ?? new Uint8Array() });
    assert.equal(made.login, one.login);
    assert.equal(hex(made.wrap), one.wrap);
  }
  assert.ok(derived.length > 0);
});
