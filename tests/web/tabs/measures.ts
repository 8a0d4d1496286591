/** How long things take in a page; `benchmarks/web.py` makes rows of it. */

import type { Page } from "playwright-core";

import { loaded } from "./page.ts";
import { PASSWORD } from "./person.ts";
import { greeted, person, someone, times, two } from "./scene.ts";

const APART = 100; // milliseconds from one message to the next, as fast as nobody types

/** The longest task that held the page up from a moment of its own on, in milliseconds; 0 where none took 50. */
function longestTask(page: Page, from: number): Promise<number> {
  return page.evaluate(
    (begins) =>
      new Promise<number>((resolve) => {
        let longest = 0;
        const observer = new PerformanceObserver((list) => {
          for (const one of list.getEntries())
            if (one.startTime >= begins) longest = Math.max(longest, one.duration);
        });
        observer.observe({ type: "longtask", buffered: true });
        setTimeout(() => {
          resolve(longest);
        }, 200);
      }),
    from,
  );
}

/**
 * Registered, published, and the first message committed, while the page is `TIMES` slower, as DevTools have it; or,
 * with `whole`, the page and its worker, for which DevTools have nothing.
 */
export async function first(whole = false): Promise<object> {
  const peer = await someone("ben");
  const ann = await person("ann");
  const page = await ann.open();
  await page.waitForFunction(() => globalThis.messenger.status.profile === "none");
  const sizes = await loaded(page);
  const rate = Number(times);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: whole ? 1 : rate });
  const mend = whole ? await ann.browser.slowed(rate) : undefined;
  const took = await page.evaluate(
    async ([username, password, to]) => {
      const client = globalThis.messenger;
      const committed = new Promise<void>((resolve) => {
        client.listen((event) => {
          if (event.event === "message_sent") resolve();
        });
      });
      const began = performance.now();
      await client.call("register", { username, password });
      const registered = performance.now();
      const conversationId = await client.call("direct", { username: to });
      await client.call("send", { conversationId, clientId: crypto.randomUUID(), text: "first" });
      await committed;
      return { registered: registered - began, committed: performance.now() - began };
    },
    [ann.name, PASSWORD, peer] as const,
  );
  mend?.();
  return { ...took, sizes };
}

/** `TIMES` messages wait for a browser that is opened: from its start until the page has heard of the last. */
export async function backlog(): Promise<object> {
  const [ann, ben] = await two();
  await greeted(ann, ben);
  // What was said before is none of what waits.
  await ann.tabs[0]?.waitForFunction(() => globalThis.come.count === 1);
  await ann.browser.close();
  ann.tabs.length = 0;
  const [there] = ben.tabs;
  if (there === undefined) throw new Error("There is no tab.");
  await there.evaluate(
    ([conversationId, count]) =>
      new Promise<void>((resolve, reject) => {
        let sent = 0;
        globalThis.messenger.listen((event) => {
          if (event.event !== "message_sent") return;
          sent += 1;
          if (sent === count) resolve();
        });
        const write = async (): Promise<void> => {
          for (let number = 0; number < count; number += 1) {
            const text = `${String(number)} ${"x".repeat(100)}`;
            await globalThis.messenger.call("send", { conversationId, clientId: crypto.randomUUID(), text });
          }
        };
        write().catch(reject);
      }),
    [ben.talk, Number(times)] as const,
  );
  await ben.browser.close();
  await ann.browser.start();
  const here = await ann.open();
  await here.waitForFunction((all) => globalThis.come.count >= all, Number(times), { timeout: 120_000 });
  const come = await here.evaluate(() => globalThis.come);
  const longest = await longestTask(here, come.first);
  const shown = await ann.history(here);
  return { ...come, stored: shown.filter((row) => !row.outgoing).length, longest };
}

/** `TIMES` messages, each as if somebody typed it: how long until the other page hears of it. */
export async function latency(): Promise<object> {
  const [ann, ben] = await two();
  await greeted(ann, ben);
  const [here, there] = [ann.tabs[0], ben.tabs[0]];
  if (here === undefined || there === undefined) throw new Error("There is no tab.");
  const count = Number(times);
  const heard = there.evaluate(
    (all) =>
      new Promise<Record<string, number>>((resolve) => {
        const found: Record<string, number> = {};
        globalThis.messenger.listen((event) => {
          if (event.event !== "message_received" || !event.message.text.startsWith("typed ")) return;
          found[event.message.text] = performance.timeOrigin + performance.now();
          if (Object.keys(found).length === all) resolve(found);
        });
      }),
    count,
  );
  const sent = await here.evaluate(
    async ([conversationId, all, apart]) => {
      const found: Record<string, number> = {};
      for (let number = 0; number < all; number += 1) {
        const text = `typed ${String(number)}`;
        found[text] = performance.timeOrigin + performance.now();
        void globalThis.messenger.call("send", { conversationId, clientId: crypto.randomUUID(), text });
        await new Promise((resolve) => setTimeout(resolve, apart));
      }
      return found;
    },
    [ann.talk, count, APART] as const,
  );
  const came = await heard;
  return { took: Object.entries(sent).map(([text, at]) => (came[text] ?? Number.NaN) - at) };
}
