/** What the page says, what the service worker keeps, and how errors travel between them and the worker. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { NoProfile } from "../../messenger/web/client/src/store/errors.ts";
import { cacheOf, cachedPath, fits, others } from "../../messenger/web/client/src/service/rules.ts";
import { obstacles } from "../../messenger/web/client/src/ui/secure.ts";
import { sentences } from "../../messenger/web/client/src/ui/words.ts";
import { CallFailed, OPENING, saidError } from "../../messenger/web/client/src/worker/protocol.ts";

const ALL = { crypto: true, locks: true, indexedDB: true, BroadcastChannel: true, Worker: true };
const SAFE = { protocol: "https:", host: "chat.example", port: "" };

test("where the context is not secure the page says what to do", () => {
  const location = { protocol: "http:", host: "192.168.1.5:8080", port: "8080" };
  const said = obstacles({ isSecureContext: false, location, has: { ...ALL, locks: false } });
  assert.match(said[0] ?? "", /not secure \(http:\/\/192\.168\.1\.5:8080\)/);
  assert.match(said[1] ?? "", /http:\/\/127\.0\.0\.1:8080\//);
  assert.match(said[2] ?? "", /https:\/\//);
  const plain = { protocol: "http:", host: "chat.example", port: "" };
  assert.match(obstacles({ isSecureContext: false, location: plain, has: ALL })[1] ?? "", /127\.0\.0\.1\/ /);
});

test("what a browser lacks is named, and nothing is said where it lacks nothing", () => {
  assert.deepEqual(obstacles({ isSecureContext: true, location: SAFE, has: ALL }), []);
  const [said, ...more] = obstacles({
    isSecureContext: true,
    location: SAFE,
    has: { ...ALL, indexedDB: false, locks: false },
  });
  assert.match(said ?? "", /\(locks, indexedDB\)/);
  assert.deepEqual(more, []);
});

test("each state has its sentences", () => {
  const open = { ...OPENING, profile: "open", username: "ann" } as const;
  assert.deepEqual(sentences({ ...open, connection: "online" }, "leads"), ["You are ann.", "Connected."]);
  const offline = { ...open, connection: "offline", detail: "The server does not answer." } as const;
  assert.equal(sentences(offline, "follows").at(-1), "The server does not answer.");
  assert.match(sentences({ ...open, connection: "taken_over" }, "leads")[1] ?? "", /has stopped/);
  assert.match(sentences({ ...OPENING, profile: "none" }, "leads")[0] ?? "", /no account/);
  assert.match(sentences({ ...OPENING, profile: "locked" }, "leads")[0] ?? "", /password/);
  assert.match(sentences({ ...open, connection: "online" }, "other_version")[0] ?? "", /another version/);
});

test("the service worker answers for the files of its version, and for nothing else", () => {
  const files = { "/": "a", "/assets/page.0.js": "b" };
  const at = (url: string, method = "GET"): string | undefined =>
    cachedPath(method, new URL(url), "https://chat.example", files);
  assert.equal(at("https://chat.example/"), "/");
  assert.equal(at("https://chat.example/?from=push#talk"), "/");
  assert.equal(at("https://chat.example/assets/page.0.js"), "/assets/page.0.js");
  for (const url of [
    "https://chat.example/api/v1/info",
    "https://chat.example/about",
    "https://chat.example/sw.js",
    "https://chat.example/assets/page.1.js",
    "https://chat.example/constructor",
    "https://evil.example/",
  ]) {
    assert.equal(at(url), undefined, url);
  }
  assert.equal(at("https://chat.example/", "POST"), undefined);
});

test("caches of other versions go, and nobody else's", () => {
  assert.deepEqual(others([cacheOf("1"), cacheOf("2"), "somebody-1"], "2"), [cacheOf("1")]);
});

test("what was not built is not kept", async () => {
  const raw = new TextEncoder().encode("script");
  const digest = createHash("sha256").update(raw).digest("hex");
  assert.equal(await fits(raw.buffer, digest), true);
  assert.equal(await fits(new TextEncoder().encode("another").buffer, digest), false);
});

test("errors keep their names, codes and sentences", () => {
  const travelled = new CallFailed(structuredClone(saidError(new NoProfile())));
  assert.deepEqual([travelled.name, travelled.code], ["NoProfile", "no_profile"]);
  assert.equal(travelled.message, new NoProfile().message);
  assert.deepEqual(saidError(new TypeError("bad")), { name: "TypeError", code: "error", message: "bad" });
  assert.deepEqual(saidError("bad"), { name: "Error", code: "error", message: "bad" });
});
