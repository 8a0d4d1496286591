/** Where a story takes place: a server, browsers, people at them, and what each has of it in the end. */

import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";

import { random } from "../files.ts";
import { Chromium } from "./chromium.ts";
import { Person } from "./person.ts";

const [, , client = "", chromium = "", ...rest] = process.argv;
/** What the command line says besides. */
export const [url = "", folder = "", story = "", times = "0", newer = ""] = rest;
const PATIENCE = 120_000;
export const draw = random();

export const people: Person[] = [];

export async function person(name: string, profile = join(folder, name), at = url): Promise<Person> {
  mkdirSync(profile, { recursive: true });
  const browser = new Chromium({ client, chromium, url: at }, profile);
  await browser.start();
  const made = new Person(`${name}-${randomBytes(6).toString("hex")}`, browser);
  people.push(made);
  return made;
}

/** Two people with a browser each, who know each other. */
export async function two(): Promise<[ann: Person, ben: Person]> {
  const [ann, ben] = [await person("ann"), await person("ben")];
  const [here, there] = [await ann.open(), await ben.open()];
  await Promise.all([ann.register(here), ben.register(there)]);
  ann.talk = await ann.direct(here, ben.name);
  ben.talk = await ben.direct(there, ann.name);
  return [ann, ben];
}

/** Somebody who has an account and whose browser is closed then; the name. */
export async function someone(name: string, at = url): Promise<string> {
  const made = await person(name, undefined, at);
  await made.register(await made.open());
  await made.browser.close();
  return made.name;
}

/** Each has written to the other, so that sessions go both ways. */
export async function greeted(...both: readonly Person[]): Promise<void> {
  for (const one of both) {
    const [page] = one.tabs;
    if (page !== undefined) await one.write(page);
  }
}

export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const late = Date.now() + PATIENCE;
  while (!(await holds())) {
    if (Date.now() > late) throw new Error(`It never came to this: ${what}.`);
    await pause(50);
  }
}

/** What each has of the conversation in the end, once all that was written has come. */
export async function judged(ann: Person, ben: Person): Promise<object> {
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
    // However many are on their way: as long as some arrive.
    const settled = (): number => rows.filter((row) => ["sent", "received"].includes(row.state)).length;
    for (let late = Date.now() + PATIENCE; !isThrough() && Date.now() < late;) {
      const before = settled();
      await pause(500);
      rows = await one.history(page);
      if (settled() > before) late = Date.now() + PATIENCE;
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
