/** The rules for passwords, as the server and the Python client judge. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";

import { commonWords } from "../../messenger/web/client/src/engine/passwords.ts";
import { fault } from "../../messenger/web/client/src/wire/passwords.ts";

const COMMON = "This password is among the first that anyone would try.";

test("passwords that anyone would try are refused, and no others", async () => {
  const words = await commonWords();
  for (const password of ["Password123!", "qwertyuiop", "iloveyou2023", "hunter2hunter2", "alice-2024!"]) {
    assert.equal(fault(password, "alice", words), COMMON, password);
  }
  for (const password of ["correct horse battery", "tr0ub4dor&3x", "my voice is my passport"]) {
    assert.equal(fault(password, "alice", words), undefined, password);
  }
  assert.match(fault("too short", "alice", words) ?? "", /10 to 1,024 bytes/);
  assert.equal(fault("\ud800".repeat(9), "alice", words), "The password is not Unicode text.");
});

test("both clients judge alike", async (context) => {
  const path = process.env["MESSENGER_PASSWORDS"];
  if (path === undefined) {
    context.skip("MESSENGER_PASSWORDS names no file");
    return;
  }
  const words = await commonWords();
  const examples = JSON.parse(readFileSync(path, "utf8")) as [string, string, string | null][];
  let refused = 0;
  for (const [password, name, sentence] of examples) {
    assert.equal(fault(password, name, words) ?? null, sentence, JSON.stringify([password, name]));
    if (sentence !== null) refused += 1;
  }
  assert.ok(refused > examples.length / 5 && refused < examples.length, String(refused));
});
