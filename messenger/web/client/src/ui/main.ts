/** The page: for now it shows the state of the connection; screens come to stand here. */

import { SYSTEM_CLOCK } from "../net/clock.ts";
import { keepFiles } from "../service/updates.ts";
import { askToPersist } from "../store/persisting.ts";
import { Client } from "../worker/client.ts";
import { CHANNEL } from "../worker/protocol.ts";
import { obstacles } from "./secure.ts";
import { sentences } from "./words.ts";

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

const place = document.getElementById("app") ?? document.body;

function show(lines: readonly string[], ...more: readonly Node[]): void {
  const paragraphs = lines.map((line) => {
    const one = document.createElement("p");
    one.textContent = line;
    return one;
  });
  place.replaceChildren(...paragraphs, ...more);
}

function begin(): void {
  let update: readonly Node[] = [];
  let isAsked = false;
  const client = new Client({
    version: VERSION,
    clock: SYSTEM_CLOCK,
    locks: navigator.locks,
    channel: new BroadcastChannel(CHANNEL),
    worker: () => new Worker(policy.createScriptURL(WORKER), { type: "module" }),
  });
  const draw = (): void => {
    show(sentences(client.status, client.role), ...buttons(client), ...update);
  };
  client.onStatus = (status) => {
    draw();
    if (status.profile === "open" && !isAsked) {
      isAsked = true;
      void askToPersist();
    }
  };
  draw();
  document.addEventListener("visibilitychange", () => {
    const { profile, connection } = client.status;
    const isTried = profile === "open" && ["offline", "online", "waiting_for_approval"].includes(connection);
    if (document.visibilityState === "visible" && client.role === "leads" && isTried) nudge(client);
  });
  // What the screens speak to; tests and the console do, too.
  Object.assign(globalThis, { messenger: client });
  keepFiles({
    version: VERSION,
    container: navigator.serviceWorker,
    url: () => policy.createScriptURL("/sw.js"),
    reload: () => {
      location.reload();
    },
    told: (load) => {
      update = [button("A new version is here. Load it", load)];
      draw();
    },
  }).catch(() => undefined); // without a network, or in a private window: the page works, and starts from the server
}

function buttons(client: Client): Node[] {
  const isOpen = client.status.profile === "open" && client.role !== "other_version";
  if (!isOpen || !["offline", "taken_over"].includes(client.status.connection)) return [];
  const label = client.status.connection === "offline" ? "Try now" : "Connect here";
  return [
    button(label, () => {
      nudge(client);
    }),
  ];
}

/** What comes of it is shown by the status. */
function nudge(client: Client): void {
  client.call("connect", null).catch(() => undefined);
}

function button(label: string, pressed: () => void): Node {
  const made = document.createElement("button");
  made.textContent = label;
  made.addEventListener("click", pressed);
  return made;
}

const found = obstacles({
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
if (found.length > 0) show(found);
else begin();
