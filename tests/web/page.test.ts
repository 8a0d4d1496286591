/** What the page says, what the service worker keeps, and how errors travel between them and the worker. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { NoProfile } from "../../messenger/web/client/src/store/errors.ts";
import { cacheOf, cachedPath, fits, others } from "../../messenger/web/client/src/service/rules.ts";
import { obstacle } from "../../messenger/web/client/src/ui/secure.ts";
import { CallFailed, saidError } from "../../messenger/web/client/src/worker/protocol.ts";

const ALL = { crypto: true, locks: true, indexedDB: true, BroadcastChannel: true, Worker: true };
const SAFE = { protocol: "https:", host: "chat.example", port: "" };

test("where the context is not secure the page knows where it is", () => {
  const location = { protocol: "http:", host: "192.168.1.5:8080", port: "8080" };
  assert.deepEqual(obstacle({ isSecureContext: false, location, has: { ...ALL, locks: false } }), {
    what: "insecure",
    here: "http://192.168.1.5:8080",
    local: "http://127.0.0.1:8080/",
  });
  const plain = { protocol: "http:", host: "chat.example", port: "" };
  const found = obstacle({ isSecureContext: false, location: plain, has: ALL });
  assert.equal(found?.what === "insecure" && found.local, "http://127.0.0.1/");
});

test("what a browser lacks is named, and nothing is in the way where it lacks nothing", () => {
  assert.equal(obstacle({ isSecureContext: true, location: SAFE, has: ALL }), null);
  const has = { ...ALL, indexedDB: false, locks: false };
  assert.deepEqual(obstacle({ isSecureContext: true, location: SAFE, has }), {
    what: "lacking",
    names: "locks, indexedDB",
  });
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
