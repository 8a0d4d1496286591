/**
 * What travels is what the server's own types say: every body and frame of them is known here, their examples
 * are read and written again, and whatever breaks the schema is refused by the member's name.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as auth from "../../messenger/web/client/src/wire/auth.ts";
import { type Codec, Misfit, ID, parsed } from "../../messenger/web/client/src/wire/codec.ts";
import { items } from "../../messenger/web/client/src/wire/basics.ts";
import * as talks from "../../messenger/web/client/src/wire/conversations.ts";
import { CODES, isCode, problemOf } from "../../messenger/web/client/src/wire/errors.ts";
import { FILE } from "../../messenger/web/client/src/wire/files.ts";
import * as frames from "../../messenger/web/client/src/wire/frames.ts";
import * as keys from "../../messenger/web/client/src/wire/keys.ts";
import { PREFERENCES } from "../../messenger/web/client/src/wire/preferences.ts";
import { PUSH_STATE, PUSH_TARGET } from "../../messenger/web/client/src/wire/push.ts";
import { INFO } from "../../messenger/web/client/src/wire/system.ts";
import * as vault from "../../messenger/web/client/src/wire/vault.ts";
import { named, random } from "./files.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly contentEncoding?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}
type Members = Readonly<Record<string, unknown>>;
interface Wire {
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly bodies: Readonly<Record<string, Members>>;
  readonly client: Readonly<Record<string, Members>>;
  readonly server: Readonly<Record<string, Members>>;
}

const WIRE = named("MESSENGER_WIRE") as Wire;

const BODIES: Readonly<Record<string, Codec<unknown>>> = {
  AccountDeletion: auth.ACCOUNT_DELETION,
  Bundle: keys.BUNDLE,
  BundleKemPrekey: keys.KEM_PREKEY,
  BundleOneTimePrekey: keys.ONE_TIME_PREKEY,
  BundleSignedPrekey: keys.SIGNED_PREKEY,
  Change: talks.CHANGE,
  Claim: keys.CLAIM,
  Conversation: talks.CONVERSATION,
  ConversationUpdate: talks.CONVERSATION_UPDATE,
  Device: auth.DEVICE,
  DeviceIdentity: keys.DEVICE_IDENTITY,
  DeviceList: keys.DEVICE_LIST,
  Devices: talks.CONVERSATION_DEVICES,
  Draft: talks.DRAFT,
  Envelope: talks.ENVELOPE,
  File: FILE,
  Identities: keys.IDENTITIES,
  IdentityKey: keys.IDENTITY_KEY,
  Info: INFO,
  Items_Bundle_: keys.BUNDLES,
  Items_Device_: auth.DEVICES,
  Items_Member_: talks.MEMBERS,
  Items_User_: auth.USERS,
  Items_VaultName_: vault.VAULT_NAMES,
  Items_str_: items(ID),
  Kdf: auth.KDF,
  KdfAnswer: auth.KDF_ANSWER,
  KemPrekey: keys.KEM_PREKEY,
  KemPrekeyCount: keys.KEM_PREKEY_COUNT,
  KemPrekeys: keys.KEM_PREKEYS,
  KeyStatus: keys.KEY_STATUS,
  ListedDevice: keys.LISTED_DEVICE,
  Login: auth.LOGIN,
  Member: talks.MEMBER,
  MemberDevice: talks.MEMBER_DEVICE,
  Message: talks.MESSAGE,
  NewConversation: talks.NEW_CONVERSATION,
  NewMember: talks.NEW_MEMBER,
  OneTimePrekey: keys.ONE_TIME_PREKEY,
  OneTimePrekeyCount: keys.ONE_TIME_PREKEY_COUNT,
  OneTimePrekeys: keys.ONE_TIME_PREKEYS,
  Page_Change_: talks.CHANGES,
  Page_Conversation_: talks.CONVERSATIONS,
  Page_Message_: talks.MESSAGES,
  PasswordChange: auth.PASSWORD_CHANGE,
  PasswordOnceMore: auth.PASSWORD_ONCE_MORE,
  PendingDevice: keys.PENDING_DEVICE,
  Preferences: PREFERENCES,
  PushState: PUSH_STATE,
  PushTarget: PUSH_TARGET,
  RecoveryCodes: auth.RECOVERY_CODES,
  Refresh: auth.REFRESH,
  Register: auth.REGISTER,
  RoleChange: talks.ROLE_CHANGE,
  SecondFactor: auth.SECOND_FACTOR,
  Sent: talks.SENT,
  Session: auth.SESSION,
  SignedPrekey: keys.SIGNED_PREKEY,
  Ticket: auth.TICKET,
  TotpCode: auth.TOTP_CODE,
  TotpSecret: auth.TOTP_SECRET,
  User: auth.USER,
  UserLookup: auth.USER_LOOKUP,
  VaultContent: vault.VAULT_CONTENT,
  VaultItem: vault.VAULT_ITEM,
  VaultName: vault.VAULT_NAME,
  VaultVersion: vault.VAULT_VERSION,
};
/** What only administrators and other services ask for. */
const NOT_ASKED_FOR = ["Health", "Readiness", "VerificationKey", "VerificationKeys"];
/** Both kinds of prekey are taken alike. */
const PASSED_OVER = new Set(["BundleKemPrekey.last_resort"]);

