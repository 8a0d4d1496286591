/** Facts of the profile's one account, by name: who and where it is, its tokens, the history that was seen last. */

import { binary, members, text } from "../wire/codec.ts";
import { utf8, utf8Text } from "../wire/bytes.ts";
import { DamagedRecord } from "./errors.ts";
import { type Shape, type Table, coded } from "./table.ts";
import type { Blind } from "./sealing.ts";

const FACT = members({ name: text(), value: binary(0, Number.POSITIVE_INFINITY) });

interface Fact {
  readonly name: string;
  readonly value: Uint8Array;
}

export const ACCOUNT: Shape<Fact> = {
  name: "account",
  kept: true,
  key: (fact, blind) => blind("account", fact.name),
  ...coded(FACT),
};

/** Named values. */
export class Account {
  readonly #table: Table<Fact>;
  readonly #blind: Blind;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(table: Table<Fact>, blind: Blind) {
    this.#table = table;
    this.#blind = blind;
  }

  /** A value. */
  async get(name: string): Promise<string | undefined> {
    const raw = await this.raw(name);
    if (raw === undefined) return undefined;
    const found = utf8Text(raw);
    if (found === undefined) throw new DamagedRecord(ACCOUNT.name);
    return found;
  }

  /** A value as bytes. */
  async raw(name: string): Promise<Uint8Array | undefined> {
    return (await this.#table.get(this.#blind("account", name)))?.value;
  }

  /** Set a value; null takes it away. */
  set(name: string, value: string | Uint8Array | null): void {
    if (value === null) this.#table.remove(this.#blind("account", name));
    else this.#table.put({ name, value: typeof value === "string" ? utf8(value) : value });
  }

  /** The next number of a table: 1 first, and none twice, also where rows are taken away. */
  next(table: string): Promise<number> {
    // One after the other, or two that ask at once would read the same number.
    const number = this.#turn.then(() => this.#take(table));
    this.#turn = number.catch(() => undefined);
    return number;
  }

  async #take(table: string): Promise<number> {
    const name = `next/${table}`;
    const number = Number((await this.get(name)) ?? 1);
    if (!Number.isSafeInteger(number) || number < 1) throw new DamagedRecord(ACCOUNT.name);
    this.set(name, String(number + 1));
    return number;
  }
}
