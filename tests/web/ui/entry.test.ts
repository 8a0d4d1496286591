/** What the way in judges by itself, and what it says of what went wrong. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { faultsOfLogin, faultsOfNew, nameOf } from "../../../messenger/web/client/src/ui/rules/entry.ts";
import { reasonOf } from "../../../messenger/web/client/src/ui/rules/reasons.ts";
import { registrationOf } from "../../../messenger/web/client/src/ui/state/server.ts";
import { en } from "../../../messenger/web/client/src/ui/words/en.ts";
import { CallFailed } from "../../../messenger/web/client/src/worker/protocol.ts";

const FORM = { username: "ann", password: "correct horse", invite: "", code: "" };

test("a new account wants a name, a password that is long enough, and an invite where the server does", () => {
  assert.deepEqual(faultsOfNew(FORM, false), {});
  assert.deepEqual(faultsOfNew({ ...FORM, username: " Ann.B-2_c " }, false), {});
  assert.equal(nameOf(" Ann.B-2_c "), "ann.b-2_c");
  assert.deepEqual(faultsOfNew({ ...FORM, username: " ", password: "" }, true), {
    username: "name_wanted",
    password: "password_wanted",
    invite: "invite_wanted",
  });
  for (const username of ["an", "2ann", "änn", "a n n", `a${"n".repeat(32)}`, "ann\u202e"]) {
    assert.deepEqual(faultsOfNew({ ...FORM, username }, false), { username: "name_bad" }, username);
  }
  assert.deepEqual(faultsOfNew({ ...FORM, password: "123456789" }, false), { password: "password_short" });
  assert.deepEqual(faultsOfNew({ ...FORM, password: "ääääa" }, false), { password: "password_short" });
  assert.deepEqual(faultsOfNew({ ...FORM, password: "äääää" }, false), {});
  assert.deepEqual(faultsOfNew({ ...FORM, password: "x".repeat(1_025) }, false), {
    password: "password_long",
  });
});

test("a login takes any password, and wants a code once the server has asked for one", () => {
  assert.deepEqual(faultsOfLogin({ ...FORM, password: "x" }, false), {});
  assert.deepEqual(faultsOfLogin({ ...FORM, password: "" }, true), {
    password: "password_wanted",
    code: "code_wanted",
  });
});

test("each error has words, and none of them is its own text", () => {
  const failed = (name: string, code: string) =>
    new CallFailed({ name, code, message: "0xdead at Table.run" });
  assert.equal(reasonOf(failed("Refused", "username_taken")), "name_taken");
  assert.equal(reasonOf(failed("Unreachable", "error")), "away");
  assert.equal(reasonOf(failed("StoreFull", "store_full")), "store_full");
  assert.equal(reasonOf(failed("Busy", "rate_limited")), "busy");
  for (const odd of [
    failed("TypeError", "error"),
    failed("constructor", "toString"),
    null,
    "text",
    new Error("x"),
  ]) {
    assert.equal(reasonOf(odd), "unknown");
  }
  for (const text of Object.values(en.errors)) assert.match(text, /^[A-Z].*[.?]$/);
});

test("how one gets an account is what the server says, or not known", () => {
  assert.equal(registrationOf({ registration: "invite" }), "invite");
  for (const said of [null, "open", {}, { registration: "maybe" }, { registration: 1 }]) {
    assert.equal(registrationOf(said), null);
  }
});
