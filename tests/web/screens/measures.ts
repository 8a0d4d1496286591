/** How long things take at the screens; `benchmarks/web_screens.py` makes rows of it. */

import { readFileSync } from "node:fs";

import type { Page } from "playwright-core";

import type { Message } from "../../../messenger/web/client/src/store/messages.ts";
import { PASSWORD, type Person } from "../tabs/person.ts";
import { loaded } from "../tabs/page.ts";
import { greeted, person, someone, times, two, until, url } from "../tabs/scene.ts";
import { comes, composer, open, register, scrolled, sees, start } from "./hands.ts";

const STORED = 10_000;
const APART = 100; // milliseconds from one message to the next, as fast as nobody types
const WHEEL = 400; // pixels
const TIRED = 5_000; // turns of the wheel, ten at a time
const OLDEST = "Old 0:";

/** Have the page's main thread be slower, as DevTools have it. */
async function slowed(page: Page, rate: number): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate });
}

/** Milliseconds from the beginning of a navigation to the first frame that has this; the page is where it was. */
async function shownAfter(page: Page, selector: string, load: () => Promise<unknown>): Promise<number> {
  await page.addInitScript((wanted) => {
    const drawn = new Promise<number>((resolve) => {
      const look = (): void => {
        if (document.querySelector(wanted) === null) requestAnimationFrame(look);
        // What was found before a frame is seen once that was drawn.
        else
          requestAnimationFrame(() => {
            resolve(performance.now());
          });
      };
      look();
    });
    Object.assign(globalThis, { drawn });
  }, selector);
  await load();
  return page.evaluate(() => (globalThis as unknown as { readonly drawn: Promise<number> }).drawn);
}

/** A browser that was never here: until the form can be filled in, `TIMES` slower. */
export async function cold(): Promise<object> {
  const ann = await person("ann");
  const page = await ann.open("about:blank");
  await slowed(page, Number(times));
  const shown = await shownAfter(page, "form input[type=password]", () => page.goto(url));
  await page.getByLabel("Name", { exact: true }).fill("usable");
  return { shown, sizes: await loaded(page) };
}

/** From the press on "Create account" to the first message that has its tick, `TIMES` slower. */
export async function first(): Promise<object> {
  const peer = await someone("ben");
  const ann = await person("ann");
  const page = await ann.open();
  await page.getByLabel("Name", { exact: true }).fill(ann.name);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await slowed(page, Number(times));
  const now = (): Promise<number> => page.evaluate(() => performance.now());
  const began = await now();
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("heading", { name: "Conversations" }).waitFor();
  const registered = (await now()) - began;
  await start(page, peer);
  const field = composer(page);
  await field.fill("first");
  await field.press("Enter");
  await page
    .locator(".line.own")
    .filter({ hasText: "first" })
    .getByRole("img", { name: /Sent|Delivered/ })
    .waitFor();
  return { registered, committed: (await now()) - began };
}

/** Two people who look at their conversation. */
async function looking(): Promise<[ann: Person, ben: Person, here: Page, there: Page]> {
  const [ann, ben] = [await person("ann"), await person("ben")];
  const [here, there] = [await register(ann), await register(ben)];
  await start(here, ben.name);
  await composer(here).fill("Hello");
  await composer(here).press("Enter");
  await open(there, ann.name);
  await sees(there, "Hello");
  await composer(there).fill("Hello back");
  await composer(there).press("Enter");
  await sees(here, "Hello back");
  await comes(there, "Hello back", "Read");
  return [ann, ben, here, there];
}

/** `TIMES` messages, each typed: from the press of Enter to the frame that shows it to the other. */
export async function typed(): Promise<object> {
  const [, , here, there] = await looking();
  const count = Number(times);
  await here.evaluate(() => {
    const pressed: number[] = [];
    Object.assign(globalThis, { pressed });
    addEventListener("keydown", ({ key }) => key === "Enter" && pressed.push(Date.now()), true);
  });
  const seen = there.evaluate(
    (all) =>
      new Promise<Record<string, number>>((resolve) => {
        const found: Record<string, number> = {};
        const look = (): void => {
          for (const { innerText: text } of document.querySelectorAll<HTMLElement>(".bubble .text")) {
            if (!text.startsWith("typed ") || text in found) continue;
            found[text] = 0;
            requestAnimationFrame(() => {
              found[text] = Date.now();
              if (Object.values(found).filter((at) => at > 0).length === all) resolve(found);
            });
          }
        };
        new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
      }),
    count,
  );
  await composer(here).focus();
  for (let number = 0; number < count; number += 1) {
    await here.keyboard.insertText(`typed ${String(number)}`);
    await here.keyboard.press("Enter");
    await here.waitForTimeout(APART);
  }
  const came = await seen;
  const went = await here.evaluate(() => (globalThis as unknown as { readonly pressed: number[] }).pressed);
  return { took: went.map((at, number) => (came[`typed ${String(number)}`] ?? Number.NaN) - at) };
}

