/**
 * The encryption's state objects: decoded once, kept while they are used, written with the transaction.
 *
 * That there is none under a key is remembered, too, for most messages ask for some that are not there.
 *
 * Sessions and chains can be begun anew: one that is damaged is told, and counts as none. Of all else a damaged one
 * stops whoever asks for it, since pins, numbers and keys can't be made up.
 *
 * An object that was fetched to be changed is marked by `save`; `flush` writes all that are marked, and `forget`
 * drops everything after a transaction that failed, so that memory never runs ahead of the disk.
 */

import { AccountKey } from "../e2e/account.ts";
import { BadState } from "../e2e/errors.ts";
import { ReceivedChains } from "../e2e/chains.ts";
import { SendingChain } from "../e2e/groups.ts";
import { DeviceKeys } from "../e2e/prekeys.ts";
import { Progress } from "../e2e/progress.ts";
import { DeviceCode } from "../e2e/provisioning.ts";
import { ResendRequests, SentMessage } from "../e2e/resend.ts";
import { Rosters } from "../e2e/rosters.ts";
import { PeerSessions } from "../e2e/sessions.ts";
import { KnownUser } from "../e2e/trust.ts";
import { concat, readUint32, uint32 } from "../wire/bytes.ts";
import { decode, encode, pair, text } from "../wire/codec.ts";
import { DamagedRecord } from "./errors.ts";
import type { Blind } from "./sealing.ts";
import type { Shape, Table } from "./table.ts";
import { Early, Parked, Started } from "./waiting.ts";

const MOST_KEPT = 1_000;

/** A state object. */
export interface Storable {
  toBytes(): Uint8Array;
}

/** Its class. */
export interface Kind<T extends Storable> {
  readonly prototype: T;
  fromBytes(raw: Uint8Array): T;
}

// Written out, since a bundle has other names for classes.
const NAMES: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [AccountKey, "account_key"],
  [DeviceCode, "device_code"],
  [DeviceKeys, "device_keys"],
  [Early, "early"],
  [KnownUser, "known_user"],
  [Parked, "parked"],
  [PeerSessions, "peer_sessions"],
  [Progress, "progress"],
  [ReceivedChains, "received_chains"],
  [ResendRequests, "resend_requests"],
  [Rosters, "rosters"],
  [SendingChain, "sending_chain"],
  [SentMessage, "sent_message"],
  [Started, "started"],
]);

const RENEWABLE: ReadonlySet<string> = new Set(["peer_sessions", "received_chains", "sending_chain"]);

const NAME = pair(text(), text());

interface State {
  readonly kind: string;
  readonly key: string;
  readonly value: Uint8Array;
}

export const STATES: Shape<State> = {
  name: "states",
  kept: false, // objects are
  key: (state, blind) => blind("state", state.kind, state.key),
  at: (state, blind) => ({ kind: blind("kind", state.kind) }),
  write: ({ kind, key, value }) => {
    const name = encode(NAME, [kind, key]);
    return concat(uint32(name.length), name, value);
  },
  read: (raw) => {
    const end = raw.length < 4 ? 0 : 4 + readUint32(raw, 0);
    const [kind, key] = decode(NAME, raw.subarray(4, end));
    return { kind, key, value: raw.subarray(end) };
  },
};

/** State objects by kind (their class) and key. */
export class States {
  readonly #table: Table<State>;
  readonly #blind: Blind;
  readonly #damaged: (error: DamagedRecord) => void;
  readonly #kept = new Map<string, Storable | null>(); // null: there is none
  readonly #marked = new Map<string, State & { readonly object: Storable }>();

  /** `damaged` hears of what is begun anew. */
  constructor(table: Table<State>, blind: Blind, damaged: (error: DamagedRecord) => void) {
    this.#table = table;
    this.#blind = blind;
    this.#damaged = damaged;
  }

  /** The object, if there is one; DamagedRecord. */
  async get<T extends Storable>(kind: Kind<T>, key: string): Promise<T | undefined> {
    const name = nameOf(kind);
    const id = `${name}/${key}`;
    let found = this.#kept.get(id);
    if (found === undefined) found = await this.#read(kind, name, key);
    this.#keep(id, found);
    return (found as T | null) ?? undefined;
  }

  async #read<T extends Storable>(kind: Kind<T>, name: string, key: string): Promise<T | null> {
    try {
      const state = await this.#table.get(this.#blind("state", name, key));
      return state === undefined ? null : decoded(kind, state.value);
    } catch (error) {
      if (!(error instanceof DamagedRecord && RENEWABLE.has(name))) throw error;
      this.#damaged(error);
      return null;
    }
  }

  /** Have an object written with this transaction. */
  save(key: string, value: Storable): void {
    const kind = nameOf(value.constructor);
    const id = `${kind}/${key}`;
    this.#marked.set(id, { kind, key, value: new Uint8Array(), object: value });
    this.#keep(id, value);
  }

  /** Delete an object. */
  drop(kind: Kind<Storable>, key: string): void {
    const name = nameOf(kind);
    this.#marked.delete(`${name}/${key}`);
    this.#kept.set(`${name}/${key}`, null);
    this.#table.remove(this.#blind("state", name, key));
  }

  /** The keys of all objects of a kind, those that this transaction will write included. */
  async keys(kind: Kind<Storable>): Promise<string[]> {
    const name = nameOf(kind);
    const place = this.#blind("kind", name);
    const stored = await this.#table.list({ index: "kind", range: { lower: place, upper: place } });
    const marked = [...this.#marked.values()].filter((one) => one.kind === name);
    return [...new Set([...stored, ...marked].map((one) => one.key))];
  }

  /** Put what is marked into the table, before the commit. */
  flush(): void {
    for (const { kind, key, object } of this.#marked.values()) {
      this.#table.put({ kind, key, value: object.toBytes() });
    }
    this.#marked.clear();
  }

  /** Forget all that is in memory. */
  forget(): void {
    this.#kept.clear();
    this.#marked.clear();
  }

  #keep(id: string, value: Storable | null): void {
    this.#kept.delete(id);
    this.#kept.set(id, value);
    if (this.#kept.size <= MOST_KEPT) return;
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      if (!this.#marked.has(old)) this.#kept.delete(old);
    }
  }
}

function nameOf(kind: unknown): string {
  const name = NAMES.get(kind);
  if (name === undefined) throw new TypeError("No state of this kind is stored.");
  return name;
}

function decoded<T extends Storable>(kind: Kind<T>, raw: Uint8Array): T {
  try {
    return kind.fromBytes(raw);
  } catch (error) {
    if (error instanceof BadState) throw new DamagedRecord(STATES.name);
    throw error;
  }
}
