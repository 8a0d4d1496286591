/** What the screens of people, groups, files and warnings go by. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { WARNINGS } from "../../../messenger/web/client/src/engine/events.ts";
import { squares } from "../../../messenger/web/client/src/ui/parts/qr.tsx";
import { isPicture, placeOf, plainName, sizeOf } from "../../../messenger/web/client/src/ui/rules/files.ts";
import { doubtOf, rolesOf } from "../../../messenger/web/client/src/ui/rules/groups.ts";
import { inWords, remedyOf } from "../../../messenger/web/client/src/ui/rules/warnings.ts";
import { de } from "../../../messenger/web/client/src/ui/words/de.ts";
import { en } from "../../../messenger/web/client/src/ui/words/en.ts";
import type { ShownWarning } from "../../../messenger/web/client/src/worker/protocol.ts";

test("a file's name is what it looks like, and leads nowhere", () => {
  assert.equal(plainName("holiday\u202egnp.exe"), "holidaygnp.exe");
  assert.equal(plainName("../../etc/passwd"), "_.._etc_passwd");
  assert.equal(plainName("a\u0000b\u200bc\n.txt"), "abc.txt");
  assert.equal(plainName('con:"<>|?*.txt'), "con_.txt");
  assert.equal(plainName(".bashrc"), "bashrc");
  for (const nothing of ["", "   ", "\u202e", "..."]) assert.equal(plainName(nothing), "file");
  const long = plainName(`${"ä".repeat(500)}.jpeg`);
  assert.deepEqual([Array.from(long).length, long.slice(-5)], [120, ".jpeg"]);
  assert.equal(plainName("Übersicht – größer.pdf"), "Übersicht – größer.pdf");
});

test("sizes stand in the words of a language", () => {
  assert.equal(sizeOf(0, "en"), "0 bytes");
  assert.equal(sizeOf(1, "en"), "1 byte");
  assert.equal(sizeOf(1_500, "en"), "1.5 kB");
  assert.equal(sizeOf(1_500, "de"), "1,5 kB");
  assert.equal(sizeOf(123_400_000, "en"), "123 MB");
  assert.equal(sizeOf(2 ** 40, "en"), "1,100 GB");
});

test("a picture is shown where it is said to be one and small enough, in a place that is neither line nor tower", () => {
  const said = (size: number, width = 4, height = 3) => ({ file: { size }, width, height });
  assert.ok(isPicture(said(1_000)));
  assert.ok(!isPicture(said(0)) && !isPicture(said(5 * 1_048_576)) && !isPicture(said(1_000, 0, 0)));
  assert.ok(!isPicture({ file: null, width: 4, height: 3 }));
  assert.deepEqual(placeOf(640, 480, 320), { width: 320, height: 240 });
  assert.deepEqual(placeOf(240, 120, 320), { width: 240, height: 120 });
  assert.deepEqual(placeOf(10_000, 1, 320), { width: 320, height: 107 });
  assert.deepEqual(placeOf(1, 10_000, 320), { width: 48, height: 96 });
});

const warning = (said: Partial<ShownWarning>): ShownWarning => ({
  ...{ id: 1, event: "message_rejected", reason: "", detail: "", conversation_id: null, user_id: null },
  ...{ device_id: null, seq: null, file_id: null, was_verified: false, accepted: false, times: 1 },
  ...{ first_at: 0, last_at: 0, username: null, talk: null, refuses: false },
  ...said,
});

test("each warning says what has happened, what it may mean and what to do, in each language", () => {
  const kinds = [...WARNINGS, "device_waiting", "history_restarted"];
  for (const words of [en, de]) {
    assert.deepEqual(Object.keys(words.warnings.kinds).sort(), [...kinds].sort());
    const all = [...kinds.map((event) => warning({ event })), warning({ event: "identity_changed" })];
    all.push(warning({ event: "identity_changed", refuses: true }));
    const said = all.map((one) => inWords(one, words, "Ben"));
    for (const { happened, means, todo } of said) assert.ok(happened !== "" && means !== "" && todo !== "");
    assert.equal(new Set(said.map(({ happened, means }) => happened + means)).size, all.length);
    const unknown = inWords(warning({ event: "constructor" }), words, "");
    assert.equal(unknown.happened, words.warnings.unknown.happened);
    assert.match(inWords(warning({}), words, "").happened, new RegExp(words.warnings.somebody));
  }
});

test("what can be done about a warning fits whom and where it is about", () => {
  assert.equal(remedyOf(warning({ event: "identity_changed", username: "ben" })), "compare");
  assert.equal(remedyOf(warning({ event: "identity_changed" })), null);
  assert.equal(remedyOf(warning({ event: "device_waiting" })), "devices");
  assert.equal(remedyOf(warning({ event: "audience_refused", conversation_id: "c" })), "members");
  assert.equal(remedyOf(warning({ event: "audience_refused" })), null);
  assert.equal(remedyOf(warning({ event: "toString" })), null);
});

test("of a member is said whether anybody vouches for it", () => {
  const said = { vouched: true, listed: true, inRoster: true };
  assert.equal(doubtOf(said), null);
  assert.equal(doubtOf({ ...said, inRoster: false, vouched: false }), "unvouched");
  assert.equal(doubtOf({ ...said, vouched: false }), "unconfirmed");
  assert.equal(doubtOf({ ...said, listed: false }), "unlisted");
  assert.deepEqual(
    ["owner", "admin", "member", ""].map((role) => rolesOf(role).leads),
    [true, true, false, false],
  );
  assert.ok(rolesOf("owner").owns && !rolesOf("admin").owns);
});

test("a QR code has its three corners, and a border around", () => {
  const { size, path } = squares("https://chat.example.org/#contact=AAAA");
  assert.ok(size >= 29 + 8);
  const last = String(size - 4 - 7);
  for (const corner of ["M4 4h7v1h-7z", `M${last} 4h7v1h-7z`, `M4 ${last}h7v1h-7z`]) {
    assert.ok(path.includes(corner), corner);
  }
  assert.doesNotMatch(path, /M[0-3] |M\d+ [0-3]h/);
});
