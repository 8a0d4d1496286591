/**
 * The store at work: one piece of work after the other, each with one transaction.
 *
 * Whatever a piece of work changes (states of ratchets, plaintext, events) is committed together, or not at all;
 * then the memory of state objects is dropped, too. So what was received is acknowledged when `run` has returned,
 * and what was sealed goes out when `run` has returned, and neither before.
 *
 * A piece of work reads as it goes; all that it writes is held in memory, sealed when it is done, and only then
 * the transaction begins, in which nothing is waited for. It waits for the store alone, never for the network: the
 * others wait for it.
 */

import { decodeBody, encodeBody } from "../e2e/bodies.ts";
import { BadState } from "../e2e/errors.ts";
import { decodePayload } from "../e2e/payload.ts";
import { DeviceKeys } from "../e2e/prekeys.ts";
import { SentMessage } from "../e2e/resend.ts";
import { PeerSessions } from "../e2e/sessions.ts";
import { KnownUser } from "../e2e/trust.ts";
import { ACCOUNT, Account } from "../store/account.ts";
import { CONVERSATIONS, Conversations, MEMBERS, PEOPLE, People } from "../store/conversations.ts";
import { Database } from "../store/database.ts";
import { DRAFTS, Drafts } from "../store/drafts.ts";
import { type DamagedRecord, StoreClosed, StoreCorrupt } from "../store/errors.ts";
import { ANSWERS, DOUBTS, History } from "../store/history.ts";
import { JOURNAL, Journal, type Told } from "../store/journal.ts";
import { MESSAGES, Messages } from "../store/messages.ts";
import { OUTBOX, Outbox } from "../store/outbox.ts";
import { PLACES, Places } from "../store/places.ts";
import { Sealer } from "../store/sealing.ts";
import { WARNINGS, Warnings } from "../store/standing.ts";
import { STATES, States } from "../store/states.ts";
import { type Shape, Table } from "../store/table.ts";
import {
  type Lock,
  type Locks,
  type Unlock,
  addLock,
  createKey,
  locksOf,
  setLock,
  settleLock,
  storedKey,
} from "../store/unlock.ts";

import { stands } from "./events.ts";

/** Milliseconds since 1970. */
export type Clock = () => number;

/** An own message is at the server, or was refused: then with a code and a sentence. */
export interface Settled {
  readonly clientId: string;
  readonly code?: string;
  readonly detail?: string;
}

/** What a piece of work may use: the tables, the states, and the events that it causes. */
export class Store {
  readonly account: Account;
  readonly states: States;
  readonly people: People;
  readonly conversations: Conversations;
  readonly places: Places;
  readonly messages: Messages;
  readonly outbox: Outbox;
  readonly history: History;
  readonly journal: Journal;
  readonly warnings: Warnings;
  readonly drafts: Drafts;
  /** All tables, for the transaction. */
  readonly tables: Pick<Table<object>, "changes" | "stored" | "forget">[] = [];
  /** When this piece of work began, in milliseconds since 1970. */
  now = 0;
  /** Whether a durable event was written. */
  news = false;
  settled: Settled[] = [];

  constructor(database: Database, sealer: Sealer, damaged: (error: DamagedRecord) => void) {
    const { blind } = sealer;
    const table = <T extends object>(shape: Shape<T>): Table<T> => {
      const made = new Table(database, sealer, shape, damaged);
      this.tables.push(made);
      return made;
    };
    this.account = new Account(table(ACCOUNT), blind);
    this.states = new States(table(STATES), blind, damaged);
    this.people = new People(table(PEOPLE), blind);
    this.conversations = new Conversations(table(CONVERSATIONS), table(MEMBERS), blind);
    this.places = new Places(table(PLACES), blind);
    this.messages = new Messages(table(MESSAGES), blind, () => this.account.next(MESSAGES.name));
    this.outbox = new Outbox(table(OUTBOX), blind, () => this.account.next(OUTBOX.name));
    const { outbox, places, conversations } = this;
    const kept = { answered: table(ANSWERS), doubted: table(DOUBTS), outbox, places, conversations };
    this.history = new History(kept, blind);
    this.journal = new Journal(table(JOURNAL), this.account, this.messages);
    this.warnings = new Warnings(table(WARNINGS), blind, () => this.account.next(WARNINGS.name));
    this.drafts = new Drafts(table(DRAFTS), blind);
  }

  /** Another piece of work has caused nothing yet. */
  begin(now: number): void {
    this.now = Math.floor(now);
    this.news = false;
    this.warnings.changed = false;
    this.settled = [];
  }

  /** What was done is undone: memory holds nothing that the disk does not. */
  forget(): void {
    this.states.forget();
    this.messages.forget();
    for (const table of this.tables) table.forget();
  }

  /** The own user. */
  async userId(): Promise<string> {
    return (await this.account.get("user_id")) ?? "";
  }

  /** The own device. */
  async deviceId(): Promise<string> {
    return (await this.account.get("device_id")) ?? "";
  }

  /** The own device's keys. */
  async keys(): Promise<DeviceKeys> {
    const found = await this.states.get(DeviceKeys, "own");
    if (found === undefined) throw new StoreCorrupt("The profile has no keys of its device.");
    return found;
  }

  /** What is known of a user. */
  async known(userId: string): Promise<KnownUser> {
    return (await this.states.get(KnownUser, userId)) ?? KnownUser.unknown(userId);
  }

  /** The sessions with a device. */
  async sessions(userId: string, deviceId: string): Promise<PeerSessions> {
    return (await this.states.get(PeerSessions, deviceId)) ?? PeerSessions.none(userId, deviceId);
  }

