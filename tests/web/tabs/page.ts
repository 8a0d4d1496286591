/** The page in tabs and browsers: who hears what, what it loads, says and keeps, and what it must not do. */

import { cpSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "playwright-core";

import { ELSEWHERE } from "./chromium.ts";
import { folder, judged, newer, person, someone, two, until, url } from "./scene.ts";
import { Cable, serve } from "./servers.ts";

/** Bytes that a first visit loads, as they travel: for the first screen, and in all. */
export async function loaded(page: Page): Promise<object> {
  const entries = await page.evaluate(() =>
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map(
      (one) => {
        const { name, encodedBodySize } = one as PerformanceResourceTiming;
        return [new URL(name).pathname, encodedBodySize] as const;
      },
    ),
  );
  const files = entries.filter(([path]) => !path.startsWith("/api/") && path !== "/ws");
  const sum = (some: typeof files): number => some.reduce((total, [, size]) => total + size, 0);
  const isEngine = ([path]: readonly [string, number]): boolean => path.startsWith("/assets/worker.");
  return {
    first: sum(files.filter((one) => !isEngine(one))),
    all: sum(files),
    paths: files.map(([path]) => path),
  };
}

/** Two tabs in one browser, and another browser; both tabs write and hear. */
export async function tabs(): Promise<object> {
  const [ann, ben] = await two();
  const [first] = ann.tabs;
  const second = await ann.open();
  if (first === undefined) throw new Error("There is no tab.");
  await second.waitForFunction(() => globalThis.messenger.role === "follows");
  const sizes = await loaded(first);
  for (const page of [first, second, first, second]) await ann.write(page);
  const [there] = ben.tabs;
  if (there === undefined) throw new Error("There is no tab.");
  const heard = [first, second].map((page) =>
    page.evaluate(
      () =>
        new Promise<string>((resolve) => {
          globalThis.messenger.listen((event) => {
            if (event.event === "message_received") resolve(event.message.text);
          });
        }),
    ),
  );
  await ben.write(there);
  const texts = await Promise.all(heard);
  return { ...(await judged(ann, ben)), heard: texts, expected: ben.written[0], sizes };
}

/** A profile that was copied is connected twice: one is told, and rests until the user says otherwise. */
export async function copies(): Promise<object> {
  const ann = await person("ann");
  await ann.register(await ann.open());
  await ann.browser.close();
  cpSync(join(folder, "ann"), join(folder, "copy"), { recursive: true });
  ann.tabs.length = 0;
  await ann.browser.start();
  const here = await ann.open();
  await ann.online(here);
  const copy = await person("ann", join(folder, "copy"));
  const there = await copy.open();
  await copy.online(there);
  const says = (page: Page, text: string): Promise<unknown> =>
    page.waitForFunction((part) => document.body.innerText.includes(part), text);
  const banner = "Another program is connected as this very device.";
  await says(here, banner);
  // Whoever came back by itself would send the other away, and so on.
  const sockets = await here.evaluate(async () => {
    const before = globalThis.messenger.status.connection;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    return [before, globalThis.messenger.status.connection];
  });
  const other = await there.evaluate(() => globalThis.messenger.status.connection);
  await here.getByRole("button", { name: "Connect here" }).click();
  await ann.online(here);
  await says(there, banner);
  return { sockets, other };
}

/** The page starts without a network, and never shows two versions at once. */
export async function service(): Promise<object> {
  const policy = (await fetch(url)).headers.get("Content-Security-Policy") ?? "";
  const cable = new Cable(url);
  await cable.plug();
  const ann = await person("ann", undefined, cable.url);
  const page = await ann.open();
  await ann.register(page);
  const talk = await ann.direct(page, await someone("ben", cable.url));
  ann.talk = talk;
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await ann.write(page);
  const states = async (): Promise<string[]> => (await ann.history(page)).map((row) => row.state);
  const isSent = async (): Promise<boolean> => (await states()).every((state) => state === "sent");
  await until(isSent, "the first text has gone");
  await cable.pull();
  // Without a network: the page and the history are there, and what is written waits.
  await page.reload();
  await page.waitForFunction(() => globalThis.messenger.status.profile === "open");
  const offline = { history: (await ann.history(page)).length, wrote: await ann.write(page) };
  const waiting = await states();
  await cable.plug();
  await page.evaluate(() => globalThis.messenger.call("connect", null));
  await until(isSent, "what waited has gone");
  // A newer version is served from now on.
  await cable.pull();
  const server = await serve(newer, cable.port, policy);
  const caches = (): Promise<string[]> => page.evaluate(() => globalThis.caches.keys());
  const [before] = await caches();
  const scripts = (): Promise<(string | null)[]> =>
    Promise.all(
      ann.tabs.map((one) =>
        one.evaluate(() => document.querySelector("script")?.getAttribute("src") ?? null),
      ),
    );
  const [old] = await scripts();
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  const update = page.getByRole("button", { name: "Load it" });
  await update.waitFor();
  const second = await ann.open(); // it comes of the version that serves
  await second.waitForFunction(() => globalThis.messenger.role === "follows");
  const during = await scripts();
  await update.click();
  await until(async () => !(await scripts().catch(() => [old])).includes(old ?? null), "both tabs are new");
  await until(async () => (await caches()).length === 1, "the old version's files are gone");
  const after = { scripts: await scripts(), caches: await caches() };
  server.close();
  // What a browser says of a server that is away is no fault of the page.
  ann.browser.forgive(
    /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|status of 502|WebSocket connection/,
  );
  return { offline, waiting, before, old, during, after };
}

/** Where the connection is not secure the page says so, and starts nothing. */
export async function insecure(): Promise<object> {
  const there = new URL(url);
  there.hostname = ELSEWHERE;
  const ann = await person("ann", undefined, there.href);
  const page = await ann.open();
  await page.getByText("is not secure").waitFor();
  // Browsers tell that such a page gets no process of its own.
  ann.browser.forgive(/Cross-Origin-Opener-Policy/);
  const said = await page.evaluate(() => document.body.innerText);
  return {
    said,
    workers: page.workers().length,
    client: await page.evaluate(() => "messenger" in globalThis && Boolean(globalThis.messenger)),
  };
}

/** The worker's file is gone, as on a server that has a newer version by now: the page says what to do. */
export async function gone(): Promise<object> {
  const ann = await person("ann");
  const page = await ann.open("/about");
  await page.route(/worker/, (route) => route.fulfill({ status: 404 }));
  await page.goto(url);
  await page.getByText("could not be loaded").waitFor();
  ann.browser.forgive(/status of 404/);
  return {};
}

/** A violation is seen: otherwise there being none would say nothing. */
export async function violation(): Promise<object> {
  const ann = await person("ann");
  const page = await ann.open();
  await page
    .evaluate(() => {
      document.body.append(Object.assign(document.createElement("script"), { text: "0" }));
    })
    .catch(() => undefined);
  await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement("img"), { src: "http://127.0.0.1:9/" }));
  });
  await page.waitForFunction(() => globalThis.messenger.status.profile === "none");
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  for (const worker of [...page.workers(), ...page.context().serviceWorkers()]) {
    await worker.evaluate(() => fetch("http://127.0.0.1:9/").catch(() => undefined));
  }
  const isSeen = (what: RegExp): boolean => ann.browser.troubles.some((one) => what.test(one));
  const all = [/console.*TrustedScript/, /console.*img-src/, /worker\..*connect-src/, /sw\.js.*connect-src/];
  await until(
    () => Promise.resolve(all.every(isSeen)),
    "violations of the page and of both workers are seen",
  );
  return {};
}
