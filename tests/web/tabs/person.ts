/** Somebody at a browser with some tabs, who writes whatever happens to these, and tries again until it is done. */

import { randomUUID } from "node:crypto";

import type { CDPSession, Page } from "playwright-core";

import type { Chromium } from "./chromium.ts";

export const PASSWORD = "correct horse battery staple";
const PATIENCE = 60_000;

/** A text with its id. */
interface Draft {
  readonly clientId: string;
  readonly text: string;
}

export interface Shown {
  readonly text: string;
  readonly state: string;
  readonly outgoing: boolean;
}

/** What a page that was closed, crashed or cut off says to who speaks to it. */
function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    /closed|crash|destroyed|disconnected|detached|LeaderGone|NotOpen|not attached/i.test(error.message)
  );
}

export class Person {
  readonly name: string;
  readonly browser: Chromium;
  readonly tabs: Page[] = [];
  /** What was written down, as the engine said. */
  readonly written: string[] = [];
  /** How often it was tried again. */
  again = 0;
  talk = "";
  #drafts: Draft[] = [];
  #count = 0;

  constructor(name: string, browser: Chromium) {
    this.name = name;
    this.browser = browser;
  }

  async open(path?: string): Promise<Page> {
    const page = await this.browser.tab(path);
    this.tabs.push(page);
    return page;
  }

  async close(page: Page): Promise<void> {
    this.tabs.splice(this.tabs.indexOf(page), 1);
    await page.close();
  }

  /** As a tab does whose process ends. */
  async crash(page: Page): Promise<void> {
    this.tabs.splice(this.tabs.indexOf(page), 1);
    const crashed = page.waitForEvent("crash");
    const devtools: CDPSession = await page.context().newCDPSession(page);
    devtools.send("Page.crash").catch(() => undefined); // nobody is left to answer
    await crashed;
    await page.close();
  }

  async register(page: Page): Promise<void> {
    await page.waitForFunction(() => globalThis.messenger.status.profile === "none");
    await page.evaluate(
      ([username, password]) => globalThis.messenger.call("register", { username, password }),
      [this.name, PASSWORD] as const,
    );
    await this.online(page);
  }

  online(page: Page): Promise<unknown> {
    return page.waitForFunction(() => globalThis.messenger.status.connection === "online", undefined, {
      timeout: PATIENCE,
    });
  }

  direct(page: Page, username: string): Promise<string> {
    return page.evaluate((name) => globalThis.messenger.call("direct", { username: name }), username);
  }

  /** The tab that leads, if one does yet. */
  async leader(): Promise<Page | undefined> {
    for (const page of this.tabs) {
      const role = await page.evaluate(() => globalThis.messenger.role).catch(() => undefined);
      if (role === "leads") return page;
    }
    return undefined;
  }

  /** Write something new in a tab, or what could not be told whether it was written; false where it can't be. */
  async write(page: Page): Promise<boolean> {
    const draft = this.#drafts.shift() ?? this.#fresh();
    try {
      await page.evaluate((said) => globalThis.messenger.call("send", said), {
        ...draft,
        conversationId: this.talk,
      });
      this.written.push(draft.text);
      return true;
    } catch (error) {
      if (!isGone(error)) throw error;
      this.#drafts.push(draft);
      this.again += 1;
      return false;
    }
  }

  /** Write in a tab until it is gone or `done` says so. */
  async writes(page: Page, done: () => boolean): Promise<void> {
    while (!done() && (await this.write(page)));
  }

  /** Try again what is not known to be written. */
  async finish(page: Page): Promise<void> {
    while (this.#drafts.length > 0) await this.write(page);
  }

  history(page: Page): Promise<Shown[]> {
    return page.evaluate(async (conversationId) => {
      const limit = 1_000;
      const all: Shown[] = [];
      for (let before: number | undefined; ;) {
        const asked = { conversationId, limit, ...(before === undefined ? {} : { before }) };
        const found = await globalThis.messenger.call("history", asked);
        all.unshift(...found.map(({ text, state, outgoing }) => ({ text, state, outgoing })));
        before = found[0]?.id;
        if (found.length < limit || before === undefined) return all;
      }
    }, this.talk);
  }

  #fresh(): Draft {
    this.#count += 1;
    return { clientId: randomUUID(), text: `${this.name} ${String(this.#count)}` };
  }
}
