/** Events on their way to the page: durable ones from the journal, others from a bounded queue. */

import { StoreClosed } from "../store/errors.ts";
import type { Ephemeral, Event } from "./events.ts";
import { Gate } from "./gate.ts";
import type { Vault } from "./vault.ts";

const PAGE = 100;
const MOST_EPHEMERAL = 1_000;

/** What one page iterates over. */
export class Feed {
  readonly #vault: Vault;
  readonly #something = new Gate();
  #ephemeral: Ephemeral[] = [];
  #isClosed = false;
  #isTaken = false;
  #position = 0; // of what was handled last

  constructor(vault: Vault) {
    this.#vault = vault;
    vault.onNews = () => {
      this.#something.open();
    };
    vault.onWarnings = () => {
      this.tell({ event: "warnings_changed" });
    };
    const damaged = new Set<string>();
    vault.onDamaged = ({ table, message }) => {
      if (damaged.has(table)) return;
      damaged.add(table);
      this.tell({ event: "store_damaged", table, detail: message });
    };
  }

  /** An ephemeral event; when the queue is full the oldest one goes. */
  tell(event: Ephemeral): void {
    this.#ephemeral = [...this.#ephemeral, event].slice(-MOST_EPHEMERAL);
    this.#something.open();
  }

  /** No more events: the iterator ends. */
  close(): void {
    this.#isClosed = true;
    this.#something.open();
  }

  /**
   * All events behind a position, or behind what was handled, and then as they come, to one iterator at a time.
   *
   * An event was handled when the next one is asked for.
   */
  async *events(after?: number): AsyncGenerator<Event, void> {
    if (this.#isTaken) throw new TypeError("Somebody iterates over these events already.");
    this.#isTaken = true;
    try {
      let position = after ?? (await this.#vault.run((store) => store.journal.handled()));
      while (!this.#hasEnded()) {
        this.#something.shut();
        const from = position;
        const page = await this.#vault.run((store) => store.journal.after(from, PAGE));
        for (const event of page) {
          yield event as unknown as Event;
          if (this.#hasEnded()) return;
          position = event.position;
          this.#position = position;
        }
        if (page.length > 0) await this.handled(position);
        const ephemeral = this.#ephemeral;
        this.#ephemeral = [];
        for (const event of ephemeral) yield { ...event, position: 0 };
        if (page.length === 0) await this.#something.wait();
      }
    } catch (error) {
      // It was closed while its reader was busy.
      if (!(error instanceof StoreClosed) || !this.#isClosed) throw error;
    } finally {
      this.#isTaken = false;
    }
  }

  /** Asked anew each time: it may be closed while its reader is busy. */
  #hasEnded(): boolean {
    return this.#isClosed;
  }

  /** No more events; how far the page has come is written down. */
  async finish(): Promise<void> {
    this.close();
    if (this.#position > 0) await this.handled(this.#position);
  }

  /** The page has taken everything up to this position. */
  async handled(position: number): Promise<void> {
    await this.#vault.run(async ({ journal }) => {
      if (position > (await journal.handled())) await journal.setHandled(position);
    });
  }
}
