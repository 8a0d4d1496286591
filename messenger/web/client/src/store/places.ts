/** Who wrote at each place of a conversation, so that a rewritten history shows. */

import { type Of, members, text, whole } from "../wire/codec.ts";
import type { Blind } from "./sealing.ts";
import { type Shape, type Table, coded, under } from "./table.ts";

export const PLACES_KEPT = 10_000; // of a conversation: who wrote at its latest seqs
const NUMBER = whole(0, Number.MAX_SAFE_INTEGER);

const PLACE = members({
  conversation_id: text(),
  seq: NUMBER,
  sender_device_id: text(),
  client_id: text(),
  taken_at: NUMBER,
});

/** A place. `taken_at` is in seconds since 1970. */
export type Place = Readonly<Of<typeof PLACE>>;

/** What names a message everywhere. */
export interface Named {
  readonly conversation_id: string;
  readonly sender_device_id: string;
  readonly client_id: string;
}

/** The same, blinded. */
export function nameOf(blind: Blind, one: Named): string {
  return blind("message", one.conversation_id, one.sender_device_id, one.client_id);
}

export const PLACES: Shape<Place> = {
  name: "places",
  kept: true,
  key: (place, blind) => [blind("conversation", place.conversation_id), place.seq],
  at: (place, blind) => ({
    name: nameOf(blind, place),
    taken: [blind("conversation", place.conversation_id), place.taken_at],
  }),
  ...coded(PLACE),
};

export class Places {
  readonly #table: Table<Place>;
  readonly #blind: Blind;

  constructor(table: Table<Place>, blind: Blind) {
    this.#table = table;
    this.#blind = blind;
  }

  /** Who wrote at a seq. */
  at(conversationId: string, seq: number): Promise<Place | undefined> {
    return this.#table.get([this.#blind("conversation", conversationId), seq]);
  }

  /** What is known of the seqs from first to last, rising. */
  between(conversationId: string, first: number, last: number): Promise<Place[]> {
    const name = this.#blind("conversation", conversationId);
    return this.#table.list({ range: { lower: [name, first], upper: [name, last] } });
  }

  /** The latest seq at which a device wrote a message of this client_id, as far as remembered. */
  async of(named: Named): Promise<number | undefined> {
    const name = nameOf(this.#blind, named);
    const found = await this.#table.list({ index: "name", range: { lower: name, upper: name } });
    return found.length === 0 ? undefined : Math.max(...found.map((one) => one.seq));
  }

  /** Remember who wrote at a seq, unless it is known; what is far behind is forgotten. `now` in seconds since 1970. */
  async put(named: Named, seq: number, now: number): Promise<void> {
    if ((await this.at(named.conversation_id, seq)) === undefined) this.set(named, seq, now);
    if (seq % 1_000 !== 0) return;
    const name = this.#blind("conversation", named.conversation_id);
    const old = { lower: [name], upper: [name, seq - PLACES_KEPT] };
    this.#table.remove(...(await this.#table.keys({ range: old })));
  }

  /** Write down who wrote at a seq. */
  set(named: Named, seq: number, now: number): void {
    const { conversation_id, sender_device_id, client_id } = named;
    this.#table.put({ conversation_id, sender_device_id, client_id, seq, taken_at: Math.floor(now) });
  }

  /** The seqs between two that nothing is known of, at most 10,000 of them. */
  async holes(conversationId: string, above: number, below: number): Promise<number[]> {
    const name = this.#blind("conversation", conversationId);
    const first = Math.max(above + 1, below - PLACES_KEPT);
    const known = await this.#table.keys({ range: { lower: [name, first], upper: [name, below - 1] } });
    const seqs = new Set(known.map((key) => (typeof key === "object" ? key[1] : key)));
    const found: number[] = [];
    for (let seq = first; seq < below; seq += 1) if (!seqs.has(seq)) found.push(seq);
    return found;
  }

  /** The places that were taken at that time or later. */
  takenSince(conversationId: string, since: number): Promise<Place[]> {
    const name = this.#blind("conversation", conversationId);
    return this.#table.list({ index: "taken", range: { ...under(name), lower: [name, Math.floor(since)] } });
  }

  remove(place: Place): void {
    this.#table.remove([this.#blind("conversation", place.conversation_id), place.seq]);
  }
}