  /** Keep nothing of an own message for who might ask or has asked for it again, nor of its edits. */
  async forgetSent(clientId: string, edited: boolean): Promise<void> {
    this.states.drop(SentMessage, clientId);
    await this.#forgetAnswers(clientId);
    if (!edited) return;
    for (const other of await this.states.keys(SentMessage)) {
      const body = (await this.states.get(SentMessage, other))?.body();
      if (body?.type === "edit" && body.message.client_id === clientId) {
        this.states.drop(SentMessage, other);
        await this.#forgetAnswers(other);
      }
    }
  }

  /** Write a durable event; what the user has to deal with stands until then. */
  async tell(event: Told): Promise<void> {
    await this.journal.add(event);
    if (stands(event)) await this.warnings.add(event, this.now);
    this.news = true;
  }

  /** What is on its way to who has asked for a message; sealed, it goes out as it is. */
  async #forgetAnswers(clientId: string): Promise<void> {
    for (const { client_id: other, body: raw, draft } of await this.outbox.bodies()) {
      const body = decodeBody(raw);
      if (body.type !== "resent" || decodePayload(body.payload).client_id !== clientId) continue;
      if (draft !== null) {
        await this.outbox.blank(other, encodeBody({ type: "resend_request", client_id: clientId }));
      } else {
        await this.outbox.remove(other);
        this.settled.push({ clientId: other });
      }
    }
  }
}

/** An open profile. */
export class Vault {
  /** Called after durable events, where other warnings stand, for own messages that are through or refused, and for records that are damaged. */
  onNews: () => void = () => undefined;
  onWarnings: () => void = () => undefined;
  onSettled: (settled: Settled) => void = () => undefined;
  onDamaged: (error: DamagedRecord) => void = () => undefined;

  readonly #database: Database;
  readonly #key: Uint8Array;
  readonly #store: Store;
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(database: Database, key: Uint8Array, sealer: Sealer, clock: Clock) {
    this.#database = database;
    this.#key = key;
    this.#clock = clock;
    this.#store = new Store(database, sealer, (error) => {
      this.onDamaged(error);
    });
  }

  /** Make a profile, with a lock or without. ProfileExists, StoreFull, StoreUnavailable. */
  static async create(name: string, lock: Lock | null, clock: Clock = Date.now): Promise<Vault> {
    const database = await Database.open(name, true);
    return Vault.#made(database, () => createKey(database, lock), clock);
  }

  /**
   * Open a profile and become the one that writes: whoever had it open before can't any more.
   *
   * `unlock` derives the password's half, where there is a lock. NoProfile, WrongPassword, StoreCorrupt, StoreTooNew,
   * StoreBusy, StoreUnavailable.
   */
  static async open(name: string, unlock: Unlock | null, clock: Clock = Date.now): Promise<Vault> {
    const database = await Database.open(name, false);
    return Vault.#made(database, () => storedKey(database, unlock), clock);
  }

  /** The locks of a profile that nobody has opened here. NoProfile. */
  static async locksOf(name: string): Promise<Locks> {
    const database = await Database.open(name, false);
    try {
      return await locksOf(database);
    } finally {
      database.close();
    }
  }

  static async #made(database: Database, found: () => Promise<Uint8Array>, clock: Clock): Promise<Vault> {
    try {
      const key = await found();
      const sealer = await Sealer.of(key);
      await database.claim();
      return new Vault(database, key, sealer, clock);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Whether nothing can be done any more. */
  get closed(): boolean {
    return this.#database.closed;
  }

  /**
   * Do a piece of work as one transaction; what it throws undoes it.
   *
   * DamagedRecord, StoreFull, ProfileTaken, StoreClosed, StoreUnavailable.
   */
  run<T>(work: (store: Store) => Promise<T> | T): Promise<T> {
    const done = this.#last.then(() => this.#transact(work));
    this.#last = done.catch(() => undefined);
    return done;
  }

  // the lock

  locks(): Promise<Locks> {
    return locksOf(this.#database);
  }

  /** Have this lock, or none, and no other one. */
  setLock(lock: Lock | null): Promise<void> {
    return setLock(this.#database, this.#key, lock);
  }

  /** Have this lock as well, until `settleLock`. */
  addLock(lock: Lock): Promise<void> {
    return addLock(this.#database, this.#key, lock);
  }

  /** Of two locks, keep the one that is derived with this salt. */
  settleLock(salt: Uint8Array): Promise<void> {
    return settleLock(this.#database, salt);
  }

  /** Finish what was begun, and close. */
  async close(): Promise<void> {
    await this.#last;
    this.#database.close();
  }

  async #transact<T>(work: (store: Store) => Promise<T> | T): Promise<T> {
    if (this.closed) throw new StoreClosed();
    const store = this.#store;
    store.begin(this.#clock());
    let result: T;
    try {
      // First of all, so that nothing ever reads what has expired.
      for (const own of await store.messages.expire(new Date(store.now).toISOString())) {
        await store.forgetSent(own.client_id, own.edited > 0);
      }
      result = await work(store);
      store.states.flush();
      const changes = (await Promise.all(store.tables.map((table) => table.changes()))).flat();
      if (changes.length > 0) await this.#database.commit(changes);
    } catch (error) {
      store.forget();
      throw error instanceof BadState ? new StoreCorrupt(error.message) : error;
    }
    for (const table of store.tables) table.stored();
    const { news, settled } = store;
    for (const one of settled) this.onSettled(one);
    if (news) this.onNews();
    if (store.warnings.changed) this.onWarnings();
    return result;
  }
}
