/**
 * The web client in Chromium, with tabs that come and go: `node tabs_live.js CLIENT CHROMIUM URL FOLDER STORY TIMES
 * NEWER`.
 *
 * CLIENT is the folder that has playwright-core, FOLDER takes profiles, TIMES is how often something dies, NEWER a
 * folder with another version of the bundle, for the story that wants one. The last line that it prints is what came
 * of it, as JSON, for a judge in Python.
 */

import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";

import type { Page } from "playwright-core";

import { random } from "./files.ts";
import { Chromium } from "./tabs/chromium.ts";
import { Person } from "./tabs/person.ts";
import { Cable, serve } from "./tabs/servers.ts";

const [, , client = "", chromium = "", url = "", folder = "", story = "", times = "0", newer = ""] =
  process.argv;
const TIMES = Number(times);
const PATIENCE = 120_000;
const draw = random();

const people: Person[] = [];

async function person(name: string, profile = join(folder, name), at = url): Promise<Person> {
  mkdirSync(profile, { recursive: true });
  const browser = new Chromium({ client, chromium, url: at }, profile);
  await browser.start();
  const made = new Person(`${name}-${randomBytes(6).toString("hex")}`, browser);
  people.push(made);
  return made;
}

/** Two people with a browser each, who know each other. */
async function two(): Promise<[ann: Person, ben: Person]> {
  const [ann, ben] = [await person("ann"), await person("ben")];
  const [here, there] = [await ann.open(), await ben.open()];
  await Promise.all([ann.register(here), ben.register(there)]);
  ann.talk = await ann.direct(here, ben.name);
  ben.talk = await ben.direct(there, ann.name);
  return [ann, ben];
}

/** Somebody who has an account and whose browser is closed then; the name. */
async function registered(name: string, at: string): Promise<string> {
  const made = await person(name, undefined, at);
  await made.register(await made.open());
  await made.browser.close();
  return made.name;
}

/** Each has written to the other, so that sessions go both ways. */
async function greeted(...both: readonly Person[]): Promise<void> {
  for (const one of both) {
    const [page] = one.tabs;
    if (page !== undefined) await one.write(page);
  }
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const late = Date.now() + PATIENCE;
  while (!(await holds())) {
    if (Date.now() > late) throw new Error(`It never came to this: ${what}.`);
    await pause(50);
  }
}

/** What each has of the conversation in the end, once all that was written has come. */
async function judged(ann: Person, ben: Person): Promise<object> {
  const texts = [...ann.written, ...ben.written].sort();
  const found: Record<string, unknown> = { written: texts.length, again: ann.again + ben.again };
  for (const one of [ann, ben]) {
    const page = one.tabs[0] ?? (await one.open());
    await one.online(page);
    let rows = await one.history(page);
    const isThrough = (): boolean =>
      texts.every((text) =>
        rows.some((row) => row.text === text && ["sent", "received"].includes(row.state)),
      );
    const late = Date.now() + PATIENCE;
    while (!isThrough() && Date.now() < late) {
      await pause(200);
      rows = await one.history(page);
    }
    const shown = rows.map((row) => row.text);
    found[one === ann ? "ann" : "ben"] = {
      lost: texts.filter((text) => !shown.includes(text)),
      twice: shown.filter((text, at) => shown.indexOf(text) !== at),
      strange: shown.filter((text) => !texts.includes(text)),
      unsent: rows.filter((row) => row.outgoing && row.state !== "sent").map((row) => row.text),
    };
  }
  return { ...found, conversation: ann.talk };
}

