/** A whole way without a mouse, and the names by which a screen reader tells it. */

import assert from "node:assert/strict";

import type { Page } from "playwright-core";

import { PASSWORD } from "../tabs/person.ts";
import { person } from "../tabs/scene.ts";
import { cue } from "./cue.ts";
import { comes, sees, until } from "./hands.ts";

/** What has the focus, as it is called. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { activeElement: here } = document;
    const labels = here instanceof HTMLInputElement ? [...(here.labels ?? [])] : [];
    const label = here?.getAttribute("aria-label") ?? labels.map((one) => one.innerText).join(" ");
    return label === "" ? ((here as HTMLElement | null)?.innerText ?? "") : label;
  });
}

/** Press Tab until that has the focus. */
async function tabTo(page: Page, name: string | RegExp, key = "Tab"): Promise<void> {
  const passed: string[] = [];
  for (let presses = 0; presses < 30; presses += 1) {
    const here = await focused(page);
    if (typeof name === "string" ? here === name : name.test(here)) return;
    passed.push(here);
    await page.keyboard.press(key);
  }
  throw new Error(`Tab does not lead to ${String(name)}, but to ${passed.join(", ")}.`);
}

async function snapshot(page: Page): Promise<string> {
  return page.locator("body").ariaSnapshot();
}

export async function keyboard(): Promise<object> {
  const { name: other = "" } = await cue("arrive");
  const ann = await person("ann");
  const page = await ann.open();
  await page.getByRole("button", { name: "Create account" }).waitFor();
  const entry = await snapshot(page);
  for (const part of [
    'heading "Secure Messenger"',
    'group "How do you want to begin?"',
    'radio "I\'m new here" [checked]',
    'textbox "Name"',
    'textbox "Password"',
    'button "Show Password"',
    'checkbox "Lock this browser with the password"',
  ]) {
    assert.ok(entry.includes(part), `${part} is not in ${entry}`);
  }
  // The first field has the focus; arrows choose between new and known.
  await until(async () => (await focused(page)) === "Name", "the name has the focus");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowRight");
  await page.getByRole("button", { name: "Log in" }).waitFor();
  await page.keyboard.press("ArrowLeft");
  await tabTo(page, "Name");
  await page.keyboard.type(ann.name);
  await tabTo(page, "Password");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText("No conversations yet").waitFor();
  // A sheet has the focus while it is open, and gives it back.
  await tabTo(page, "Settings");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Settings" }).waitFor();
  for (let presses = 0; presses < 12; presses += 1) {
    await page.keyboard.press("Tab");
    const isInside = await page.evaluate(
      () => document.activeElement === document.body || document.activeElement?.closest("dialog") !== null,
    );
    assert.ok(isInside, await focused(page));
  }
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await until(async () => (await focused(page)) === "Settings", "the button has the focus again");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Write to somebody");
  await page.keyboard.press("Enter");
  await until(async () => (await focused(page)) === "Their name", "the field has the focus");
  await page.keyboard.type("nobody-has-this-name");
  await page.keyboard.press("Enter");
  await page.getByText("Nobody here has this name.").waitFor();
  await tabTo(page, "Their name", "Shift+Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(other);
  await page.keyboard.press("Enter");
  await until(async () => (await focused(page)).startsWith("Message to "), "the composer has the focus");
  await page.keyboard.type("By hand");
  await page.keyboard.press("Enter");
  await comes(page, "By hand", "Delivered");
  await cue("writes", { to: ann.name, text: "Heard" });
  await sees(page, "Heard");
  const talk = await snapshot(page);
  for (const part of [
    'navigation "Conversations"',
    'button "Settings"',
    'button "Write to somebody"',
    `heading "${other}"`,
    'region "Messages with',
    'img "Delivered"',
    'textbox "Message to',
    'button "Send" [disabled]',
  ]) {
    assert.ok(talk.includes(part), `${part} is not in ${talk}`);
  }
  // From the composer back to the messages, and to the list.
  await tabTo(page, /^Messages with/, "Shift+Tab");
  await tabTo(page, new RegExp(other), "Shift+Tab");
  await page.keyboard.press("Enter");
  // The browser's Back leads to the list, as elsewhere.
  await page.goBack();
  await page.getByText("Choose a conversation").waitFor();
  ann.browser.forgive(/status of 404/); // nobody had that name
  return {};
}