/** Note the tasks that hold the page up for 50 ms or more. */
async function watchTasks(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const tasks: { at: number; took: number }[] = [];
    Object.assign(globalThis, { tasks });
    new PerformanceObserver((list) => {
      for (const one of list.getEntries()) tasks.push({ at: one.startTime, took: one.duration });
    }).observe({ type: "longtask", buffered: true });
  });
}

/** `TIMES` messages wait for somebody who opens the conversation meanwhile. */
export async function backlog(): Promise<object> {
  const [ann, ben] = await two();
  await greeted(ann, ben);
  await ann.browser.close();
  ann.tabs.length = 0;
  const [there] = ben.tabs;
  if (there === undefined) throw new Error("There is no tab.");
  const count = Number(times);
  await there.evaluate(
    async ([conversationId, all]) => {
      for (let number = 0; number < all; number += 1) {
        const text = `${String(number)} ${"x".repeat(100)}`;
        await globalThis.messenger.call("send", { conversationId, clientId: crypto.randomUUID(), text });
      }
    },
    [ben.talk, count] as const,
  );
  const waits = async (): Promise<boolean> =>
    there.evaluate(async (conversationId) => {
      const found = await globalThis.messenger.call("history", { conversationId, limit: 1_000 });
      return found.some((one) => one.outgoing && one.state === "queued");
    }, ben.talk);
  await until(async () => !(await waits()), "all is at the server");
  await ben.browser.close();
  await ann.browser.start();
  const page = await ann.open("about:blank");
  await watchTasks(page);
  await page.goto(url);
  await open(page, ben.name);
  await sees(page, `${String(count - 1)} xxx`);
  await page.waitForFunction((all) => globalThis.come.count >= all, count, { timeout: 120_000 });
  const { come, tasks } = await page.evaluate(() => ({
    come: globalThis.come,
    tasks: (globalThis as unknown as { readonly tasks: { at: number; took: number }[] }).tasks,
  }));
  const meanwhile = tasks.filter(({ at, took }) => at + took >= come.first);
  return { ...come, longest: Math.max(0, ...meanwhile.map((one) => one.took)), tasks };
}

/** 10,000 messages are stored: a start until the last ones are shown, `TIMES` times; then all are scrolled through. */
export async function stored(): Promise<object> {
  const [ann, , here] = await looking();
  const like = await here.evaluate(async () => {
    const [talk] = await globalThis.messenger.call("conversations", null);
    if (talk === undefined) throw new Error("There is no conversation.");
    const { conversation_id: conversationId } = talk;
    return globalThis.messenger.call("history", { conversationId, limit: 2 });
  });
  // A page of the same origin in which no engine runs.
  await here.goto(new URL("/about", url).href);
  const script = readFileSync(new URL("./fill.js", import.meta.url), "utf8");
  await here.evaluate(script);
  await here.evaluate(([count, some]) => globalThis.fill(count, some), [
    STORED,
    like.map(({ sender: _, ...one }): Message => one),
  ] as const);
  const warm: number[] = [];
  let page = here;
  for (let again = 0; again < Number(times); again += 1) {
    await ann.browser.close();
    await ann.browser.start();
    page = await ann.browser.tab("about:blank");
    // Its link is pressed once it is there.
    await page.addInitScript(() => {
      const press = (): void => {
        const link = document.querySelector<HTMLElement>("nav a[href^='#talk']");
        if (link === null) requestAnimationFrame(press);
        else link.click();
      };
      press();
    });
    warm.push(await shownAfter(page, ".bubble .text", () => page.goto(url)));
    await sees(page, "Hello back");
  }
  return { warm, ...(await scrolling(page)) };
}

/** Up to the first message and down again by the wheel; how long frames took, and what the page holds. */
async function scrolling(page: Page): Promise<object> {
  await page.evaluate(() => {
    const frames: number[] = [];
    let before = performance.now();
    const next = (now: number): void => {
      frames.push(now - before);
      before = now;
      requestAnimationFrame(next);
    };
    requestAnimationFrame((now) => {
      before = now;
      requestAnimationFrame(next);
    });
    Object.assign(globalThis, { frames });
  });
  const devtools = await page.context().newCDPSession(page);
  const box = await page.locator(".scroller").boundingBox();
  if (box === null) throw new Error("There is no list.");
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  let nodes = 0;
  const wheel = async (deltaY: number): Promise<void> => {
    await devtools.send("Input.dispatchMouseEvent", { type: "mouseWheel", x, y, deltaX: 0, deltaY });
  };
  const isSeen = (text: string): Promise<boolean> =>
    page.evaluate((said) => document.querySelector(".shown")?.textContent.includes(said) ?? false, text);
  const through = async (delta: number, text: string): Promise<void> => {
    for (let step = 0; !(await isSeen(text)); step += 1) {
      if (step > TIRED) throw new Error(`${text} is never seen.`);
      for (let turn = 0; turn < 10; turn += 1) await wheel(delta);
      nodes = Math.max(nodes, (await scrolled(page)).nodes);
    }
  };
  await through(-WHEEL, OLDEST);
  await through(WHEEL, "Hello back");
  const frames = await page.evaluate(() => (globalThis as unknown as { readonly frames: number[] }).frames);
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  return { frames, nodes, heap: usedSize };
}
