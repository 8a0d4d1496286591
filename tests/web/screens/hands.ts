/** What a person does at the screens. */

import assert from "node:assert/strict";

import type { Locator, Page } from "playwright-core";

import { PASSWORD } from "../tabs/person.ts";
import type { Person } from "../tabs/person.ts";
import { until } from "../tabs/scene.ts";

/** Make an account at the first screen. */
export async function register(person: Person, lock = false): Promise<Page> {
  const page = person.tabs[0] ?? (await person.open());
  await page.getByLabel("Name", { exact: true }).fill(person.name);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  if (lock) await page.getByLabel("Lock this browser").check();
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("heading", { name: "Conversations" }).waitFor();
  await person.online(page);
  return page;
}

/** Log in to an account that is there. */
export async function logIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.getByRole("radio", { name: "I have an account" }).check();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** Where the next message is written. */
export function composer(page: Page): Locator {
  return page.getByRole("main").getByRole("textbox");
}

/** Begin a conversation by name. */
export async function start(page: Page, name: string): Promise<void> {
  await page.getByRole("navigation").getByRole("button", { name: "Write to somebody" }).first().click();
  await page.getByLabel("Their name").fill(name);
  await page.getByRole("button", { name: "Write", exact: true }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await composer(page).waitFor();
}

/** Open one that is there. */
export async function open(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name }).click();
  await page.getByRole("region", { name }).waitFor();
}

export async function write(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

/** The message that says this. */
export async function sees(page: Page, text: string): Promise<void> {
  await page.getByRole("listitem").filter({ hasText: text }).last().waitFor();
}

/** How far the message that says this has come. */
export async function comes(page: Page, text: string, stage: string): Promise<void> {
  const line = page.getByRole("region").getByRole("listitem").filter({ hasText: text }).last();
  await line.getByRole("img", { name: stage, exact: true }).waitFor();
}

/** Where the list is scrolled to, and how far it goes. */
export function scrolled(page: Page): Promise<{ top: number; end: number; nodes: number }> {
  return page.evaluate(() => {
    const place = document.querySelector(".scroller");
    if (place === null) throw new Error("There is no list.");
    return {
      top: place.scrollTop,
      end: place.scrollHeight - place.clientHeight,
      nodes: document.querySelectorAll("*").length,
    };
  });
}

/** Nothing goes beyond the window's width. */
export async function fits(page: Page, what: string): Promise<void> {
  const [inside, width] = await page.evaluate(
    () => [document.documentElement.scrollWidth, innerWidth] as const,
  );
  assert.ok(inside <= width, `${what} is ${String(inside)} px wide in ${String(width)} px`);
}

export { until };