type Read = (value: unknown) => unknown;

const readers = new Map<string, { read: Read; write: (value: never) => string; example: Members }>();
for (const [name, codec] of Object.entries(BODIES)) {
  const example = WIRE.bodies[name];
  assert.ok(example, name);
  readers.set(name, {
    read: (value) => codec.read(value),
    write: (value: unknown) => codec.write(value),
    example,
  });
}
for (const [name, example] of Object.entries(WIRE.client))
  readers.set(name, { read: frames.readClientFrame, write: frames.writeFrame, example });
for (const [name, example] of Object.entries(WIRE.server)) {
  if (name !== "ErrorFrame") {
    readers.set(name, {
      read: frames.readFrame,
      write: (value: frames.ServerFrame) => JSON.stringify(value),
      example,
    });
  }
}

test("every body and every frame of the server's is known", () => {
  assert.deepEqual([...Object.keys(BODIES), ...NOT_ASKED_FOR].sort(), Object.keys(WIRE.bodies).sort());
  const types = (side: Readonly<Record<string, Members>>) => Object.values(side).map((one) => one["type"]);
  assert.deepEqual([...frames.CLIENT_TYPES].sort(), types(WIRE.client).sort());
  assert.deepEqual([...frames.SERVER_TYPES].sort(), types(WIRE.server).sort());
});

test("what is read is written so that it is read as the same", () => {
  for (const [name, { read, write, example }] of readers) {
    const found = read(parsed(JSON.stringify(example)).value);
    assert.ok(found !== undefined, name);
    if (name in WIRE.server) continue;
    const again = JSON.parse(write(found as never)) as Members;
    if (!name.includes("Bundle"))
      for (const [member, value] of Object.entries(again)) assert.deepEqual(value, example[member], name);
    assert.deepEqual(read(again), found, name);
  }
});

test("what breaks the schema is refused by the member's name, and the rest is passed over", () => {
  let refused = 0;
  for (const [name, { read, example }] of readers) {
    assert.deepEqual(read({ ...example, "x-new": { y: [null] } }), read(example), name);
    for (const bad of [null, [], "x", 7, true, undefined]) refuses(read, bad, "", name);
    for (const [member, broken] of breaks(name, example)) {
      refuses(read, broken, member, name);
      refused += 1;
    }
  }
  assert.ok(refused > 1_500, String(refused));
});

test("whatever comes is read or refused, and nothing else is thrown", () => {
  const draw = random();
  for (const [name, { read, example }] of readers) {
    for (let round = 0; round < 60; round += 1) {
      const text = JSON.stringify(scrambled(example, draw));
      try {
        read(parsed(text).value);
      } catch (error) {
        assert.ok(error instanceof Misfit, `${name}: ${String(error)} for ${text}`);
      }
    }
  }
});

