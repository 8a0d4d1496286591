/**
 * The service worker: it keeps all files of its version and serves them, so that the page starts without a network,
 * and so that what one tab loads late is of the version that it began with.
 *
 * It serves as soon as it is installed where none did before. A newer one waits until a page says `activate`, which
 * the user has agreed to; then every page loads itself again. The API is never answered from here.
 */

import { cacheOf, cachedPath, fits, others } from "./rules.ts";

declare const VERSION: string;
/** Paths with the SHA-256 of what lies there. */
declare const FILES: Readonly<Record<string, string>>;

/** What a service worker's global object has, as far as it is used here. */
interface Waits extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetches extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Scope {
  addEventListener(type: "install" | "activate", listener: (event: Waits) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetches) => void): void;
  addEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
}
const scope = globalThis as unknown as Scope;

async function install(): Promise<void> {
  const cache = await caches.open(cacheOf(VERSION));
  await Promise.all(
    Object.entries(FILES).map(async ([path, sha256]) => {
      const response = await fetch(path, { cache: "no-cache", credentials: "omit", redirect: "error" });
      const isThere = response.ok && (await fits(await response.clone().arrayBuffer(), sha256));
      // The server has another version by now, whose service worker comes next.
      if (!isThere) throw new Error(`${path} is not of this version.`);
      await cache.put(path, response);
    }),
  );
}

async function activate(): Promise<void> {
  for (const name of others(await caches.keys(), VERSION)) await caches.delete(name);
  await scope.clients.claim();
}

async function answer(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(cacheOf(VERSION));
  // The browser may have thrown it away.
  return (await cache.match(path)) ?? fetch(request);
}

scope.addEventListener("install", (event) => {
  event.waitUntil(install());
});
scope.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});
scope.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const path = cachedPath(method, new URL(url), location.origin, FILES);
  if (path !== undefined) event.respondWith(answer(path, event.request));
});
scope.addEventListener("message", ({ data, ports }) => {
  if (data === "activate") void scope.skipWaiting();
  if (data === "version") ports[0]?.postMessage(VERSION);
});
