/** The page: its policy, the client that reaches the engine, and the screens. */

import { render } from "preact";

import { SYSTEM_CLOCK } from "../net/clock.ts";
import { keepFiles } from "../service/updates.ts";
import { askToPersist } from "../store/persisting.ts";
import { Client } from "../worker/client.ts";
import { CHANNEL } from "../worker/protocol.ts";
import { App } from "./app.tsx";
import { obstacle } from "./secure.ts";
import { keepDrafts } from "./state/drafts.ts";
import { attach, nudge, role, status, update } from "./state/engine.ts";
import { wear } from "./state/look.ts";
import { watchNetwork } from "./state/network.ts";
import { takeOffered } from "./state/offered.ts";
import { follow } from "./state/router.ts";
import { effect } from "@preact/signals";
import { language } from "./words/index.ts";

declare const VERSION: string;
/** The path of the worker's file. */
declare const WORKER: string;

/** What browsers have that know Trusted Types: the two scripts that this page may start, and no others. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL: (url: string) => string };
}
const SCRIPTS = [WORKER, "/sw.js"];
const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
const rules = {
  createScriptURL: (url: string): string => {
    if (!SCRIPTS.includes(url)) throw new TypeError(`${url} is no script of this page.`);
    return url;
  },
};
const policy = trustedTypes?.createPolicy("messenger", rules) ?? rules;

function begin(): void {
  const client = new Client({
    version: VERSION,
    clock: SYSTEM_CLOCK,
    locks: navigator.locks,
    channel: new BroadcastChannel(CHANNEL),
    worker: () => new Worker(policy.createScriptURL(WORKER), { type: "module" }),
  });
  attach(client);
  watchNetwork();
  takeOffered();
  follow();
  const stop = effect(() => {
    if (status.value.profile !== "open") return;
    void askToPersist();
    queueMicrotask(() => {
      stop();
    });
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") keepDrafts();
    const { profile, connection } = status.peek();
    const isTried = profile === "open" && ["offline", "online", "waiting_for_approval"].includes(connection);
    if (document.visibilityState === "visible" && role.peek() === "leads" && isTried) nudge();
  });
  // Tests and the browser's console speak to it, too.
  Object.assign(globalThis, { messenger: client });
  keepFiles({
    version: VERSION,
    container: navigator.serviceWorker,
    url: () => policy.createScriptURL("/sw.js"),
    reload: () => {
      location.reload();
    },
    told: (load) => {
      update.value = load;
    },
  }).catch(() => undefined); // without a network, or in a private window: the page works, and starts from the server
}

const found = obstacle({
  isSecureContext,
  location,
  has: {
    crypto: "subtle" in crypto,
    locks: "locks" in navigator,
    indexedDB: "indexedDB" in globalThis,
    BroadcastChannel: "BroadcastChannel" in globalThis,
    Worker: "Worker" in globalThis && "serviceWorker" in navigator,
  },
});
wear(document.documentElement);
effect(() => {
  document.documentElement.lang = language.value;
});
if (found === null) begin();
render(<App obstacle={found} />, document.getElementById("app") ?? document.body);