test("WebSocket messages", () => {
  const { server } = WIRE;
  const pong = '{"type":"pong","ref":"a"}';
  assert.deepEqual(frames.readFrames(pong), [{ type: "pong", ref: "a" }]);
  assert.deepEqual(frames.readFrames(`[${pong},{"type":"x-new","seq":0},${pong}]`).length, 2);
  assert.deepEqual(frames.readFrames("[]"), []);
  const all = Object.values(server);
  assert.equal(frames.readFrames(JSON.stringify(all)).length, all.length);
  for (const bad of [
    "",
    "{",
    "7",
    "null",
    '"x"',
    "{}",
    '{"type":7}',
    "[1]",
    "[[]]",
    '{"type":"pong"}',
    `${pong},`,
  ])
    assert.throws(() => frames.readFrames(bad), { name: "BadFrame" }, bad);
  for (const bad of ['{"type":"pong","ref":"\\ud800"}', '{"type":"prekeys","one_time_prekeys":1.0}'])
    assert.throws(() => frames.readFrames(bad), { name: "BadFrame" }, bad);
  assert.throws(() => frames.readFrames("[".repeat(100_000)), { name: "BadFrame" });
  assert.deepEqual(frames.readFrames('{"type":"__proto__"}'), []);
  assert.deepEqual(frames.readFrames('{"type":"error","ref":7}'), [
    { type: "error", ref: null, problem: { code: "error", detail: "" } },
  ]);
});

test("problems", () => {
  const { ErrorFrame } = WIRE.server;
  assert.ok(ErrorFrame);
  const codes = WIRE.schemas["Problem.code"]?.enum;
  assert.deepEqual(Object.keys(CODES).sort(), [...(codes ?? [])].sort());
  assert.ok(isCode("gone") && !isCode("toString"));
  const id = "01985c3e-8b21-7f4a-8c2d-6f1a5b2c3d4e";
  const said = {
    code: "devices_changed",
    detail: "Changed.",
    missing: [id],
    extra: [],
    digest: "A".repeat(43) + "=",
  };
  assert.deepEqual(problemOf({ ...said, version: 3, retry_after: 2, request_id: "r" }, "x"), {
    code: "devices_changed",
    detail: "Changed.",
    missing: [id],
    extra: [],
    digest: new Uint8Array(32),
    version: 3,
    retryAfter: 2,
    requestId: "r",
  });
  for (const bad of [
    null,
    7,
    "x",
    [],
    { code: 7 },
    { code: "" },
    { missing: [1], version: -1, challenge: {} },
  ])
    assert.deepEqual(problemOf(bad, "http_500"), { code: "http_500", detail: "" });
  assert.equal(problemOf({ title: "Gone" }, "x").detail, "Gone");
});

function refuses(read: Read, broken: unknown, member: string, name: string) {
  try {
    read(broken);
  } catch (error) {
    assert.ok(error instanceof Misfit, `${name}.${member}: ${String(error)}`);
    assert.ok(error.message.includes(member), `${name}.${member}: ${error.message}`);
    return;
  }
  assert.fail(`${name}.${member} was taken: ${JSON.stringify(broken ?? null).slice(0, 200)}`);
}

/** An example with one member broken, in each way in which the schema can be. */
function* breaks(name: string, example: Members): Generator<[string, Members]> {
  const schema = WIRE.schemas[name];
  assert.ok(schema?.properties, name);
  for (const [member, of] of Object.entries(schema.properties)) {
    if (PASSED_OVER.has(`${name}.${member}`) || (member === "type" && name !== "NewConversation")) continue;
    if (schema.required?.includes(member) === true) {
      const { [member]: _, ...rest } = example;
      yield [member, rest];
    }
    for (const value of misfits(member, of, example[member])) yield [member, { ...example, [member]: value }];
  }
}

