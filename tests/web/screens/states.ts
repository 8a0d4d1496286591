/** Each state that is not the usual one: what a person reads then, and what gets them out of it. */

import assert from "node:assert/strict";

import type { Page } from "playwright-core";

import type { Status } from "../../../messenger/web/client/src/worker/protocol.ts";
import { PASSWORD } from "../tabs/person.ts";
import { person, someone, url } from "../tabs/scene.ts";
import { Cable } from "../tabs/servers.ts";
import { cue } from "./cue.ts";
import { comes, composer, logIn, open, register, sees, start, until, write } from "./hands.ts";

const AWAY =
  /ERR_CONNECTION_|ERR_EMPTY_RESPONSE|status of (401|403|404|409|422|429|502)|WebSocket connection/;

export async function states(): Promise<object> {
  await installable();
  await wrongEntries();
  await lockedAndLoggedOut();
  await waitingAndRemoved();
  await away();
  await full();
  await whatStopsThePage();
  return {};
}

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

/** The browser offers to install it, and nothing about its manifest is wrong. */
async function installable(): Promise<void> {
  const ann = await person("installs");
  const page = await ann.open();
  const devtools = await page.context().newCDPSession(page);
  const { errors, data } = await devtools.send("Page.getAppManifest");
  assert.deepEqual(errors, []);
  assert.equal((JSON.parse(data ?? "") as { readonly name: string }).name, "Secure Messenger");
  const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
  assert.deepEqual(installabilityErrors, []);
  await ann.browser.close();
}

/** What is typed wrong is told beside it, and what the server refuses in words. */
async function wrongEntries(): Promise<void> {
  const name = await someone("taken");
  const ann = await person("wrong");
  const page = await ann.open();
  await button(page, "Create account").click();
  await page.getByText("Choose a name.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("name")), "username");
  await page.getByLabel("Name", { exact: true }).fill("A b");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await button(page, "Create account").click();
  await page.getByText("A name begins with a letter").waitFor();
  await page.getByText("That is too short").waitFor();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password", { exact: true }).fill("password123");
  await button(page, "Create account").click();
  await page.getByText("Others would guess that password first.").waitFor();
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await button(page, "Create account").click();
  await page.getByText("Somebody has this name already.").waitFor();
  await logIn(page, name, "not the password");
  await page.getByText("Name and password don't fit together.").waitFor();
  ann.browser.forgive(AWAY);
  await ann.browser.close();
}

/** A lock, a session that has ended, and beginning anew. */
async function lockedAndLoggedOut(): Promise<void> {
  const ann = await person("locked");
  await register(ann, true);
  await ann.browser.close();
  await ann.browser.start();
  const page = await ann.browser.tab();
  ann.tabs.splice(0, 1, page);
  await page.getByText("This browser is locked.").waitFor();
  await page.getByLabel("Password", { exact: true }).fill("not this one");
  await button(page, "Open").click();
  await page.getByText("That is not the password.").waitFor();
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await button(page, "Open").click();
  await page.getByRole("heading", { name: "Conversations" }).waitFor();
  await ann.online(page);
  // Logged out: what is here stays, and a password goes on.
  await button(page, "Settings").click();
  await button(page, "Log out").click();
  await page.getByText("What it has kept stays in it.").waitFor();
  await button(page, "Log out").click();
  await page.getByText("You are logged out.").waitFor();
  await button(page, "Log in again").click();
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await button(page, "Log in").click();
  await ann.online(page);
  await page.getByText("You are logged out.").waitFor({ state: "hidden" });
  // On a machine of somebody else nothing stays.
  const guest = await person("guest");
  const there = await register(guest);
  await button(there, "Settings").click();
  await button(there, "Log out and delete all here").click();
  await button(there, "Yes, delete all here").click();
  await button(there, "Create account").waitFor();
  await there.reload();
  await button(there, "Create account").waitFor();
  guest.browser.forgive(AWAY);
  await guest.browser.close();
  // Whoever has forgotten the password begins anew.
  await page.reload();
  await button(page, "I can't remember it").click();
  await page.getByText("Nobody can open this browser's messages").waitFor();
  await button(page, "Cancel").click();
  await button(page, "I can't remember it").click();
  await button(page, "Delete what is kept here").click();
  await button(page, "Create account").waitFor();
  ann.browser.forgive(AWAY);
  await ann.browser.close();
}

/** A second device: it waits, is approved, and is removed. */
async function waitingAndRemoved(): Promise<void> {
  const { name = "", password = "" } = await cue("arrive");
  const ann = await person("second");
  const page = await ann.open();
  await logIn(page, name, password);
  await page.getByRole("heading", { name: "One more step" }).waitFor();
  const code = page.getByLabel("The code of this browser");
  await until(async () => /^[A-Z2-7 -]{20,}$/.test(await code.innerText()), "the code is shown");
  await cue("approve", { code: await code.innerText() });
  await page.getByText("No conversations yet").waitFor();
  await ann.online(page);
  await cue("remove");
  await page.getByText("This browser was removed from your account.").waitFor();
  await button(page, "Begin anew here").click();
  await button(page, "Delete what is kept here").click();
  await button(page, "Create account").waitFor();
  ann.browser.forgive(AWAY);
  await ann.browser.close();
}

/** The server is away: what is here can be read, and what is written goes out later. */
async function away(): Promise<void> {
  const cable = new Cable(url);
  await cable.plug();
  const ben = await someone("ben");
  const ann = await person("away", undefined, cable.url);
  const page = await register(ann);
  await start(page, ben);
  await write(page, "Before");
  await comes(page, "Before", "Sent");
  await cable.pull();
  await page.getByText("The server doesn't answer.").waitFor();
  await page.getByText(/Next try in \d+ seconds?\./).waitFor();
  await write(page, "Meanwhile");
  await comes(page, "Meanwhile", "Waits to be sent");
  // Started anew without a server, all is there.
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await page.reload();
  await sees(page, "Meanwhile");
  await cable.plug();
  await button(page, "Try now").click();
  await comes(page, "Meanwhile", "Sent");
  await page.getByText("The server doesn't answer.").waitFor({ state: "hidden" });
  await open(page, ben);
  ann.browser.forgive(AWAY);
  await ann.browser.close();
}

/** There is no room on the disk: it is told, and what was written stays to be sent. */
async function full(): Promise<void> {
  const ben = await someone("benno");
  const ann = await person("full");
  const blank = await ann.open("/about");
  const devtools = await blank.context().newCDPSession(blank);
  // First of all: the browser remembers for a while how much there was.
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(url).origin, quotaSize: 6 << 20 });
  await blank.goto(url);
  const page = await register(ann);
  await start(page, ben);
  await write(page, "Before");
  await comes(page, "Before", "Sent");
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await page.evaluate(fill);
  await write(page, "Too much ".repeat(2_000));
  await page.getByText("The browser gives this page no more room.").waitFor();
  assert.match(await composer(page).inputValue(), /^Too much/);
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.deleteDatabase("junk").onsuccess = resolve;
      }),
  );
  await composer(page).press("Enter");
  await sees(page, "Too much");
  await ann.browser.close();
}

