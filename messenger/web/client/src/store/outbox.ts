/**
 * What waits to be sent: in order for each conversation, with its ciphertext once that was made.
 *
 * `body` is JSON. A row's `draft` is written together with the ratchet states that made it, before it goes to the server, and is
 * sent again as it is until the server has answered. `targets` are the devices of a message for some only (an empty
 * list: the whole audience), null for one to everybody. `fresh` asks for a new session first. `again` is how often
 * it goes out after it was answered for already.
 */

import { type Of, TRUTH, binary, list, members, orNull, text, whole } from "../wire/codec.ts";
import type { Blind } from "./sealing.ts";
import { type Shape, type Table, coded, under } from "./table.ts";

const NUMBER = whole(0, Number.MAX_SAFE_INTEGER);
const RAW = binary(0, Number.POSITIVE_INFINITY);

export const TARGET = members({ user_id: text(), device_id: text(), identity_key: RAW });

/** A device that a message is for. */
export type Target = Readonly<Of<typeof TARGET>>;

const QUEUED = members({
  position: NUMBER,
  client_id: text(),
  conversation_id: text(),
  kind: text(),
  body: text(),
  targets: orNull(list(TARGET)),
  fresh: TRUTH,
  number: orNull(NUMBER),
  sent_at: text(),
  draft: orNull(RAW),
  devices: list(text()),
  attempts: NUMBER,
  again: NUMBER,
});

/** One message to be sent. */
export type Queued = Readonly<Of<typeof QUEUED>>;

/** What is said of one that is new. */
export type NewQueued = Pick<Queued, "client_id" | "conversation_id" | "kind" | "body" | "sent_at"> &
  Partial<Pick<Queued, "targets" | "fresh">>;

export const OUTBOX: Shape<Queued> = {
  name: "outbox",
  kept: true,
  key: (one) => one.position,
  at: (one, blind) => ({
    name: blind("queued", one.client_id),
    turn: [
      blind("conversation", one.conversation_id),
      one.draft === null && one.again === 0 ? 1 : 0,
      one.targets === null ? 1 : 0,
      one.position,
    ],
  }),
  ...coded(QUEUED),
};

export class Outbox {
  readonly #table: Table<Queued>;
  readonly #blind: Blind;
  readonly #next: () => Promise<number>;

  constructor(table: Table<Queued>, blind: Blind, next: () => Promise<number>) {
    this.#table = table;
    this.#blind = blind;
    this.#next = next;
  }

  /** One more. */
  async add(said: NewQueued): Promise<void> {
    const blank = {
      targets: null,
      fresh: false,
      number: null,
      draft: null,
      devices: [],
      attempts: 0,
      again: 0,
    };
    this.#table.put({ ...blank, ...said, position: await this.#next() });
  }

  /** One that goes out again, at the position that it had; nothing where it still waits. */
  async putBack(queued: Queued): Promise<void> {
    if ((await this.get(queued.client_id)) === undefined) this.#table.put(queued);
  }

  /** The next one of a conversation: what was sealed goes first, then what is for some devices only. */
  first(conversationId: string): Promise<Queued | undefined> {
    return this.#table.first("turn", under(this.#blind("conversation", conversationId)));
  }

  /** One by its client_id. */
  get(clientId: string): Promise<Queued | undefined> {
    const name = this.#blind("queued", clientId);
    return this.#table.first("name", { lower: name, upper: name });
  }

  /** What waits in a conversation for some devices only, by client_id. */
  async waiting(conversationId: string): Promise<string[]> {
    const range = under(this.#blind("conversation", conversationId));
    const found = await this.#table.list({ index: "turn", range });
    return found
      .filter((one) => one.targets !== null)
      .sort((one, other) => one.position - other.position)
      .map((one) => one.client_id);
  }

  /** Where something waits. */
  async conversations(): Promise<string[]> {
    return [...new Set((await this.#table.list()).map((one) => one.conversation_id))];
  }

  /** How many wait. */
  async count(): Promise<number> {
    return (await this.#table.keys()).length;
  }

  /** The ciphertext was made, for these devices. */
  sealed(clientId: string, number: number, draft: Uint8Array, devices: readonly string[]): Promise<void> {
    return this.#change(clientId, () => ({ number, draft, devices: [...devices], fresh: false }));
  }

  /** The session that it asked for was begun. */
  begun(clientId: string): Promise<void> {
    return this.#change(clientId, () => ({ fresh: false }));
  }

  /** It goes to the server now. */
  tried(clientId: string): Promise<void> {
    return this.#change(clientId, ({ attempts }) => ({ attempts: attempts + 1 }));
  }

  /** The server refused the ciphertext: another is made. */
  unseal(clientId: string): Promise<void> {
    return this.#change(clientId, () => ({ draft: null, devices: [] }));
  }

  /** What devices say to some others. */
  async bodies(): Promise<Queued[]> {
    return (await this.#table.list()).filter((one) => one.kind === "control" && one.targets !== null);
  }

  /** Have nothing here of what a sealed message says. */
  blank(clientId: string, body: string): Promise<void> {
    return this.#change(clientId, () => ({ body }));
  }

  /** It is done with. */
  async remove(clientId: string): Promise<void> {
    const known = await this.get(clientId);
    if (known !== undefined) this.#table.remove(known.position);
  }

  async #change(clientId: string, values: (known: Queued) => Partial<Queued>): Promise<void> {
    const known = await this.get(clientId);
    if (known !== undefined) this.#table.put({ ...known, ...values(known) });
  }
}
