/** Tabs, workers and browsers that end while people write. */

import { setTimeout as pause } from "node:timers/promises";

import type { Page } from "playwright-core";

import type { Person } from "./person.ts";
import { draw, greeted, judged, times, two, until } from "./scene.ts";

const TIMES = Number(times);

/** The leader is closed while all write. */
export async function leaders(): Promise<object> {
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
}

/** Tabs, workers and browsers of both die at random moments while both write. */
export async function kills(): Promise<object> {
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
}
