/** What screens go by: addresses, words by number and language, the look that was chosen, the connection's banner. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { bannerOf } from "../../../messenger/web/client/src/ui/rules/connection.ts";
import { PLAIN, readLook } from "../../../messenger/web/client/src/ui/state/look.ts";
import { HOME, type Route, hashOf, routeOf } from "../../../messenger/web/client/src/ui/state/routes.ts";
import { settleWarning, warn, warningsOf } from "../../../messenger/web/client/src/ui/state/warnings.ts";
import { de } from "../../../messenger/web/client/src/ui/words/de.ts";
import { en } from "../../../messenger/web/client/src/ui/words/en.ts";
import { pick } from "../../../messenger/web/client/src/ui/words/index.ts";
import { plurals } from "../../../messenger/web/client/src/ui/words/plural.ts";
import { OPENING } from "../../../messenger/web/client/src/worker/protocol.ts";

const TALK: Route = { screen: "talk", given: { conversation: "a secret id" } };

test("an address names the screen alone, and leads there by the history's state", () => {
  assert.equal(hashOf(TALK), "#talk");
  assert.deepEqual(routeOf(hashOf(TALK), TALK.given), TALK);
  assert.equal(hashOf(HOME), "#");
  assert.deepEqual(routeOf("", null), HOME);
});

test("an address that leads nowhere leads home", () => {
  for (const hash of ["#nowhere", "#constructor", "#__proto__", "#talk"]) {
    assert.deepEqual(routeOf(hash, null), HOME, hash);
  }
  for (const state of [{ conversation: "" }, { conversation: 7 }, "a text", []]) {
    assert.deepEqual(routeOf("#talk", state), HOME, JSON.stringify(state));
  }
});

test("words have the form of their number", () => {
  assert.equal(en.talks.unread(1), "1 unread message");
  assert.equal(en.talks.unread(1_234), "1,234 unread messages");
  assert.equal(de.talks.unread(1), "1 ungelesene Nachricht");
  assert.equal(de.talks.unread(1_234), "1.234 ungelesene Nachrichten");
  const polish = plurals("pl");
  const forms = { one: "# plik", few: "# pliki", many: "# plików", other: "# pliku" };
  assert.deepEqual(
    [1, 3, 5, 22].map((count) => polish(count, forms)),
    ["1 plik", "3 pliki", "5 plików", "22 pliki"],
  );
  assert.equal(polish(3, { other: "# x" }), "3 x");
});

test("no language lacks a word, or has one that another lacks", () => {
  const names = (said: object, at = ""): string[] =>
    Object.entries(said).flatMap(([name, value]) =>
      typeof value === "object" && !Array.isArray(value)
        ? names(value as object, `${at}${name}.`)
        : [`${at}${name}`],
    );
  assert.deepEqual(names(de).sort(), names(en).sort());
});

test("the language is the first of the browser's that there is", () => {
  assert.equal(pick(["de-AT", "en"]), "de");
  assert.equal(pick(["fr", "EN-us"]), "en");
  assert.equal(pick(["fr", "toString"]), "en");
  assert.equal(pick([]), "en");
});

test("a look that was kept holds as far as it is one", () => {
  const look = { theme: "dark", contrast: "more", language: "de" };
  assert.deepEqual(readLook(JSON.stringify(look)), look);
  assert.deepEqual(readLook(JSON.stringify({ ...look, theme: "pink", language: 3 })), {
    ...PLAIN,
    contrast: "more",
  });
  for (const kept of [null, "", "{", "null", "[]", '"dark"']) assert.deepEqual(readLook(kept), PLAIN);
});

test("the banner says what is wrong with the connection, and when it is tried again", () => {
  const open = { ...OPENING, profile: "open", username: "ann" } as const;
  const at = (connection: typeof OPENING.connection, isOnLine = true): ReturnType<typeof bannerOf> =>
    bannerOf({ ...open, connection, retryAt: 12_500 }, isOnLine, 1_000);
  assert.equal(at("online"), null);
  assert.equal(at("connecting"), null);
  assert.deepEqual(at("offline"), { say: "away", seconds: 12 });
  assert.deepEqual(at("offline", false), { say: "offline", seconds: 12 });
  assert.deepEqual(bannerOf({ ...open, connection: "offline" }, true, 0), { say: "away", seconds: null });
  // The next try is due, and has not begun.
  assert.deepEqual(bannerOf({ ...open, connection: "offline", retryAt: 1 }, true, 9_000), {
    say: "away",
    seconds: 0,
  });
  assert.equal(at("waiting_for_approval"), null); // it has a screen
  for (const one of ["session_ended", "taken_over", "removed"] as const) {
    assert.deepEqual(at(one), { say: one });
  }
});

test("a warning stands once where it belongs until it is dealt with", () => {
  const made = {
    ...{ key: "a", conversation: "talk", refuses: true, actions: [] },
    ...{ happened: "Something.", means: "Something else.", todo: "Look." },
  };
  warn(made);
  warn({ ...made, happened: "The same again." });
  warn({ ...made, key: "b", conversation: null });
  assert.deepEqual(
    warningsOf("talk").map((one) => one.happened),
    ["The same again."],
  );
  assert.equal(warningsOf(null).length, 1);
  assert.equal(warningsOf("another").length, 0);
  settleWarning("a");
  assert.equal(warningsOf("talk").length, 0);
});