/** Bytes that a first visit loads, as they travel: for the first screen, and in all. */
async function loaded(page: Page): Promise<object> {
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

const stories: Readonly<Record<string, () => Promise<object>>> = {
  /** Two tabs in one browser, and another browser; both tabs write and hear. */
  tabs: async () => {
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
            globalThis.messenger.onEvent = (event) => {
              if (event.event === "message_received") resolve(event.message.text);
            };
          }),
      ),
    );
    await ben.write(there);
    const texts = await Promise.all(heard);
    return { ...(await judged(ann, ben)), heard: texts, expected: ben.written[0], sizes };
  },

  /** The leader is closed while all write. */
  leaders: async () => {
    const [ann, ben] = await two();
    await greeted(ann, ben);
    let isOver = false;
    const writing: Promise<void>[] = [];
    const write = async (): Promise<void> => {
      const page = await ann.open();
      writing.push(ann.writes(page, () => isOver));
    };
    await write();
    await write();
    for (let time = 0; time < TIMES; time += 1) {
      let leader: Page | undefined;
      await until(async () => (leader = await ann.leader()) !== undefined, "somebody leads");
      await pause(draw() * 400);
      await write();
      if (leader !== undefined) await ann.close(leader);
    }
    await until(async () => (await ann.leader()) !== undefined, "somebody leads");
    isOver = true;
    await Promise.all(writing);
    const page = ann.tabs[0] ?? (await ann.open());
    await ann.finish(page);
    return judged(ann, ben);
  },

  /** Tabs, workers and browsers of both die at random moments while both write. */
  kills: async () => {
    const both = await two();
    await greeted(...both);
    const [ann, ben] = both;
    let isOver = false;
    const writing: Promise<void>[] = [];
    const died: Record<string, number> = {};
    const write = async (one: Person): Promise<void> => {
      const page = await one.open();
      writing.push(one.writes(page, () => isOver));
    };
    for (const one of both) {
      for (const page of one.tabs) writing.push(one.writes(page, () => isOver));
      await write(one);
    }
    for (let time = 0; time < TIMES; time += 1) {
      await pause(draw() * 500);
      const one = draw() < 0.5 ? ann : ben;
      const page = one.tabs[Math.floor(draw() * one.tabs.length)];
      const way = ["tab", "crash", "worker", "browser"][time % 4] ?? "";
      died[way] = (died[way] ?? 0) + 1;
      if (way === "browser" || page === undefined) {
        await one.browser.kill();
        one.tabs.length = 0;
        await one.browser.start();
        await write(one);
        await write(one);
      } else if (way === "worker") {
        await until(async () => ((await one.leader())?.workers() ?? []).length > 0, "somebody leads");
        const [worker] = (await one.leader())?.workers() ?? [];
        if (worker === undefined) throw new Error("There is no worker.");
        await worker.evaluate(() => {
          globalThis.close();
        });
      } else {
        await (way === "tab" ? one.close(page) : one.crash(page));
        await write(one);
      }
    }
    isOver = true;
    await Promise.all(writing);
    for (const one of both) await one.finish(one.tabs[0] ?? (await one.open()));
    return { ...(await judged(ann, ben)), died };
  },

  /** A profile that was copied is connected twice: one is told, and rests until the user says otherwise. */
  copies: async () => {
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
  },

  /** The page starts without a network, and never shows two versions at once. */
  service: async () => {
    const policy = (await fetch(url)).headers.get("Content-Security-Policy") ?? "";
    const cable = new Cable(url);
    await cable.plug();
    const ann = await person("ann", undefined, cable.url);
    const page = await ann.open();
    await ann.register(page);
    const talk = await ann.direct(page, await registered("ben", cable.url));
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
    const update = page.getByRole("button", { name: "A new version is here. Load it" });
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
    const expected =
      /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|status of 502|WebSocket connection/;
    const { troubles } = ann.browser;
    troubles.splice(0, troubles.length, ...troubles.filter((one) => !expected.test(one)));
    return { offline, waiting, before, old, during, after };
  },

  /** A violation is seen: otherwise there being none would say nothing. */
  violation: async () => {
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
    await until(() => Promise.resolve(ann.browser.troubles.length > 0), "the violation is seen");
    return {};
  },
};

const tell = stories[story];
if (tell === undefined) throw new Error(`There is no story ${story}.`);
try {
  const found = await tell();
  const troubles = people.flatMap((one) => one.browser.troubles);
  const warnings = people.flatMap((one) => [...one.browser.warnings]);
  process.stdout.write(`${JSON.stringify({ ...found, troubles, warnings })}\n`);
} finally {
  for (const one of people) await one.browser.kill();
}
process.exit(0);