/** Values that do not fit a schema. */
function* misfits(member: string, schema: Schema, example: unknown): Generator {
  const kinds = schema.anyOf ?? [schema];
  const types = kinds.map((one) => one.type ?? (one.$ref === undefined ? "string" : "object"));
  if (
    !types.includes("null") &&
    !("default" in schema && schema.default === null) &&
    member !== "conversation"
  )
    if (!isOptional(member)) yield null;
  if (!types.includes("string")) yield "x";
  if (!types.includes("integer")) yield 7;
  if (!types.includes("object")) yield {};
  if (!types.includes("array")) yield [[]];
  if (!types.includes("boolean")) yield true;
  for (const one of kinds) {
    if (one.type === "integer") {
      yield* [1.5, "1", Number.NaN, 2 ** 53, -(2 ** 53)];
      yield (one.minimum ?? 0) - 1;
      if (one.maximum !== undefined) yield one.maximum + 1;
      if (one.exclusiveMaximum !== undefined) yield one.exclusiveMaximum;
    }
    if (one.enum !== undefined) yield* ["", "x-new", String(one.enum[0]).toUpperCase()];
    if (one.maxLength !== undefined) yield "x".repeat(one.maxLength + 1);
    if (one.minLength !== undefined) yield "x".repeat(one.minLength - 1);
    if (one.type === "array" && Array.isArray(example)) {
      if (one.maxItems !== undefined) yield Array<unknown>(one.maxItems + 1).fill(example[0]);
      if (one.minItems !== undefined) yield example.slice(0, one.minItems - 1);
      yield* [[null], [7], [[example[0]]]];
    }
    if (one.contentEncoding === "base64") {
      yield* ["A", "AA", "AAA", "AB==", "AAB=", "====", "A===", "AA==AA==", "-_8=", "A A=", "AAAé"];
      if (SIZED.has(member)) yield* ["", "AA==", `${String(example)}AAAA`];
    }
    if (one.type === "string" && isTime(member))
      yield* [
        "",
        "yesterday",
        "2026-02-30T00:00:00.000Z",
        "2026-01-31T09:30:00Z",
        "2026-01-31T09:30:00.123+00:00",
      ];
    if (one.type === "string" && isIdMember(member))
      yield* ["", "x", String(example).slice(1), `${String(example)}0`, String(example).replaceAll("-", "")];
  }
}

const SIZED = new Set([
  ...["identity_key", "public_key", "account_key", "signature", "digest", "devices_digest", "salt"],
  ...["sha256", "p256dh", "auth", "vapid_key"],
]);

function isTime(member: string): boolean {
  return member.endsWith("_at") || member === "server_time";
}

function isIdMember(member: string): boolean {
  return member.endsWith("_id");
}

/** Members that are left out where they say nothing: null is as good as missing. */
function isOptional(member: string): boolean {
  return ["pending", "user_id", "role", "seq", "next"].includes(member);
}

/** A value with some place in it replaced by something else. */
function scrambled(value: unknown, draw: () => number): unknown {
  const pick = <T>(...from: readonly T[]): T => from[Math.floor(draw() * from.length)] as T;
  if (draw() < 0.12)
    return pick<unknown>(
      null,
      true,
      0,
      -1,
      1.5,
      1e300,
      "",
      "x",
      "\u0000",
      [],
      {},
      [[]],
      { type: "pong" },
      "é".repeat(99),
    );
  if (Array.isArray(value)) {
    const some = value.map((one) => scrambled(one, draw));
    return draw() < 0.2 ? [...some, ...some] : some;
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(() => draw() > 0.03);
    return Object.fromEntries(
      entries.map(([name, one]) => [name, name === "type" ? one : scrambled(one, draw)]),
    );
  }
  if (typeof value === "string" && draw() < 0.1) {
    const at = Math.floor(draw() * value.length);
    return value.slice(0, at) + pick("", "=", "A", "é", "-") + value.slice(at + 1);
  }
  return value;
}
