/** Whom one believes to be who: comparing, contact links, identities that change, blocks, and one's own devices. */

import assert from "node:assert/strict";

import type { Page } from "playwright-core";

import type { Person } from "../tabs/person.ts";
import { person } from "../tabs/scene.ts";
import { cue } from "./cue.ts";
import { composer, logIn, register, start, until, write } from "./hands.ts";
import { look, seen } from "./looks.ts";

const SAME = "They are the same";

async function digits(page: Page): Promise<string> {
  const shown = page.getByRole("group", { name: "Safety number" });
  await shown.waitFor();
  return (await shown.innerText()).replaceAll(/\s+/g, "");
}

/** Open what there is to know of whom one writes with. */
async function about(page: Page): Promise<void> {
  await page.getByRole("main").getByRole("button", { name: "Contact", exact: true }).click();
  await page.getByRole("dialog", { name: "Contact" }).waitFor();
}

async function compared(page: Page): Promise<void> {
  await page.getByText("Not compared yet.").waitFor();
  const { digits: theirs } = await cue("number");
  assert.equal(await digits(page), theirs?.replaceAll(/\s+/g, ""));
  await look(page, "person");
  await page.getByRole("button", { name: SAME }).click();
  await page.getByText("Verified: you have compared.").waitFor();
}

/** The identity of somebody who was compared becomes another one: nothing goes out until that is decided. */
async function changed(page: Page): Promise<void> {
  await cue("resets");
  await write(page, "is it still you?");
  const alert = page.getByRole("main").getByRole("alert").filter({ hasText: "has changed." });
  await alert.waitFor();
  await alert.getByText("until you decide").waitFor();
  assert.equal(await alert.getByRole("button", { name: "I have seen it" }).count(), 0);
  await look(page, "refused");
  await alert.getByRole("button", { name: "Compare" }).click();
  await page.getByText("Nothing is sent until you decide.").waitFor();
  const { digits: theirs } = await cue("number");
  assert.equal(await digits(page), theirs?.replaceAll(/\s+/g, ""));
  await page.getByRole("button", { name: SAME }).click();
  await page.getByText("Verified: you have compared.").waitFor();
  await page.keyboard.press("Escape");
  await alert.waitFor({ state: "detached" });
  // What could not go waits for its author.
  await page.getByRole("button", { name: "Send it again" }).click();
  await cue("hears", { text: "is it still you?" });
  await page.getByText("This message was not sent.").waitFor({ state: "detached" });
  await write(page, "now I know");
  await cue("hears", { text: "now I know" });
}

async function links(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Contact link" }).click();
  const dialog = page.getByRole("dialog", { name: "Contact link" });
  const link = dialog.getByText(/#contact=/).last();
  await link.waitFor();
  await dialog.getByRole("img", { name: "QR code of your contact link" }).waitFor();
  await look(page, "contact");
  await cue("adds", { link: await link.innerText() });
  await dialog.getByLabel("Somebody's contact link").fill("https://elsewhere.example/#contact=AAAA");
  await dialog.getByRole("button", { name: "Add contact" }).click();
  await dialog.getByText("That is no contact link of this server.").waitFor();
  await page.keyboard.press("Escape");
}

/** Somebody new opens a link before there is an account. */
async function offered(): Promise<void> {
  const { link = "" } = await cue("link");
  const cleo = await person("cleo");
  const page = await cleo.open(new URL(link).hash.replace(/^/, "/"));
  assert.ok(!page.url().includes("contact="), page.url());
  await registerOver(cleo);
  const dialog = page.getByRole("dialog", { name: "Contact link" });
  await dialog.getByText("You have opened a contact link.").waitFor();
  await dialog.getByRole("button", { name: "Add contact" }).click();
  await composer(page).waitFor();
  await dialog.waitFor({ state: "hidden" });
  await about(page);
  await page.getByText("Verified: you have compared.").waitFor();
  await page.keyboard.press("Escape");
  await write(page, "by your link");
  await cue("hears", { text: "by your link" });
  await cleo.browser.close();
}

async function registerOver(made: Person): Promise<void> {
  const [page] = made.tabs;
  assert.ok(page !== undefined);
  await page.getByLabel("Name", { exact: true }).fill(made.name);
  await page.getByLabel("Password", { exact: true }).fill("correct horse battery staple");
  await page.getByRole("button", { name: "Create account" }).click();
  await made.online(page);
}

async function blocks(page: Page): Promise<void> {
  await about(page);
  await page.getByRole("button", { name: "Block", exact: true }).click();
  await page.getByText("You have blocked").waitFor();
  await page.getByRole("button", { name: "Unblock" }).click();
  await page.getByText("You have blocked").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
}

async function devices(ann: Person, page: Page): Promise<void> {
  const second = await person("second");
  const other = await second.open();
  await logIn(other, ann.name);
  const shown = other.getByLabel("The code of this browser", { exact: true });
  await until(async () => (await shown.innerText()).length > 10, "the code is shown");
  await other.getByRole("img", { name: "QR code of this browser's code" }).waitFor();
  const code = await shown.innerText();
  const alert = page.getByRole("alert").filter({ hasText: "A new device asks to be let into your account." });
  await alert.getByRole("button", { name: "Look at the devices" }).click();
  const dialog = page.getByRole("dialog", { name: "Devices" });
  await dialog.getByText("Waits for approval, and reads nothing.").waitFor();
  await dialog.getByLabel("Code of the new device").fill(code.slice(0, -2));
  await dialog.getByRole("button", { name: "Find the device" }).click();
  await dialog.getByText("No device of yours that waits shows this code.").waitFor();
  await dialog.getByLabel("Code of the new device").fill(code);
  await dialog.getByRole("button", { name: "Find the device" }).click();
  await dialog.getByText("Is this the device in front of you?").waitFor();
  await look(page, "devices");
  await dialog.getByRole("button", { name: "Yes, approve it" }).click();
  await dialog.getByText("It is approved.").waitFor();
  await second.online(other);
  await dialog.getByText("Waits for approval").waitFor({ state: "detached" });
  await alert.waitFor({ state: "detached" });
  await dialog.getByRole("button", { name: "Remove", exact: true }).click();
  await dialog.getByRole("button", { name: "Yes, remove it" }).click();
  await other.getByText("This browser was removed from your account.").waitFor();
  await dialog.getByRole("button", { name: "Remove", exact: true }).waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await second.browser.close();
}

export async function contacts(): Promise<object> {
  const { name = "" } = await cue("arrive", { name: "ben" });
  const ann = await person("ann");
  const page = await register(ann);
  await cue("meets", { name: ann.name });
  await start(page, name);
  await write(page, "hello");
  await cue("hears", { text: "hello" });
  await about(page);
  await compared(page);
  await page.keyboard.press("Escape");
  await changed(page);
  await blocks(page);
  await links(page);
  await offered();
  await devices(ann, page);
  return seen;
}
