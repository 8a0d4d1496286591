/** Texts and times: links, names of others in our sentences, dates as the browser writes them, drafts. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  hueOf,
  initialOf,
  isolated,
  lineOf,
  piecesOf,
} from "../../../messenger/web/client/src/ui/rules/texts.ts";
import {
  dayNameOf,
  localeOf,
  shortTimeOf,
  timeOf,
} from "../../../messenger/web/client/src/ui/rules/times.ts";
import { draftOf, keepDraft } from "../../../messenger/web/client/src/ui/state/drafts.ts";

const links = (text: string) => piecesOf(text).flatMap(({ link }) => (link === null ? [] : [link]));
const whole = (text: string) =>
  piecesOf(text)
    .map((one) => one.text)
    .join("");

test("a link leads where it says, and nothing of the text is lost", () => {
  assert.deepEqual(links("See https://example.org/a?b=c#d."), ["https://example.org/a?b=c#d"]);
  assert.deepEqual(links("(https://example.org/wiki/A_(b)), http://x.example"), [
    "https://example.org/wiki/A_(b)",
    "http://x.example/",
  ]);
  assert.deepEqual(links("HTTPS://EXAMPLE.org"), ["https://example.org/"]);
  for (const text of ["", "no link", "a https://example.org b", "https://", "x https://a.example/(b)."]) {
    assert.equal(whole(text), text);
  }
});

test("nothing but the web is a link", () => {
  for (const text of [
    "javascript:alert(1)",
    "data:text/html,<script>1</script>",
    "file:///etc/passwd",
    "https://",
    "https://[",
    "www.example.org",
    "<img src=x onerror=alert(1)>",
  ]) {
    assert.deepEqual(links(text), [], text);
    assert.equal(whole(text), text);
  }
  // What turns a text round ends a link.
  assert.deepEqual(links("https://example.org/\u202egpj.exe"), ["https://example.org/"]);
});

test("a text full of links has an end", () => {
  const text = "https://a.example ".repeat(5_000);
  assert.ok(links(text).length <= 101);
  assert.equal(whole(text), text);
});

test("what others have chosen can't turn our sentences round", () => {
  assert.equal(isolated("ann"), "\u2068ann\u2069");
  assert.equal(isolated("a\u202eb\u2066c\u2069\u0000d\ne"), "\u2068a b c d e\u2069");
  assert.equal(lineOf(" a\n\n b\tc "), "a b c");
  assert.equal(lineOf("x".repeat(100_000)).length, 200);
  assert.equal(initialOf("ann"), "A");
  assert.equal(initialOf("\u202e\u2066"), "?");
  assert.equal(initialOf("🌷 garden"), "🌷");
  const hues = ["ann", "ben", "cleo", "", "\u{10ffff}"].map((name) => hueOf(name, 8));
  assert.ok(hues.every((one) => Number.isInteger(one) && one >= 0 && one < 8));
  assert.equal(hueOf("ann", 8), hueOf("ann", 8));
});

const NOW = new Date(2026, 4, 17, 15, 30).getTime();
const at = (day: number, hour: number, minute = 0) => new Date(2026, 4, day, hour, minute).getTime();

test("days are named as people do", () => {
  assert.equal(dayNameOf(at(17, 0, 1), NOW, "en"), "Today");
  assert.equal(dayNameOf(at(16, 23, 59), NOW, "en"), "Yesterday");
  assert.equal(dayNameOf(at(16, 1), NOW, "de"), "Gestern");
  assert.equal(dayNameOf(at(14, 12), NOW, "en-GB"), "Thursday 14 May");
  assert.equal(dayNameOf(new Date(2024, 1, 3).getTime(), NOW, "de"), "3. Februar 2024");
  // A clock that goes ahead.
  assert.equal(dayNameOf(at(19, 12), NOW, "en-GB"), "19 May 2026");
});

test("times in a list are short", () => {
  assert.equal(timeOf(at(17, 9, 5), "de"), "09:05");
  assert.equal(shortTimeOf(at(17, 9, 5), NOW, "de"), "09:05");
  assert.equal(shortTimeOf(at(16, 9), NOW, "de"), "Gestern");
  assert.equal(shortTimeOf(at(13, 9), NOW, "en"), "Wed");
  assert.equal(shortTimeOf(at(1, 9), NOW, "de"), "01.05.26");
});

test("dates are of the browser's own variant of the language", () => {
  assert.equal(localeOf("en", ["de-AT", "en-GB"]), "en-GB");
  assert.equal(localeOf("de", ["fr", "en-GB"]), "de");
});

test("a draft is kept for each conversation until it is sent or emptied", () => {
  keepDraft("a", "begun");
  keepDraft("b", "another");
  assert.deepEqual([draftOf("a"), draftOf("b"), draftOf("c")], ["begun", "another", ""]);
  keepDraft("a", "");
  assert.deepEqual([draftOf("a"), draftOf("b")], ["", "another"]);
});
