/** Commands to a worker's host, as a page gives them: what it is asked, and what it tells. */

import { readFile } from "node:fs/promises";

import { Host } from "../../../messenger/web/client/src/worker/host.ts";
import {
  type Ask,
  CallFailed,
  type FromWorker,
  type Outcome,
} from "../../../messenger/web/client/src/worker/protocol.ts";
import type { Event } from "../../../messenger/web/client/src/engine/events.ts";
import { type Commands, type Said, place, text } from "./running.ts";

/** A worker, and the page that it speaks to. */
class Page {
  readonly host: Host;
  readonly events: Event[] = [];
  connection = "";
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  readonly #watching = new Set<() => void>();
  #calls = 0;

  constructor(said: Said) {
    const { profile, server, http, derive } = place(said);
    const settings = { profile, server, network: new EventTarget(), net: { http, derive } };
    this.host = new Host({
      ...settings,
      say: (one) => {
        this.#hear(one);
      },
    });
  }

  #hear(said: FromWorker): void {
    if (said.say === "answer") {
      this.#waiting.get(said.answer.call)?.(said.answer.outcome);
      this.#waiting.delete(said.answer.call);
    } else if (said.say === "event") {
      this.events.push(structuredClone(said.event));
      // As a page does: after it was told.
      queueMicrotask(() => {
        this.host.took();
      });
    } else if (said.say === "status") {
      this.connection = said.status.connection;
    }
    for (const look of this.#watching) look();
  }

  async call(method: string, asked: unknown): Promise<unknown> {
    const call = (this.#calls += 1);
    const answered = new Promise<Outcome>((resolve) => this.#waiting.set(call, resolve));
    void this.host.ask(structuredClone({ tab: "page", call, method, asked }) as Ask);
    const outcome = structuredClone(await answered);
    if ("error" in outcome) throw new CallFailed(outcome.error);
    return outcome.ok;
  }

  /** The first thing that is found, now or later. */
  until<T>(find: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = find();
        if (found === undefined) return;
        this.#watching.delete(look);
        resolve(found);
      };
      this.#watching.add(look);
      look();
    });
  }
}

const pages = new Map<string, Page>();

function pageOf(said: Said): Page {
  const found = pages.get(text(said, "profile"));
  if (found === undefined) throw new TypeError("There is no such page.");
  return found;
}

/** Whether an event has all these members, of itself or of its message. */
function fits(event: Event, like: Said): boolean {
  const message = "message" in event ? event.message : {};
  const has: Said = { ...message, ...event };
  return Object.entries(like).every(([name, value]) => has[name] === value);
}

export const CALLS: Commands = {
  page: async (said) => {
    const page = new Page(said);
    pages.set(text(said, "profile"), page);
    await page.host.begin();
  },
  call: async (said) => {
    const { path, ...asked } = (said["asked"] ?? {}) as Said;
    const given =
      typeof path === "string" ? { ...asked, file: new Blob([await readFile(path)]) } : said["asked"];
    const answer = await pageOf(said).call(text(said, "method"), given ?? null);
    if (!(answer instanceof Blob)) return answer;
    return { type: answer.type, content: new Uint8Array(await answer.arrayBuffer()) };
  },
  told: (said) => {
    const page = pageOf(said);
    return page.until(() => page.events.find((one) => fits(one, said["like"] as Said)));
  },
  connected: (said) => {
    const page = pageOf(said);
    return page.until(() => (page.connection === said["as"] ? page.connection : undefined));
  },
};
