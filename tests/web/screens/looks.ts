/** Every screen in both themes, narrow and with large letters: judged by axe, and pictures for a person to look at. */

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

import type { Page } from "playwright-core";

import { Person } from "../tabs/person.ts";
import { ELSEWHERE } from "../tabs/chromium.ts";
import { folder, people, person, url } from "../tabs/scene.ts";
import { cue } from "./cue.ts";
import { comes, composer, fits, logIn, open, register, sees, start, until, write } from "./hands.ts";

const [, , client = ""] = process.argv;
const axe = readFileSync(createRequire(join(client, "package.json")).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

interface Found {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** What axe found, and how many pictures were taken. */
export const seen: { readonly violations: string[]; pictures: number } = { violations: [], pictures: 0 };

/** Judge what is shown, in all its looks, and take its pictures. */
export async function look(page: Page, name: string): Promise<void> {
  mkdirSync(join(folder, "pictures"), { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const [size, width, height, letters] of [
      ["wide", 1_000, 640, 100],
      ["narrow", 360, 700, 100],
      ["narrowest", 320, 640, 100],
      ["large", 640, 640, 200],
    ] as const) {
      await page.setViewportSize({ width, height });
      await page.evaluate((percent) => {
        document.documentElement.style.fontSize = `${String(percent)}%`;
      }, letters);
      await settled(page);
      await fits(page, `${name}, ${size}`);
      await judge(page, `${name}, ${colorScheme}, ${size}`);
      const isPicture =
        (size === "wide" && colorScheme === "light") || (size === "narrow" && colorScheme === "dark");
      if (isPicture || process.env["MESSENGER_ALL_PICTURES"] !== undefined) {
        const file = `web-${name}-${colorScheme}${size === "wide" ? "" : `-${size}`}.png`;
        await page.screenshot({
          path: join(folder, "pictures", file),
          animations: "disabled",
          caret: "hide",
        });
        seen.pictures += 1;
      }
    }
  }
  await page.evaluate(() => {
    document.documentElement.style.fontSize = "";
  });
  await page.setViewportSize({ width: 1_000, height: 640 });
}

/** Two frames later all that follows from a size was drawn. */
async function settled(page: Page): Promise<void> {
  for (let frames = 0; frames < 3; frames += 1) {
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
}

async function judge(page: Page, where: string): Promise<void> {
  const found = await page.evaluate<{ readonly violations: readonly Found[] }>(
    `${axe}; axe.run(document, { runOnly: ${JSON.stringify(TAGS)} })`,
  );
  for (const { id, nodes } of found.violations) {
    const [first] = nodes;
    seen.violations.push(`${where}: ${id}: ${first?.html ?? ""} ${first?.failureSummary ?? ""}`);
  }
}

async function named(name: string): Promise<Person> {
  const made = await person(name);
  // On a server of its own a name is as it is chosen.
  const plain = new Person(name, made.browser);
  people.splice(people.indexOf(made), 1, plain);
  return plain;
}

export async function looks(): Promise<object> {
  const [anna, ben] = [await named("anna"), await named("ben")];
  const here = await anna.open();
  await here.getByRole("button", { name: "Create account" }).waitFor();
  await look(here, "entry");
  await register(anna);
  await look(here, "empty");
  const there = await register(ben);
  await start(here, "ben");
  await look(here, "beginning");
  await write(here, "Hello Ben! Have you seen that the garden is in bloom?");
  await write(here, "I took the long way home today.");
  await comes(here, "the long way", "Delivered");
  await open(there, "anna");
  await composer(there).focus();
  await comes(here, "the long way", "Read");
  await write(there, "Yes, wonderful!");
  await write(
    there,
    "Shall we have coffee there on Saturday? https://example.org/garden (the one by the gate)",
  );
  await sees(here, "Saturday");
  await write(here, "Gladly. At three?");
  await cue("arrive", { name: "clara" });
  await cue("writes", { to: "anna", text: "The train leaves at ten past eight, from platform four." });
  await cue("writes", { to: "anna", text: "Bring an umbrella!" });
  await here.getByText("2 unread messages").waitFor();
  await comes(here, "Gladly", "Read");
  await look(here, "conversation");
  await here.getByRole("button", { name: "Settings" }).click();
  await here.getByRole("dialog").waitFor();
  await look(here, "settings");
  await here.keyboard.press("Escape");
  await here.getByRole("navigation").getByRole("button", { name: "Write to somebody" }).click();
  await here.getByLabel("Their name").fill("no one");
  await here.getByRole("button", { name: "Write", exact: true }).click();
  await here.getByText("Nobody here has this name.").waitFor();
  await look(here, "start");
  await here.keyboard.press("Escape");
  await here.goBack();
  await look(here, "list");
  await banners(here);
  await second();
  await insecure();
  await contrast(here);
  return seen;
}

type Said = Parameters<typeof globalThis.messenger.onStatus>[0];

async function banners(page: Page): Promise<void> {
  const as = (said: Partial<Said>): Promise<void> =>
    page.evaluate((more) => {
      const { messenger } = globalThis;
      messenger.onStatus({ ...messenger.status, ...more }, "leads");
    }, said);
  await open(page, "ben");
  await as({ connection: "offline", retryAt: Date.now() + 600_000 });
  await look(page, "away");
  for (const connection of ["session_ended", "taken_over", "removed"] as const) {
    await as({ connection });
    await look(page, connection.replace("_", "-"));
  }
  await as({ connection: "session_ended" });
  await page.getByRole("button", { name: "Log in again" }).click();
  await look(page, "again");
  await page.keyboard.press("Escape");
  await as({ connection: "online" });
  await as({ profile: "locked" });
  await page.getByText("This browser is locked.").waitFor();
  await look(page, "locked");
  await page.getByRole("button", { name: "I can't remember it" }).click();
  await look(page, "forgotten");
  await as({ profile: "failed", code: "store_full" });
  await look(page, "full");
  await as({ profile: "open" });
}

/** A second device that waits. */
async function second(): Promise<void> {
  const made = await person("second");
  const page = await made.open();
  await logIn(page, "anna");
  const code = page.getByLabel("The code of this browser");
  await until(async () => (await code.innerText()).length > 10, "the code is shown");
  await look(page, "waiting");
  await made.browser.close();
}

async function insecure(): Promise<void> {
  const there = new URL(url);
  there.hostname = ELSEWHERE;
  const made = await person("insecure", undefined, there.href);
  const page = await made.open();
  await page.getByRole("heading", { name: "This connection is not secure" }).waitFor();
  await look(page, "insecure");
  made.browser.forgive(/Cross-Origin-Opener-Policy/);
  await made.browser.close();
}

/** With more contrast, and in German. */
async function contrast(page: Page): Promise<void> {
  await page.evaluate(() => {
    localStorage.setItem("look", JSON.stringify({ theme: null, contrast: "more", language: "de" }));
  });
  await page.reload();
  await page.getByRole("heading", { name: "Unterhaltungen" }).waitFor();
  await open(page, "ben");
  await look(page, "german");
}
