/**
 * A table of sealed records, as one piece of work sees it: with what it has changed itself, before that is stored.
 *
 * Values are not changed in place: another value is put. What was read or written is kept in memory, opened, as
 * far as its bound allows, and so is that there is nothing: whoever works through many asks for all of it at once
 * first, since each answer of the browser takes its time. `forget` drops it after a transaction that failed, so that memory never runs ahead of
 * the disk.
 */

import { BadState } from "../e2e/errors.ts";
import { dump, load } from "../e2e/state.ts";
import { utf8 } from "../wire/bytes.ts";
import { type Codec, Misfit } from "../wire/codec.ts";
import type { Change, Database, Key, Question, Range, Row } from "./database.ts";
import { DamagedRecord } from "./errors.ts";
import type { Blind, Sealer } from "./sealing.ts";

const MOST_KEPT = 1_000;

type Places = Readonly<Record<string, Key | null>>;

/** How the values of a table are found and written. `kept` false: not kept in memory. */
export interface Shape<T> {
  readonly name: string;
  readonly kept: boolean;
  readonly key: (value: T, blind: Blind) => Key;
  /** What its indexes find it by; null where it is not in one. */
  readonly at?: (value: T, blind: Blind) => Places;
  readonly write: (value: T) => Uint8Array;
  /** BadState or Misfit for what `write` did not write. */
  readonly read: (raw: Uint8Array) => T;
}

/** How a codec's values are written. */
export function coded<T>(codec: Codec<T>): Pick<Shape<T>, "write" | "read"> {
  return { write: (value) => dump(codec, value), read: (raw) => load(codec, raw) };
}

/** All keys that begin with these parts. */
export function under(...parts: readonly Key[]): Range {
  return { lower: parts, upper: [...parts, []] };
}

/** What a question to a table is bounded by. */
export interface Asked {
  readonly index?: string;
  readonly range?: Range;
  readonly limit?: number;
  readonly falling?: boolean;
}

interface Pending<T> {
  readonly key: Key;
  readonly at: Readonly<Record<string, Key>>;
  readonly value: T | null; // null: taken away
}

export class Table<T extends object> {
  readonly #database: Database;
  readonly #sealer: Sealer;
  readonly #shape: Shape<T>;
  readonly #damaged: (error: DamagedRecord) => void;
  readonly #pending = new Map<string, Pending<T>>();
  readonly #kept = new Map<string, T | null>(); // null: there is none

  /** `damaged` hears of records that are left out of lists because they don't open. */
  constructor(database: Database, sealer: Sealer, shape: Shape<T>, damaged: (error: DamagedRecord) => void) {
    this.#database = database;
    this.#sealer = sealer;
    this.#shape = shape;
    this.#damaged = damaged;
  }

  /** The value of a key; DamagedRecord. */
  async get(key: Key): Promise<T | undefined> {
    const id = JSON.stringify(key);
    const pending = this.#pending.get(id);
    if (pending !== undefined) return pending.value ?? undefined;
    const kept = this.#kept.get(id);
    if (kept !== undefined) return kept ?? undefined;
    const row = await this.#database.row(this.#shape.name, key);
    if (row !== undefined) return this.#open(row);
    this.#keep(id, null);
    return undefined;
  }

  /** The value of a key; one that doesn't open is told of and counts as none. */
  sound(key: Key): Promise<T | undefined> {
    return this.#orTold(this.get(key));
  }

  /** The first value by an index; DamagedRecord. */
  async first(index: string, range: Range): Promise<T | undefined> {
    const [found] = await this.#find({ index, range, limit: 1 });
    return found && this.#value(found);
  }

