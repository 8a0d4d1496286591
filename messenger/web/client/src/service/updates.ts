/**
 * The page's side of the service worker: it is registered, asked for its version, and a newer one is told.
 *
 * A page is never of another version than what serves it without saying so: it hears that a newer one waits, or
 * that one serves already, and loads itself again when the user has agreed in any tab.
 */

const LOOK_EVERY = 3_600_000; // milliseconds between two looks for a newer version

export interface UpdateSettings {
  readonly version: string;
  readonly container: ServiceWorkerContainer;
  readonly url: () => string;
  readonly reload: () => void;
  /** A newer version is here: `load` has all tabs load it. */
  readonly told: (load: () => void) => void;
}

/** Have the page's files kept for when there is no network. */
export async function keepFiles(settings: UpdateSettings): Promise<void> {
  const { container, reload, told } = settings;
  let isServed = container.controller !== null;
  container.addEventListener("controllerchange", () => {
    if (isServed) reload();
    isServed = true;
    void check(settings);
  });
  await check(settings);
  const registration = await container.register(settings.url(), { scope: "/", updateViaCache: "none" });
  const look = (worker: ServiceWorker | null): void => {
    if (worker?.state === "installed" && container.controller !== null) {
      told(() => {
        worker.postMessage("activate");
      });
    }
  };
  const watch = (worker: ServiceWorker | null): void => {
    worker?.addEventListener("statechange", () => {
      look(worker);
    });
  };
  look(registration.waiting);
  watch(registration.installing);
  registration.addEventListener("updatefound", () => {
    watch(registration.installing);
  });
  setInterval(() => {
    registration.update().catch(() => undefined); // there is no network: the next look may have one
  }, LOOK_EVERY);
}

/** Tell where another version serves already. */
async function check({ version, container, reload, told }: UpdateSettings): Promise<void> {
  const serving = container.controller;
  if (serving === null) return;
  const { port1, port2 } = new MessageChannel();
  const said = new Promise<unknown>((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<unknown>) => {
      resolve(data);
    };
  });
  serving.postMessage("version", [port2]);
  if ((await said) !== version) told(reload);
}
