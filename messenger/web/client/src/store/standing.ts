/**
 * Warnings that stand: what was told of the server, or of somebody's identity, until the user has dealt with it.
 *
 * What is told again counts on the warning that stands. A server can cause any number of them, so they are bounded:
 * then the oldest of the same kind goes, and a flood of one kind hides no other.
 */

import { type Of, TRUTH, defaulted, members, orNull, text, whole } from "../wire/codec.ts";
import type { Range } from "./database.ts";
import type { Told } from "./journal.ts";
import type { Blind } from "./sealing.ts";
import { type Shape, type Table, coded, under } from "./table.ts";

export const MOST_STANDING = 500;
const NUMBER = whole(0, Number.MAX_SAFE_INTEGER);

const STANDING = members({
  id: NUMBER,
  event: text(),
  reason: text(),
  detail: text(),
  conversation_id: orNull(text()),
  user_id: orNull(text()),
  device_id: orNull(text()),
  seq: orNull(NUMBER),
  file_id: defaulted(orNull(text()), null),
  was_verified: defaulted(TRUTH, false),
  accepted: defaulted(TRUTH, false),
  times: NUMBER,
  first_at: NUMBER,
  last_at: NUMBER,
});

/**
 * One that stands: a kind of event (engine/events.ts), with what it said the last time, and how often it was told from
 * when to when, in milliseconds since 1970.
 */
export type Standing = Readonly<Of<typeof STANDING>>;

/** What it is about: told again of the same, it is the same warning. */
type About = Pick<Standing, "event" | "reason" | "conversation_id" | "user_id" | "device_id">;

function sameness(blind: Blind, { event, reason, conversation_id, user_id, device_id }: About): string {
  // Of a member one warning of a kind is enough, whichever device of theirs it was; a device that waits is one by itself.
  const device = event === "device_waiting" ? device_id : null;
  return blind("standing", event, reason, conversation_id ?? "", user_id ?? "", device ?? "");
}

export const WARNINGS: Shape<Standing> = {
  name: "warnings",
  kept: true,
  key: (one) => one.id,
  at: (one, blind) => ({ same: sameness(blind, one), kind: [blind("kind", one.event), one.id] }),
  ...coded(STANDING),
};

export class Warnings {
  readonly #table: Table<Standing>;
  readonly #blind: Blind;
  readonly #next: () => Promise<number>;
  /** Whether this piece of work has changed what stands. */
  changed = false;

  constructor(table: Table<Standing>, blind: Blind, next: () => Promise<number>) {
    this.#table = table;
    this.#blind = blind;
    this.#next = next;
  }

  /** One more, or the same once more. `now` in milliseconds since 1970. */
  async add(event: Told, now: number): Promise<void> {
    const said = aboutOf(event);
    const same = sameness(this.#blind, said);
    // By a list: one that is damaged must not hold up what is told.
    const [known] = await this.#table.list({ index: "same", range: { lower: same, upper: same }, limit: 1 });
    if (known === undefined) await this.#makeRoom(said.event);
    const { id, times, first_at } = known ?? { id: await this.#next(), times: 0, first_at: now };
    this.#table.put({ ...said, id, times: times + 1, first_at, last_at: now });
    this.changed = true;
  }

  /** All, the oldest first. */
  all(): Promise<Standing[]> {
    return this.#table.list();
  }

  get(id: number): Promise<Standing | undefined> {
    return this.#table.get(id);
  }

  /** The user has dealt with it. */
  settle(id: number): void {
    this.#table.remove(id);
    this.changed = true;
  }

  /** What it told of is over: all of a kind that fit. */
  async settleAll(event: string, fits: (one: Standing) => boolean): Promise<void> {
    const found = await this.#table.list({ index: "kind", range: this.#ofKind(event) });
    for (const one of found) if (fits(one)) this.settle(one.id);
  }

  #ofKind(event: string): Range {
    return under(this.#blind("kind", event));
  }

  async #makeRoom(event: string): Promise<void> {
    const all = await this.#table.keys();
    if (all.length < MOST_STANDING) return;
    const ofKind = await this.#table.keys({ index: "kind", range: this.#ofKind(event) });
    this.#table.remove(...[...ofKind, ...all].slice(0, 1));
  }
}

/** What an event says, as far as it is kept. */
function aboutOf(event: Told): Omit<Standing, "id" | "times" | "first_at" | "last_at"> {
  const text = (name: string): string | null => {
    const value = event[name];
    return typeof value === "string" ? value : null;
  };
  const seq = event["seq"];
  return {
    event: event.event,
    reason: text("reason") ?? "",
    detail: text("detail") ?? "",
    conversation_id: text("conversation_id"),
    user_id: text("user_id"),
    device_id: text("device_id"),
    seq: typeof seq === "number" ? seq : null,
    file_id: text("file_id"),
    was_verified: event["was_verified"] === true,
    accepted: event["accepted"] === true,
  };
}
