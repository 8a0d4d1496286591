/**
 * What is kept for the case that the server's database fails over: own messages that were answered for a short
 * while ago, and places whose messages may stand elsewhere by now.
 *
 * `answered` has what left the outbox, as it went out: no plaintext. `doubted` has who wrote at places that were
 * taken shortly before the history changed, until they show again, here or elsewhere. Times are in seconds since
 * 1970.
 */

import { type Of, binary, list, members, orNull, text, whole } from "../wire/codec.ts";
import type { Conversations } from "./conversations.ts";
import { type Outbox, type Queued, TARGET } from "./outbox.ts";
import { type Named, type Places, nameOf } from "./places.ts";
import type { Blind } from "./sealing.ts";
import { type Shape, type Table, coded } from "./table.ts";

export const MOST_ANSWERED = 1_000;
const MOST_BYTES = 16 * 1024 * 1024; // of their ciphertext
export const MOST_TRIES = 3; // times that one message goes out again
const MOST_DOUBTED = 10_000;
const NUMBER = whole(0, Number.MAX_SAFE_INTEGER);

const ANSWERED = members({
  position: NUMBER,
  client_id: text(),
  conversation_id: text(),
  kind: text(),
  targets: orNull(list(TARGET)),
  number: orNull(NUMBER),
  sent_at: text(),
  draft: binary(0, Number.POSITIVE_INFINITY),
  devices: list(text()),
  again: NUMBER,
  answered_at: NUMBER,
});

type Answered = Readonly<Of<typeof ANSWERED>>;

const DOUBTED = members({
  conversation_id: text(),
  sender_device_id: text(),
  client_id: text(),
  seq: NUMBER,
  until: NUMBER,
});

type Doubted = Readonly<Of<typeof DOUBTED>>;

// The size is in the key, so that pruning opens nothing.
export const ANSWERS: Shape<Answered> = {
  name: "answered",
  kept: false,
  key: (one) => [one.position, one.draft.length],
  at: (one, blind) => ({ name: blind("queued", one.client_id), moment: one.answered_at }),
  ...coded(ANSWERED),
};

export const DOUBTS: Shape<Doubted> = {
  name: "doubted",
  kept: false,
  key: (one, blind) => nameOf(blind, one),
  at: (one, blind) => ({
    place: [blind("conversation", one.conversation_id), one.seq],
    until: [one.until, one.seq],
  }),
  ...coded(DOUBTED),
};

/** The tables that it works on. */
interface Tables {
  readonly answered: Table<Answered>;
  readonly doubted: Table<Doubted>;
  readonly outbox: Outbox;
  readonly places: Places;
  readonly conversations: Conversations;
}

export class History {
  readonly #tables: Tables;
  readonly #blind: Blind;

  constructor(tables: Tables, blind: Blind) {
    this.#tables = tables;
    this.#blind = blind;
  }

  // own messages

  /** An own message was answered for. */
  async keep(queued: Queued, now: number): Promise<void> {
    const { draft, body: _, fresh: _fresh, attempts: _attempts, ...rest } = queued;
    if (draft === null || queued.again >= MOST_TRIES) return;
    await this.drop(queued.client_id);
    this.#tables.answered.put({ ...rest, draft, answered_at: Math.floor(now) });
  }

  /** What is kept, in the order in which it was written. */
  answered(): Promise<readonly Pick<Answered, "client_id" | "kind">[]> {
    return this.#tables.answered.list();
  }

  /** Have a message go out once more, before whatever was written after it. */
  async sendAgain(clientId: string, body: string): Promise<void> {
    const name = this.#blind("queued", clientId);
    const found = await this.#tables.answered.first("name", { lower: name, upper: name });
    if (found === undefined) return;
    const { answered_at: _, again, ...rest } = found;
    await this.#tables.outbox.putBack({ ...rest, body, fresh: false, attempts: 1, again: again + 1 });
    await this.drop(clientId);
  }

  /** Keep a message no longer. */
  async drop(clientId: string): Promise<void> {
    const { answered } = this.#tables;
    const name = this.#blind("queued", clientId);
    answered.remove(...(await answered.keys({ index: "name", range: { lower: name, upper: name } })));
  }

  /** Keep what was answered for at that time or later, as far as the bounds allow. */
  async prune(since: number): Promise<void> {
    const { answered } = this.#tables;
    const old = { upper: Math.floor(since), upperOpen: true };
    answered.remove(...(await answered.keys({ index: "moment", range: old })));
    let count = 0;
    let bytes = 0;
    for (const key of (await answered.keys()).reverse()) {
      count += 1;
      bytes += typeof key === "object" && typeof key[1] === "number" ? key[1] : 0;
      if (count > MOST_ANSWERED || bytes > MOST_BYTES) answered.remove(key);
    }
  }

  // places

  /** Take the places that were taken at that time or later for doubtful; the first of them, if any. */
  async doubt(conversationId: string, since: number, until: number): Promise<number | undefined> {
    const { places, doubted } = this.#tables;
    const taken = await places.takenSince(conversationId, since);
    for (const place of taken) {
      const { conversation_id, sender_device_id, client_id, seq } = place;
      doubted.put({ conversation_id, sender_device_id, client_id, seq, until: Math.floor(until) });
      places.remove(place);
    }
    return taken.length === 0 ? undefined : Math.min(...taken.map((one) => one.seq));
  }

  /** The doubtful places up to one, rising. */
  async doubted(conversationId: string, upto: number): Promise<number[]> {
    const conversation = this.#blind("conversation", conversationId);
    const range = { lower: [conversation], upper: [conversation, upto] };
    return (await this.#tables.doubted.list({ index: "place", range })).map((one) => one.seq);
  }

  /** Whether this message stood at a place that is doubtful; it is in doubt no more. */
  async cameBefore(named: Named): Promise<boolean> {
    const { doubted } = this.#tables;
    const name = nameOf(this.#blind, named);
    const stood = (await doubted.get(name)) !== undefined;
    if (stood) doubted.remove(name);
    return stood;
  }

  /**
   * What nobody disputed in time stands where it stood. What came later than all that is there is remembered for
   * who sends it again, within bounds.
   */
  async endDoubts(now: number): Promise<void> {
    const { doubted, places, conversations } = this.#tables;
    const over = await doubted.list({ index: "until", range: { upper: [Math.floor(now), []] } });
    for (const one of over) {
      const place = (await conversations.get(one.conversation_id))?.place ?? -1;
      const isFree = (await places.at(one.conversation_id, one.seq)) === undefined;
      if (one.seq <= place && isFree) places.set(one, one.seq, 0);
      if ((await places.of(one)) !== undefined) doubted.remove(nameOf(this.#blind, one));
    }
    const left = await doubted.keys({ index: "until" });
    doubted.remove(...left.slice(0, Math.max(0, left.length - MOST_DOUBTED)));
  }
}