/** In the page: take all room that is left. */
async function fill(): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve) => {
    const opening = indexedDB.open("junk");
    opening.onupgradeneeded = () => opening.result.createObjectStore("junk", { autoIncrement: true });
    opening.onsuccess = () => {
      resolve(opening.result);
    };
  });
  for (let size = 1 << 20; size >= 1 << 10;) {
    const isDone = await new Promise<boolean>((resolve) => {
      const work = database.transaction("junk", "readwrite", { durability: "strict" });
      work.oncomplete = () => {
        resolve(true);
      };
      work.onabort = () => {
        resolve(false);
      };
      const junk = new Uint8Array(size);
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(junk.subarray(at, at + 65_536));
      work.objectStore("junk").put(junk);
    });
    if (!isDone) size >>= 1;
  }
  database.close();
}

/** What stops the page: told by the worker or by another tab, as if that had happened. */
async function whatStopsThePage(): Promise<void> {
  const ann = await person("stopped");
  const page = await register(ann);
  const as = (said: Partial<Status>, role: "leads" | "other_version" = "leads"): Promise<void> =>
    page.evaluate(
      ([more, now]) => {
        const { messenger } = globalThis;
        messenger.onStatus({ ...messenger.status, ...more }, now);
      },
      [said, role] as const,
    );
  const shows = async (title: string): Promise<void> => {
    await page.getByRole("heading", { name: title }).waitFor();
    await button(page, "Load the page again").waitFor();
    // Nothing of what the program calls it.
    assert.doesNotMatch(
      await page.evaluate(() => document.body.innerText),
      /store_|error|[0-9a-f]{8}-[0-9a-f]{4}/i,
    );
  };
  for (const [code, title] of [
    ["no_storage", "The browser keeps nothing for this page"],
    ["not_loaded", "A part of this page is missing"],
    ["store_full", "There is no room left"],
    ["store_busy", "An older version of this page is open"],
    ["store_too_new", "This is an older version of the page"],
    ["store_corrupt", "What is kept in this browser is damaged"],
    ["error", "Something went wrong"],
    ["constructor", "Something went wrong"],
  ] as const) {
    await as({ profile: "failed", code });
    await shows(title);
  }
  await as({}, "other_version");
  await shows("Two versions of this page are open");
  await as({ profile: "open", connection: "taken_over" });
  await page.getByText("Another program is connected as this very device.").waitFor();
  await button(page, "Connect here").waitFor();
  await ann.browser.close();
}
