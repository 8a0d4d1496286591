/** What Python and JavaScript would judge differently, and have to judge alike. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeBody, encodeBody } from "../../messenger/web/client/src/e2e/bodies.ts";
import { decodePayload, encodePayload, newPayload } from "../../messenger/web/client/src/e2e/index.ts";
import {
  base32,
  base32Bytes,
  base64,
  base64Bytes,
  base64url,
  base64urlBytes,
  codePoints,
  hex,
  hexBytes,
  utf8,
  utf8Text,
} from "../../messenger/web/client/src/wire/bytes.ts";
import { MAX_DEPTH, parse } from "../../messenger/web/client/src/wire/json.ts";
import { textOf } from "./scenarios/sessions.ts";

const ID = "0c9a4b1e-6f0f-4a39-9d2b-5f5f0a1b2c3d";
const PAYLOAD = `{"conversation_id":"${ID}","sender_id":"${ID}","sender_device_id":"${ID}","client_id":"${ID}","kind":"text","number":1,"sent_at":"","body":{"type":"text","text":"hello"}}`;

test("base64 has padding, no spaces and one alphabet", () => {
  for (let size = 0; size < 70; size += 1) {
    const raw = Uint8Array.from({ length: size }, (_, at) => (at * 89 + size) % 256);
    assert.deepEqual(base64Bytes(base64(raw), true), raw);
    assert.equal(base64(raw), Buffer.from(raw).toString("base64"));
    assert.deepEqual(base64urlBytes(base64url(raw)), raw);
    assert.equal(base64url(raw), Buffer.from(raw).toString("base64url"));
    if (size % 5 === 0) assert.deepEqual(base32Bytes(base32(raw)), raw);
    assert.deepEqual(hexBytes(hex(raw)), raw);
  }
  for (const bad of [
    "A",
    "AA",
    "AAA",
    "AA=",
    "A===",
    "====",
    "=",
    "AA==AA==",
    "A A=",
    "AA\n=",
    "A-_A",
    "AAAé",
  ]) {
    assert.equal(base64Bytes(bad), undefined, bad);
  }
  for (const bad of ["AB==", "AAB="]) {
    assert.notEqual(base64Bytes(bad), undefined, "as Python's clients take it in payloads");
    assert.equal(base64Bytes(bad, true), undefined, bad);
  }
  for (const bad of ["A", "AA=", "A+A", "A/A", "AAAAA", "AA AA"])
    assert.equal(base64urlBytes(bad), undefined, bad);
  for (const bad of ["AAAAAAA", "AAAAAAA1", "aaaaaaaa", "AAAAAAA="])
    assert.equal(base32Bytes(bad), undefined, bad);
  for (const bad of ["a", "0g", " 00", "0x00"]) assert.equal(hexBytes(bad), undefined, bad);
});

test("UTF-8 is strict, and a byte order mark is no space", () => {
  for (const bad of ["ff", "c080", "e080af", "eda080", "edb080", "f4908080", "f0808080", "c3", "e282"]) {
    assert.equal(utf8Text(hexBytes(bad) ?? new Uint8Array()), undefined, bad);
  }
  assert.equal(utf8Text(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa");
  assert.throws(() => decodePayload(utf8(`\ufeff${PAYLOAD}`)), { name: "Malformed" });
  for (const place of ['"text":"hello"', '"kind":"text"', '"sent_at":""']) {
    const bytes = utf8(PAYLOAD.replace(place, place.replace(/"(\w*)"$/, '"$1?"')));
    bytes[bytes.indexOf("?".charCodeAt(0))] = 0xff;
    assert.throws(() => decodePayload(bytes), { name: "Malformed" });
  }
});

test("whole numbers are exact, and lengths are counted in code points", () => {
  assert.equal(codePoints("a🙂é漢\u{1f600}"), 5);
  assert.equal(codePoints("\ud83d"), 1);
  const reference = `"message":{"device_id":"","client_id":""}`;
  assert.equal(decodeBody(`{"type":"reaction",${reference},"emoji":"${"🙂".repeat(64)}"}`).type, "reaction");
  assert.throws(() => decodeBody(`{"type":"reaction",${reference},"emoji":"${"🙂".repeat(65)}"}`), {
    name: "Malformed",
  });
  for (const [written, value] of [
    ["9007199254740991", 9_007_199_254_740_991],
    ["-0", 0],
    ["0", 0],
    ["-12", -12],
  ] as const) {
    assert.ok(Object.is(parse(written).value, value), written);
  }
  for (const written of [
    "1.0",
    "1e2",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "1e400",
  ]) {
    assert.ok(Number.isNaN(parse(written).value), written);
  }
});

test("JSON is read strictly, and its spelling is kept", () => {
  const bad = [
    "",
    " ",
    "{",
    "[",
    '"',
    "nul",
    "True",
    "01",
    "+1",
    ".5",
    "1.",
    "1e",
    "--1",
    "0x1",
    "[1,]",
    "{,}",
    '{"a"}',
  ];
  const worse = [
    '{"a":1,}',
    "{'a':1}",
    '"\\x41"',
    '"\\u12g4"',
    '"\t"',
    "NaN",
    "Infinity",
    "1 2",
    "[1 2]",
    "/**/1",
  ];
  for (const text of [...bad, ...worse, '"\ud800"', '"\\ud800"', '"\\udc00\\ud800"', "\u00a01", "\ufeff1"]) {
    assert.throws(() => parse(text), { name: "NoJson" }, JSON.stringify(text));
  }
  for (const text of [
    PAYLOAD,
    '["\\u0000\\"\\\\\\/\\b\\f\\n\\r\\t", true, false, null, {}, []]',
    ' \t\r\n"\u2028" ',
  ]) {
    const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
    assert.deepEqual(plain(parse(text).value), JSON.parse(text));
  }
  const odd = ' {"10":1, "2" : [ 1.50 ],"__proto__":{"x":1},"b":{"b":2},"2": {"é" : 1e0 } }\n';
  const { value, spelled } = parse(odd);
  assert.deepEqual(
    [...spelled],
    [
      ["10", "1"],
      ["2", '{"é" : 1e0 }'],
      ["__proto__", '{"x":1}'],
      ["b", '{"b":2}'],
    ],
  );
  assert.equal(Object.getPrototypeOf(value), null);
  assert.equal(parse("[".repeat(MAX_DEPTH) + "]".repeat(MAX_DEPTH)).spelled.size, 0);
  assert.throws(() => parse("[".repeat(100_000)), { name: "NoJson" });
});

