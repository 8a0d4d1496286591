/** A page's side: what tabs.ts decides, carried out with a lock, a channel, and a worker where this tab leads. */

import type { Event } from "../engine/events.ts";
import type { Clock } from "../net/clock.ts";
import {
  CallFailed,
  type Calls,
  ENGINE,
  type FromWorker,
  LEADER,
  type Method,
  OPENING,
  type Outcome,
  type Said,
  type Status,
  type ToWorker,
} from "./protocol.ts";
import { type Action, type Role, Tab } from "./tabs.ts";

/** Milliseconds from the start of a worker to that of the next one, at least. */
const APART = 2_000;

export interface ClientSettings {
  readonly version: string;
  readonly clock: Clock;
  readonly locks: LockManager;
  readonly channel: BroadcastChannel;
  /** A new worker. */
  readonly worker: () => Worker;
}

export class Client {
  /** Called when role or status are other ones. */
  onStatus: (status: Status, role: Role) => void = () => undefined;

  readonly #settings: ClientSettings;
  readonly #tab: Tab;
  readonly #listeners = new Set<(event: Event) => void>();
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  #worker: Worker | undefined;
  #status = OPENING;
  #running = false;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#tab = new Tab({
      tab: crypto.randomUUID(),
      version: settings.version,
      name: () => crypto.randomUUID(),
    });
    settings.channel.onmessage = ({ data }: MessageEvent<Said>) => {
      this.#event(() => {
        this.#tab.heard(data);
      });
    };
    // For the life of this page; the browser gives it on when that ends.
    const led = settings.locks.request(LEADER, () => {
      this.#event(() => {
        this.#tab.elected();
      });
      return new Promise(() => undefined);
    });
    led.catch(() => {
      // The browser keeps nothing for this page, as in some private windows.
      this.#do({
        do: "status",
        role: "alone",
        status: { ...OPENING, profile: "failed", code: "no_storage" },
      });
    });
    this.#run();
  }

  get role(): Role {
    return this.#tab.role;
  }

  get status(): Status {
    return this.#status;
  }

  /** Call this with what happens from now on. */
  listen(listener: (event: Event) => void): void {
    this.#listeners.add(listener);
  }

  /** What the engine answers. CallFailed. */
  async call<M extends Method>(method: M, asked: Calls[M]["asked"]): Promise<Calls[M]["answer"]> {
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#event(() => {
        this.#waiting.set(this.#tab.ask(method, asked), resolve);
      });
    });
    if ("error" in outcome) throw new CallFailed(outcome.error);
    return outcome.ok as Calls[M]["answer"];
  }

  #event(happened: () => void): void {
    happened();
    this.#run();
  }

  #run(): void {
    if (this.#running) return; // what is carried out may say something new: it comes next
    this.#running = true;
    try {
      for (let actions = this.#tab.take(); actions.length > 0; actions = this.#tab.take()) {
        actions.forEach(this.#do);
      }
    } finally {
      this.#running = false;
    }
  }

  readonly #do = (action: Action): void => {
    switch (action.do) {
      case "broadcast":
        this.#settings.channel.postMessage(action.said);
        break;
      case "start":
        this.#start(action.worker);
        break;
      case "work":
        this.#post({ say: "ask", ask: action.ask });
        break;
      case "settle":
        this.#waiting.get(action.call)?.(action.outcome);
        this.#waiting.delete(action.call);
        break;
      case "event":
        for (const listener of this.#listeners) listener(action.event);
        break;
      case "status":
        this.#status = action.status;
        this.onStatus(action.status, action.role);
        break;
    }
  };

  #post(said: ToWorker): void {
    this.#worker?.postMessage(said);
  }

  #start(name: string): void {
    const { clock, locks } = this.#settings;
    const worker = this.#settings.worker();
    const began = clock.now();
    let isHeld = false;
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.say === "held") {
        isHeld = true;
        // Nobody says that a worker has died; its lock does, which is given on then.
        void locks.request(ENGINE, { mode: "shared" }, () => {
          this.#died(name, began);
        });
      }
      this.#event(() => {
        this.#said(name, data);
      });
    };
    worker.onerror = () => {
      // What goes wrong later is told by the worker itself. Its file is gone where the server has a new version.
      if (isHeld) return;
      this.#event(() => {
        this.#tab.ready(name, { ...OPENING, profile: "failed", code: "not_loaded" });
      });
    };
  }

  #said(name: string, said: FromWorker): void {
    switch (said.say) {
      case "held":
        break;
      case "status":
        this.#tab.ready(name, said.status);
        break;
      case "answer":
        this.#tab.answered(name, said.answer);
        break;
      case "event":
        this.#tab.happened(name, said.event);
        this.#post({ say: "took" });
        break;
    }
  }

  #died(name: string, began: number): void {
    const { clock } = this.#settings;
    clock.after(began + APART - clock.now(), () => {
      this.#event(() => {
        this.#tab.ended(name);
      });
    });
  }
}
