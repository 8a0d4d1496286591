/** The worker of the tab that leads: it takes the engine's lock for its life, and works for its page. */

import { Host } from "./host.ts";
import { ENGINE, type FromWorker, type ToWorker } from "./protocol.ts";

/** What a dedicated worker's global object has beside a page's. */
interface Scope extends EventTarget {
  postMessage(said: FromWorker): void;
}

const scope = globalThis as unknown as Scope;
const say = (said: FromWorker): void => {
  scope.postMessage(said);
};
const host = new Host({ profile: "messenger", server: location.origin, network: scope, say });

const held = navigator.locks.request(ENGINE, async () => {
  say({ say: "held" });
  scope.addEventListener("message", ({ data }: MessageEventInit<ToWorker>) => {
    if (data?.say === "took") host.took();
    else if (data?.say === "ask") void host.ask(data.ask);
  });
  await host.begin();
  await new Promise(() => undefined);
});
held.catch((error: unknown) => {
  host.failed(error);
});
scope.addEventListener("unhandledrejection", (event) => {
  host.failed((event as PromiseRejectionEvent).reason);
});