test("a body keeps its spelling from one encoding to the next", () => {
  const body = '{"2":1, "type":"x-new","1":[1.0,"\\u00e9"],"__proto__":null}';
  const payload = decodePayload(utf8(PAYLOAD.replace('{"type":"text","text":"hello"}', body)));
  assert.equal(payload.body, body);
  assert.ok(textOf(encodePayload(payload)).endsWith(`"body":${body}}`));
  assert.deepEqual(decodeBody(body), { type: null, unknown: "x-new" });
});

test("what is written is in one order, and Unicode", () => {
  const reply = { client_id: "c", device_id: "d" };
  assert.equal(
    encodeBody({ reply_to: reply, text: 'é"\\\u0000\u2028', type: "text" }),
    '{"type":"text","text":"é\\"\\\\\\u0000\u2028","reply_to":{"device_id":"d","client_id":"c"}}',
  );
  const device = { userId: ID, deviceId: ID };
  const about = { conversation_id: ID.toUpperCase(), client_id: ID, kind: "text", number: 1, sent_at: "" };
  const payload = newPayload(device, about, { type: "text", text: "hello" });
  assert.equal(textOf(encodePayload(payload)), PAYLOAD);
  assert.throws(() => encodeBody({ type: "text", text: "\ud83d" }), { name: "Malformed" });
});
