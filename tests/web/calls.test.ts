/** What the worker is asked: each call in its form; one in another form is refused before anything is done. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { Host } from "../../messenger/web/client/src/worker/host.ts";
import type {
  Ask,
  Calls,
  FromWorker,
  Method,
  Outcome,
} from "../../messenger/web/client/src/worker/protocol.ts";
import { freshName } from "./store/world.ts";

const [SOME, OTHER] = [crypto.randomUUID(), crypto.randomUUID()];
const BEN = { username: "ben" };
const HERE = { conversationId: SOME };

/** One of each. */
const EXAMPLES: { readonly [M in Method]: Calls[M]["asked"] } = {
  register: { ...BEN, password: "umbrella kettle ninety", deviceName: "here", lock: true, invite: "letters" },
  login: { ...BEN, password: "umbrella kettle ninety", secondFactor: "123456" },
  unlock: { password: "umbrella kettle ninety" },
  logout: null,
  forget: null,
  connect: null,
  conversations: null,
  direct: BEN,
  history: { ...HERE, limit: 50, before: 7 },
  send: { ...HERE, clientId: OTHER, text: "hello" },
  read: { ...HERE, upTo: 7 },
  typing: { ...HERE, isTyping: true },
  presence: { status: "away" },
  newGroup: { clientId: OTHER, title: "Walks", members: ["ben"] },
  rename: { ...HERE, title: "Longer walks" },
  members: HERE,
  addMember: { ...HERE, ...BEN, role: "admin" },
  removeMember: { ...HERE, ...BEN },
  setRole: { ...HERE, ...BEN, role: "owner" },
  confirmMember: { ...HERE, ...BEN },
  leave: HERE,
  person: BEN,
  contacts: null,
  safetyNumber: BEN,
  verify: { ...BEN, proof: null },
  acceptIdentity: { ...BEN, digits: "12345" },
  block: BEN,
  unblock: BEN,
  blocks: null,
  link: null,
  addContact: { link: "https://chat.example.org/#contact=AAAA" },
  devices: null,
  removeDevice: { deviceId: SOME },
  deviceCode: null,
  deviceOf: { code: "abcd" },
  approveDevice: { code: "abcd", deviceId: SOME },
  retry: { ...HERE, id: 1, clientId: OTHER },
  edit: { id: 1, text: "hullo" },
  remove: { id: 1 },
  warnings: HERE,
  settle: { id: 1 },
  drafts: null,
  draft: HERE,
  sendFile: { ...HERE, transfer: OTHER, clientId: OTHER, file: new Blob(["a"]), name: "a.txt", text: "" },
  fetchFile: { transfer: OTHER, id: 1, most: 1_000 },
  cancel: { transfer: OTHER },
  keepDraft: { ...HERE, text: "hel" },
};
/** Members that may be left out. */
const OPTIONAL = new Set([
  "deviceName",
  "lock",
  "invite",
  "secondFactor",
  "before",
  "upTo",
  "most",
  "addMember.role",
  "warnings.conversationId",
]);
/** No text, number, object, list or bytes of any call. */
const NONSENSE: readonly unknown[] = [-1, 0.5, Number.NaN, 1e300, () => 1, new Uint8Array(3), [[]], { a: 1 }];
const LONG = "x".repeat(1_100_000);

/** A host without an account, and what it answers. */
function hosted(): { host: Host; ask: (method: string, asked: unknown) => Promise<Outcome> } {
  const said: FromWorker[] = [];
  const settings = { profile: freshName(), server: "https://chat.example.org", network: new EventTarget() };
  const host = new Host({ ...settings, say: (one) => said.push(one) });
  const ask = async (method: string, asked: unknown): Promise<Outcome> => {
    await host.ask({ tab: "tab", call: 1, method, asked } as Ask);
    const last = said.at(-1);
    assert.ok(last?.say === "answer");
    return last.answer.outcome;
  };
  return { host, ask };
}

function codeOf(outcome: Outcome): string {
  return "error" in outcome ? outcome.error.code : "ok";
}

const ACCOUNT = ["register", "login", "unlock", "logout", "forget", "connect"];

for (const [method, asked] of Object.entries(EXAMPLES)) {
  test(`${method} is asked in its form, or refused`, async () => {
    const { host, ask } = hosted();
    await host.begin();
    // What fits gets as far as to find that nothing is open.
    if (!ACCOUNT.includes(method)) assert.equal(codeOf(await ask(method, asked)), "not_open");
    const wrong: unknown[] = [...NONSENSE, undefined, "text", []];
    wrong.push(asked === null ? {} : null);
    for (const [name, value] of Object.entries(asked ?? {})) {
      for (const other of [...NONSENSE, LONG, undefined]) {
        if (other !== undefined || !(OPTIONAL.has(name) || OPTIONAL.has(`${method}.${name}`)))
          wrong.push({ ...asked, [name]: other });
      }
      if (typeof value === "string" && name !== "text") wrong.push({ ...asked, [name]: 7 });
      if (Array.isArray(value)) wrong.push({ ...asked, [name]: Array(2_000).fill(value[0]) });
    }
    for (const one of wrong) {
      const outcome = await ask(method, one);
      assert.equal(codeOf(outcome), "bad_call", String(one).slice(0, 200));
    }
  });
}

test("what is no call is refused, whatever it is called", async () => {
  const { host, ask } = hosted();
  await host.begin();
  for (const method of ["", "nothing", "constructor", "toString", "__proto__", "hasOwnProperty"]) {
    const outcome = await ask(method, null);
    assert.ok("error" in outcome);
    assert.deepEqual([outcome.error.name, outcome.error.code], ["BadCall", "bad_call"]);
  }
});

test("what a call is refused for names the member, and none of what was said", async () => {
  const { host, ask } = hosted();
  await host.begin();
  const outcome = await ask("login", { username: "ben", password: 4_711 });
  assert.ok("error" in outcome);
  assert.match(outcome.error.message, /password/);
  assert.doesNotMatch(outcome.error.message, /4711|ben/);
});
