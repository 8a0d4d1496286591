/** Groups: made, named, joined and left; whom nobody vouches for is told, and gets nothing. */

import assert from "node:assert/strict";

import type { Locator, Page } from "playwright-core";

import { person } from "../tabs/scene.ts";
import { cue } from "./cue.ts";
import { composer, register, sees, write } from "./hands.ts";
import { look, seen } from "./looks.ts";

async function made(page: Page, ben: string): Promise<void> {
  await page.getByRole("navigation").getByRole("button", { name: "Write to somebody" }).first().click();
  await page.getByRole("button", { name: "New group" }).click();
  const dialog = page.getByRole("dialog", { name: "New group" });
  await dialog.getByLabel("Name of the group").fill("Walks");
  await dialog.getByLabel("Add by name").fill("nobody-at-all");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.getByText("Nobody here has this name.").waitFor();
  await dialog.getByLabel("Add by name").fill(ben);
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  const chosen = dialog.getByRole("checkbox", { name: ben });
  await chosen.waitFor();
  assert.ok(await chosen.isChecked());
  await look(page, "new-group");
  await dialog.getByRole("button", { name: "Make the group" }).click();
  await dialog.waitFor({ state: "hidden" });
  await composer(page).waitFor();
}

async function opened(page: Page): Promise<Locator> {
  await page.getByRole("main").getByRole("button", { name: "Group", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Group" });
  await dialog.getByRole("heading", { name: "Members" }).waitFor();
  return dialog;
}

const member = (dialog: Locator, name: string): Locator =>
  dialog.getByRole("listitem").filter({ hasText: name });

async function does(dialog: Locator, name: string, what: string): Promise<void> {
  await member(dialog, name).locator("summary").click();
  await member(dialog, name).getByRole("button", { name: what }).click();
}

export async function groups(): Promise<object> {
  const { name: ben = "" } = await cue("arrive", { name: "ben" });
  const { name: cleo = "" } = await cue("joins", { name: "cleo" });
  const { name: dora = "" } = await cue("joins", { name: "dora" });
  const ann = await person("ann");
  const page = await register(ann);
  await made(page, ben);
  await write(page, "who walks along?");
  await cue("hears", { text: "who walks along?" });
  const dialog = await opened(page);
  await dialog.getByLabel("Add by name").fill(cleo);
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await member(dialog, cleo).waitFor();
  await does(dialog, ben, "Make admin");
  await member(dialog, ben).getByText("Admin", { exact: true }).waitFor();
  await dialog.getByLabel("Name of the group").fill("Long walks");
  await dialog.getByRole("button", { name: "Rename" }).click();
  await cue("sees_title", { title: "Long walks" });
  await does(dialog, cleo, "Remove from the group");
  await member(dialog, cleo).waitFor({ state: "detached" });
  // Somebody whom only the server names.
  await cue("smuggles", { name: dora });
  await member(dialog, dora).getByText("They can't read anything.").waitFor();
  await look(page, "group");
  await page.keyboard.press("Escape");
  await write(page, "among us");
  await cue("hears", { text: "among us" });
  const alert = page.getByRole("main").getByRole("alert").filter({ hasText: "whom nobody here vouches for" });
  await alert.waitFor();
  await look(page, "unvouched");
  await alert.getByRole("button", { name: "I have seen it" }).click();
  await alert.waitFor({ state: "detached" });
  // The owner hands the group over, and goes.
  const again = await opened(page);
  await again.getByText("You own this group").waitFor();
  await does(again, ben, "Hand the group over");
  await member(again, ben).getByText("Owner").waitFor();
  await again.getByRole("button", { name: "Leave the group" }).click();
  await again.getByRole("button", { name: "Yes, leave" }).click();
  await again.getByText("You are not in this group any more.").waitFor();
  await page.keyboard.press("Escape");
  await sees(page, "among us");
  await composer(page).waitFor({ state: "detached" });
  return seen;
}
