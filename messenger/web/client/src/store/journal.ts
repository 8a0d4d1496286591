/**
 * Durable events that the page has not taken yet, numbered by position.
 *
 * Events of messages hold the message's id only, so that a text lies in one place; they are put together when they
 * are read. What was taken is kept for a while, for a page that keeps its own position.
 */

import { members, orNull, text, whole } from "../wire/codec.ts";
import type { Account } from "./account.ts";
import type { Message, Messages } from "./messages.ts";
import { type Shape, type Table, coded } from "./table.ts";

export const TAKEN_KEPT = 10_000; // events behind the page's position
const HANDLED = "handled_position";
const NUMBER = whole(0, Number.MAX_SAFE_INTEGER);

/** Something that happened: a word for what, and what belongs to it. */
export interface Told {
  readonly event: string;
  readonly message?: Message;
  readonly [name: string]: unknown;
}

/** The same with its position, which rises from event to event. */
export type Positioned = Told & { readonly position: number };

const ENTRY = members({ position: NUMBER, message_id: orNull(NUMBER), body: text() });

interface Entry {
  readonly position: number;
  readonly message_id: number | null;
  readonly body: string;
}

export const JOURNAL: Shape<Entry> = {
  name: "journal",
  kept: false,
  key: (entry) => entry.position,
  ...coded(ENTRY),
};

export class Journal {
  readonly #table: Table<Entry>;
  readonly #account: Account;
  readonly #messages: Messages;

  constructor(table: Table<Entry>, account: Account, messages: Messages) {
    this.#table = table;
    this.#account = account;
    this.#messages = messages;
  }

  /** One more event; its position. */
  async add({ message, ...event }: Told): Promise<number> {
    const position = await this.#account.next(JOURNAL.name);
    this.#table.put({ position, message_id: message?.id ?? null, body: JSON.stringify(event) });
    return position;
  }

  /** The events behind a position. One of a message that is gone or damaged has none. */
  async after(position: number, limit: number): Promise<Positioned[]> {
    const found = await this.#table.list({ range: { lower: position, lowerOpen: true }, limit });
    return Promise.all(
      found.map(async (entry) => {
        const event = { ...(JSON.parse(entry.body) as Told), position: entry.position };
        const message = entry.message_id === null ? undefined : await this.#messages.sound(entry.message_id);
        return message === undefined ? event : { ...event, message };
      }),
    );
  }

  /** How far the page has come. */
  async handled(): Promise<number> {
    return Number((await this.#account.get(HANDLED)) ?? 0);
  }

  /** The page has come this far; what lies far behind is dropped. */
  async setHandled(position: number): Promise<void> {
    this.#account.set(HANDLED, String(position));
    this.#table.remove(...(await this.#table.keys({ range: { upper: position - TAKEN_KEPT } })));
  }
}
