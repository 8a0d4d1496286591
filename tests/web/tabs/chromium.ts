/** A Chromium with a profile of its own, which can be killed, and what its pages say that they must not. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";

import type * as Playwright from "playwright-core";

import { WARNINGS } from "../../../messenger/web/client/src/engine/events.ts";
import type { Client } from "../../../messenger/web/client/src/worker/client.ts";

declare global {
  // What the page gives away.
  var messenger: Client;
  var heard: (said: string) => Promise<void>;
  /** How many messages have come, and when the first and the last one did (`performance.now`). */
  var come: { count: number; first: number; last: number };
}

/** A name that leads here, and that no browser takes for this machine. */
export const ELSEWHERE = "chat.test";
const STARTS_WITHIN = 30_000;
/** Milliseconds in which a slowed process runs once and is stopped once. */
const TURN = 20;

/** Where things are. */
export interface Place {
  /** The folder that has playwright-core. */
  readonly client: string;
  readonly chromium: string;
  /** The server. */
  readonly url: string;
}

export class Chromium {
  /** What broke a policy, and everything else that went wrong in a page. */
  readonly troubles: string[] = [];
  /** What the engine warned of, and other events of note. */
  readonly warnings = new Set<string>();
  readonly #place: Place;
  readonly #profile: string;
  #process: ChildProcess | undefined;
  #browser: Playwright.Browser | undefined;

  constructor(place: Place, profile: string) {
    this.#place = place;
    this.#profile = profile;
  }

  async start(): Promise<void> {
    const { client, chromium } = this.#place;
    const port = join(this.#profile, "DevToolsActivePort");
    rmSync(port, { force: true });
    const switches = [
      ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
      ...["--no-default-browser-check", "--disable-background-networking", "--hide-crash-restore-bubble"],
      `--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`,
      ...["--remote-debugging-port=0", `--user-data-dir=${this.#profile}`, "about:blank"],
    ];
    // A group of its own, which is killed as a whole.
    this.#process = spawn(chromium, switches, { detached: true, stdio: "ignore" });
    const late = Date.now() + STARTS_WITHIN;
    while (!existsSync(port) || readFileSync(port, "utf8").split("\n").length < 2) {
      if (Date.now() > late) throw new Error("Chromium does not start.");
      await pause(20);
    }
    const [number = ""] = readFileSync(port, "utf8").split("\n");
    const playwright = createRequire(join(client, "package.json"))("playwright-core") as typeof Playwright;
    this.#browser = await playwright.chromium.connectOverCDP(`http://127.0.0.1:${number}`);
    const [context] = this.#browser.contexts();
    context?.on("serviceworker", (worker) => void this.#watch(worker));
    await context?.exposeFunction("heard", (said: string) => void this.warnings.add(said));
    await context?.addInitScript(
      (noted: readonly string[]) => {
        let client: Client | undefined;
        globalThis.come = { count: 0, first: 0, last: 0 };
        Object.defineProperty(globalThis, "messenger", {
          get: () => client,
          set: (made: Client) => {
            client = made;
            made.listen((event) => {
              if (event.event === "message_received") {
                const { count, first } = globalThis.come;
                const last = performance.now();
                globalThis.come = { count: count + 1, first: count === 0 ? last : first, last };
              }
              if (noted.includes(event.event)) void globalThis.heard(JSON.stringify(event));
            });
          },
        });
      },
      [...WARNINGS, "taken_over"],
    );
  }

  /** Another tab, with the page in it, or with what lies at another path. */
  async tab(path = "/"): Promise<Playwright.Page> {
    const [context] = this.#browser?.contexts() ?? [];
    if (context === undefined) throw new Error("Chromium does not run.");
    const page = await context.newPage();
    page.on("pageerror", (error) => this.troubles.push(`the page: ${String(error.stack ?? error)}`));
    page.on("console", (said) => {
      if (said.type() === "error") this.troubles.push(`the console: ${said.text()}`);
    });
    page.on("worker", (worker) => void this.#watch(worker));
    const devtools = await context.newCDPSession(page);
    devtools.on("Audits.issueAdded", ({ issue }) => {
      const { contentSecurityPolicyIssueDetails: found } = issue.details;
      if (found !== undefined) this.troubles.push(`the policy: ${JSON.stringify(found)}`);
    });
    await devtools.send("Audits.enable");
    await page.goto(new URL(path, this.#place.url).href);
    return page;
  }

  /** The first violation of a worker: its console is not the page's. */
  async #watch(worker: Playwright.Worker): Promise<void> {
    const violation = worker.evaluate(
      () =>
        new Promise<string>((resolve) => {
          globalThis.addEventListener("securitypolicyviolation", (event) => {
            resolve(`${event.violatedDirective} ${event.blockedURI}`);
          });
        }),
    );
    const found = await violation.catch(() => undefined); // it has ended without one
    if (found !== undefined) this.troubles.push(`the policy, in ${worker.url()}: ${found}`);
  }

  /** Pass over troubles that a story brings about. */
  forgive(expected: RegExp): void {
    this.troubles.splice(0, this.troubles.length, ...this.troubles.filter((one) => !expected.test(one)));
  }

  /** Have all pages and their workers be so many times slower, by stops, until what it gives is called. */
  async slowed(times: number): Promise<() => void> {
    const devtools = await this.#browser?.newBrowserCDPSession();
    const { processInfo = [] } = (await devtools?.send("SystemInfo.getProcessInfo")) ?? {};
    const pids = processInfo.filter((one) => one.type === "renderer").map((one) => one.id);
    const all = (signal: "SIGSTOP" | "SIGCONT"): void => {
      for (const pid of pids) process.kill(pid, signal);
    };
    let stops: ReturnType<typeof setTimeout> | undefined;
    const goes = setInterval(() => {
      all("SIGCONT");
      stops = setTimeout(all, TURN / times, "SIGSTOP");
    }, TURN);
    return () => {
      clearInterval(goes);
      clearTimeout(stops);
      all("SIGCONT");
    };
  }

  /** As a power failure, or `kill -9`: nothing is said to anybody. */
  async kill(): Promise<void> {
    const { pid } = this.#process ?? {};
    if (this.#process === undefined || pid === undefined) return;
    const ended = once(this.#process, "exit");
    process.kill(-pid, "SIGKILL");
    await ended;
    this.#process = undefined;
    await this.#browser?.close().catch(() => undefined); // it is gone
  }

  /** As a user does. */
  async close(): Promise<void> {
    if (this.#process === undefined) return;
    const ended = once(this.#process, "exit");
    const session = await this.#browser?.newBrowserCDPSession();
    await session?.send("Browser.close");
    await ended;
    this.#process = undefined;
  }
}