  /** Values in order; those that don't open are told of and left out. */
  async list(asked: Asked = {}): Promise<T[]> {
    const found = await this.#find(asked);
    const values = await Promise.all(found.map((one) => this.#orTold(this.#value(one))));
    return values.filter((value) => value !== undefined);
  }

  /** The keys of rows in a range; nothing is opened for it. By an index, what was put just now comes last. */
  async keys(asked: Pick<Asked, "index" | "range"> = {}): Promise<Key[]> {
    const stored = await this.#database.keys(this.#question(asked));
    if (this.#pending.size === 0) return stored;
    const found = stored.filter((key) => !this.#pending.has(JSON.stringify(key)));
    found.push(...this.#added(asked).map(({ key }) => key));
    return asked.index === undefined ? found.sort(compare) : found;
  }

  put(value: T): void {
    const { key: keyOf, at: atOf } = this.#shape;
    const key = keyOf(value, this.#sealer.blind);
    const at: Record<string, Key> = {};
    for (const [name, place] of Object.entries(atOf?.(value, this.#sealer.blind) ?? {})) {
      if (place !== null) at[name] = place;
    }
    this.#pending.set(JSON.stringify(key), { key, at, value });
  }

  remove(...keys: readonly Key[]): void {
    for (const key of keys) this.#pending.set(JSON.stringify(key), { key, at: {}, value: null });
  }

  // the transaction

  /** What has to be stored, sealed. */
  async changes(): Promise<Change[]> {
    const { name, write } = this.#shape;
    return Promise.all(
      [...this.#pending.values()].map(async ({ key, at, value }) => {
        if (value === null) return { table: name, key, row: null };
        const sealed = await this.#sealer.seal(this.#place(key, at), write(value));
        return { table: name, key, row: { key, at, sealed } };
      }),
    );
  }

  /** It was stored. */
  stored(): void {
    for (const [id, { value }] of this.#pending) {
      this.#kept.delete(id);
      this.#keep(id, value);
    }
    this.#pending.clear();
  }

  /** It was not. */
  forget(): void {
    this.#pending.clear();
    this.#kept.clear();
  }

  async #find(asked: Asked): Promise<(Row | Pending<T>)[]> {
    const { index, limit = Number.POSITIVE_INFINITY, falling = false } = asked;
    // So many of the stored rows may have been changed since.
    const stored = await this.#database.rows(this.#question(asked), limit + this.#pending.size, falling);
    if (this.#pending.size === 0) return stored;
    const found: (Row | Pending<T>)[] = stored.filter((row) => !this.#pending.has(JSON.stringify(row.key)));
    found.push(...this.#added(asked));
    const order = (one: Row | Pending<T>): Key => [placeIn(one, index) ?? [], one.key];
    found.sort((one, other) => (falling ? -1 : 1) * compare(order(one), order(other)));
    return found.slice(0, limit);
  }

  /** What this piece of work has put into a range. */
  #added({ index, range = {} }: Asked): Pending<T>[] {
    return [...this.#pending.values()].filter((one) => {
      const place = placeIn(one, index);
      return one.value !== null && place !== undefined && isWithin(place, range);
    });
  }

  async #orTold(value: Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await value;
    } catch (error) {
      if (!(error instanceof DamagedRecord)) throw error;
      this.#damaged(error);
      return undefined;
    }
  }

  async #value(found: Row | Pending<T>): Promise<T> {
    if ("sealed" in found) return this.#kept.get(JSON.stringify(found.key)) ?? this.#open(found);
    if (found.value === null) throw new DamagedRecord(this.#shape.name); // never: it was left out
    return found.value;
  }

  async #open(row: Row): Promise<T> {
    const plaintext = await this.#sealer.open(this.#place(row.key, row.at), row.sealed);
    if (plaintext === undefined) throw new DamagedRecord(this.#shape.name);
    try {
      const value = this.#shape.read(plaintext);
      this.#keep(JSON.stringify(row.key), value);
      return value;
    } catch (error) {
      if (error instanceof BadState || error instanceof Misfit) throw new DamagedRecord(this.#shape.name);
      throw error;
    }
  }

  #keep(id: string, value: T | null): void {
    if (!this.#shape.kept) return;
    this.#kept.set(id, value);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
  }

  #place(key: Key, at: Readonly<Record<string, Key>>): Uint8Array {
    const places = Object.entries(at).sort(([one], [other]) => compare(one, other));
    return utf8(JSON.stringify([this.#shape.name, key, places]));
  }

  #question({ index, range = {} }: Asked): Question {
    const question = { table: this.#shape.name, range };
    return index === undefined ? question : { ...question, index };
  }
}

function placeIn(one: Row | Pending<unknown>, index: string | undefined): Key | undefined {
  return index === undefined ? one.key : one.at[index];
}

/** IndexedDB's order (Indexed Database API 3.0, section 2.4), for the keys that are used here. */
export function compare(one: Key, other: Key): number {
  if (typeof one === "object" && typeof other === "object") {
    for (const [at, mine] of one.entries()) {
      const its = other[at];
      const order = its === undefined ? 1 : compare(mine, its);
      if (order !== 0) return order;
    }
    return one.length - other.length;
  }
  if (typeof one !== typeof other) return rank(one) - rank(other);
  return one < other ? -1 : one > other ? 1 : 0;
}

function rank(key: Key): number {
  return typeof key === "number" ? 0 : typeof key === "string" ? 1 : 2;
}

function isWithin(key: Key, { lower, upper, lowerOpen = false, upperOpen = false }: Range): boolean {
  const above = lower === undefined || compare(key, lower) >= (lowerOpen ? 1 : 0);
  return above && (upper === undefined || compare(key, upper) <= (upperOpen ? -1 : 0));
}
