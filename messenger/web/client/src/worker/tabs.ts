/**
 * What a tab does about the others: rules alone, without locks, channels or workers.
 *
 * Whoever runs it says what has happened (`elected`, `ready`, `heard`, ...) and then carries out what `take` gives.
 *
 * A call whose leader died before it answered is asked of the next one, once more: it may have been done already, so
 * calls are such that this does no harm. What was not asked of anybody waits until somebody leads.
 */

import type { Event } from "../engine/events.ts";
import {
  type Answer,
  type Ask,
  type Calls,
  type Method,
  OPENING,
  type Outcome,
  type Said,
  type Status,
} from "./protocol.ts";

const MOST_ASKED = 2;

/** `alone`: nobody leads yet. `other_version`: the leader is of another version, and nothing is asked of it. */
export type Role = "alone" | "leads" | "follows" | "other_version";

export type Action =
  | { readonly do: "broadcast"; readonly said: Said }
  /** Start a worker of this name, which says `ready` once it has the engine. */
  | { readonly do: "start"; readonly worker: string }
  | { readonly do: "work"; readonly ask: Ask }
  | { readonly do: "settle"; readonly call: number; readonly outcome: Outcome }
  | { readonly do: "event"; readonly event: Event }
  | { readonly do: "status"; readonly role: Role; readonly status: Status };

interface Pending {
  readonly ask: Ask;
  /** The worker that was asked, and how many were. */
  asked: string | null;
  times: number;
}

export interface TabSettings {
  /** Names this tab. */
  readonly tab: string;
  readonly version: string;
  /** A new name for a worker. */
  readonly name: () => string;
}

export class Tab {
  readonly #settings: TabSettings;
  readonly #pending = new Map<number, Pending>();
  #actions: Action[] = [];
  #calls = 0;
  /** Whether this tab has the lock. */
  #elected = false;
  #own: string | null = null;
  /** Whom calls go to: a worker that is ready. */
  #worker: string | null = null;
  #role: Role = "alone";
  #status: Status = OPENING;

  constructor(settings: TabSettings) {
    this.#settings = settings;
    this.#broadcast({ say: "who" });
  }

  get role(): Role {
    return this.#role;
  }

  /** What is to be done now, in this order. */
  take(): Action[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** A call; its number. It is settled once, whatever happens, unless nobody ever leads. */
  ask<M extends Method>(method: M, asked: Calls[M]["asked"]): number {
    this.#calls += 1;
    const ask = { tab: this.#settings.tab, call: this.#calls, method, asked } as Ask;
    const pending = { ask, asked: null, times: 0 };
    this.#pending.set(this.#calls, pending);
    this.#put(pending);
    return this.#calls;
  }

  /** This tab leads from now on. */
  elected(): void {
    this.#elected = true;
    this.#start();
  }

  // of the own worker

  /** It has the engine, or its status is another one. */
  ready(worker: string, status: Status): void {
    if (worker !== this.#own) return;
    this.#follow(worker, "leads", status);
    this.#here();
  }

  /** It is gone: another one takes over. */
  ended(worker: string): void {
    if (worker === this.#own) this.#start();
  }

  /** It has answered a call, of whatever tab. */
  answered(worker: string, answer: Answer): void {
    if (worker !== this.#own) return;
    if (answer.tab === this.#settings.tab) this.#settle(answer);
    else this.#broadcast({ say: "answer", answer });
  }

  happened(worker: string, event: Event): void {
    if (worker !== this.#own) return;
    this.#actions.push({ do: "event", event });
    this.#broadcast({ say: "event", event });
  }

  // of other tabs

  heard(said: Said): void {
    switch (said.say) {
      case "who":
        if (this.#role === "leads") this.#here();
        break;
      case "here":
        this.#meet(said.worker, said.version, said.status);
        break;
      case "ask":
        if (this.#role === "leads" && said.worker === this.#worker) {
          this.#actions.push({ do: "work", ask: said.ask });
        }
        break;
      case "answer":
        if (said.answer.tab === this.#settings.tab) this.#settle(said.answer);
        break;
      case "event":
        if (this.#role === "follows") this.#actions.push({ do: "event", event: said.event });
        break;
    }
  }

  #meet(worker: string, version: string, status: Status): void {
    // A leader's last words may come after its lock: who has that is the leader.
    if (this.#elected) return;
    if (version === this.#settings.version) {
      this.#follow(worker, "follows", status);
    } else {
      this.#worker = null;
      this.#tell("other_version", status);
    }
  }

  /** Calls go there; those that went to another one go there, too. */
  #follow(worker: string, role: Role, status: Status): void {
    this.#worker = worker;
    this.#tell(role, status);
    for (const pending of [...this.#pending.values()]) if (pending.asked !== worker) this.#put(pending);
  }

  #put(pending: Pending): void {
    const { ask } = pending;
    if (this.#worker === null) return;
    if (pending.times >= MOST_ASKED) {
      const message = "The tab that did this was closed: look whether it is done, then try again.";
      const error = { name: "LeaderGone", code: "leader_gone", message };
      this.#settle({ tab: ask.tab, call: ask.call, outcome: { error } });
      return;
    }
    pending.asked = this.#worker;
    pending.times += 1;
    if (this.#role === "leads") this.#actions.push({ do: "work", ask });
    else this.#broadcast({ say: "ask", worker: this.#worker, ask });
  }

  #settle({ call, outcome }: Answer): void {
    if (this.#pending.delete(call)) this.#actions.push({ do: "settle", call, outcome });
  }

  /** Have a worker of one's own; until it is ready calls wait. */
  #start(): void {
    this.#worker = null;
    this.#tell("alone", this.#status);
    this.#own = this.#settings.name();
    this.#actions.push({ do: "start", worker: this.#own });
  }

  #here(): void {
    const { version } = this.#settings;
    if (this.#worker !== null) {
      this.#broadcast({ say: "here", version, worker: this.#worker, status: this.#status });
    }
  }

  #tell(role: Role, status: Status): void {
    this.#role = role;
    this.#status = status;
    this.#actions.push({ do: "status", role, status });
  }

  #broadcast(said: Said): void {
    this.#actions.push({ do: "broadcast", said });
  }
}
