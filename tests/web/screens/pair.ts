/** The picture at the top of the documentation: a conversation, as one of two sees it on a desk and one on a phone. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "playwright-core";

import { Person } from "../tabs/person.ts";
import { folder, people, person } from "../tabs/scene.ts";
import { comes, composer, open, register, sees, start, write } from "./hands.ts";

const DESK = { width: 820, height: 600 };
const PHONE = { width: 330, height: 600 };

async function named(name: string): Promise<Person> {
  const made = await person(name);
  // On a server of its own a name is as it is chosen.
  const plain = new Person(name, made.browser);
  people.splice(people.indexOf(made), 1, plain);
  return plain;
}

async function taken(page: Page, colorScheme: "light" | "dark", size: typeof DESK): Promise<string> {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await page.setViewportSize(size);
  for (let frames = 0; frames < 3; frames += 1) {
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
  const picture = await page.screenshot({ animations: "disabled", caret: "hide" });
  return `data:image/png;base64,${picture.toString("base64")}`;
}

export async function pair(): Promise<object> {
  const [anna, ben] = [await named("anna"), await named("ben")];
  const here = await register(anna);
  const there = await register(ben);
  await start(here, "ben");
  await write(here, "Hello Ben! Have you seen that the garden is in bloom?");
  await comes(here, "in bloom", "Delivered");
  await open(there, "anna");
  await composer(there).focus();
  await write(there, "Yes, wonderful! I walked through it this morning.");
  await write(there, "Shall we have coffee there on Saturday?");
  await sees(here, "Saturday");
  await write(here, "Gladly. At three, at the table by the gate?");
  await sees(there, "by the gate");
  await write(there, "Perfect. I bring the cake");
  await sees(here, "the cake");
  await write(here, "Then I bring hunger.");
  await sees(there, "hunger");
  await comes(here, "hunger", "Read");
  const pictures = [await taken(here, "light", DESK), await taken(there, "dark", PHONE)];
  const table = await anna.browser.tab("about:blank");
  await table.setViewportSize({ width: DESK.width + PHONE.width + 72, height: DESK.height + 48 });
  // A page without a policy: it is none of ours.
  await table.setContent(
    `<style>
      body { margin: 0; padding: 24px; display: flex; gap: 24px; background: #cfd8dc }
      img { display: block; border-radius: 10px; box-shadow: 0 4px 14px #0006 }
    </style>${pictures.map((source) => `<img src="${source}">`).join("")}`,
  );
  mkdirSync(join(folder, "pictures"), { recursive: true });
  await table.screenshot({ path: join(folder, "pictures", "two-people.png") });
  return { violations: [], pictures: 1 };
}
