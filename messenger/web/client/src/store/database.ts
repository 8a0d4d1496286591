/**
 * IndexedDB, with promises and named errors.
 *
 * All that one piece of work changes is written by one transaction, strictly durable: it is on the disk when
 * `commit` returns, whole or not at all. Nothing foreign is waited for inside of a transaction, since the browser
 * would end it there.
 *
 * A fence keeps a second writer out, which would use keys of the ratchets twice: whoever opens the profile raises
 * a number, and a commit by whoever did not raise it last changes nothing. (The lock that keeps tabs from getting
 * that far is the engine's; a tab that was frozen for long may believe that it still has it.)
 */

import { NoProfile, ProfileExists, ProfileTaken, StoreClosed, StoreUnavailable } from "./errors.ts";
import { type Key, type Range, answered, ended, keyRange, named } from "./requests.ts";
import { META, STEPS, type Step } from "./schema.ts";

const KEY = "key";
const FENCE = "fence";

export type { Key, Range } from "./requests.ts";

/** A row as it is stored. */
export interface Row {
  readonly key: Key;
  readonly at: Readonly<Record<string, Key>>;
  readonly sealed: Uint8Array;
}

/** A row that is written, or one that is taken away. */
export interface Change {
  readonly table: string;
  readonly key: Key;
  readonly row: Row | null;
}

/** What is read: by an index or the key itself. */
export interface Question {
  readonly table: string;
  readonly index?: string;
  readonly range: Range;
}

export class Database {
  readonly #database: IDBDatabase;
  #fence = 0;
  #closed = false;

  private constructor(database: IDBDatabase) {
    this.#database = database;
    // Another tab has a newer version, or deletes all; or the browser has taken the database away.
    database.onversionchange = () => {
      this.close();
    };
    database.onclose = () => {
      this.#closed = true;
    };
  }

  /**
   * Open and bring up to date. `create` says whether the profile is made here or has to be there.
   *
   * NoProfile, ProfileExists, StoreTooNew, StoreBusy (after five seconds), StoreUnavailable.
   */
  static async open(name: string, create: boolean, steps: readonly Step[] = STEPS): Promise<Database> {
    const database = await opened(name, create, steps);
    const found = new Database(database);
    try {
      const there = (await found.keyRow()) !== undefined;
      if (there === create) throw create ? new ProfileExists() : new NoProfile();
      return found;
    } catch (error) {
      found.close();
      throw error;
    }
  }

  /** Take a profile away. Whoever has it open finds its store closed; StoreBusy where it does not let go. */
  static async remove(name: string): Promise<void> {
    await answered(factory().deleteDatabase(name));
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    this.#database.close();
  }

  // the key and the fence

  /** What `setKeyRow` stored. */
  async keyRow(): Promise<unknown> {
    const transaction = this.#begin([META], "readonly");
    const request = transaction.objectStore(META).get(KEY);
    await ended(transaction);
    return request.result as unknown;
  }

  /** Keep the wrapped key; ProfileExists where it is the first that must be. */
  async setKeyRow(row: object, first: boolean): Promise<void> {
    const transaction = this.#begin([META], "readwrite");
    const meta = transaction.objectStore(META);
    const request = first ? meta.add(row, KEY) : meta.put(row, KEY);
    await ended(transaction).catch((error: unknown) => {
      throw request.error?.name === "ConstraintError" ? new ProfileExists() : error;
    });
  }

  /** Become the one that writes. */
  async claim(): Promise<void> {
    const transaction = this.#begin([META], "readwrite");
    const meta = transaction.objectStore(META);
    const request: IDBRequest<unknown> = meta.get(FENCE);
    request.onsuccess = () => {
      this.#fence = (typeof request.result === "number" ? request.result : 0) + 1;
      meta.put(this.#fence, FENCE);
    };
    await ended(transaction);
  }

  // rows

  /** One row. */
  async row(table: string, key: Key): Promise<Row | undefined> {
    const transaction = this.#begin([table], "readonly");
    return answered(transaction.objectStore(table).get(key as IDBValidKey) as IDBRequest<Row | undefined>);
  }

  /** Rows, rising or falling. */
  async rows(question: Question, limit = Number.POSITIVE_INFINITY, falling = false): Promise<Row[]> {
    const source = this.#source(question);
    const range = keyRange(question.range);
    if (!falling) {
      const most = Number.isFinite(limit) ? limit : undefined;
      return answered(source.getAll(range, most) as IDBRequest<Row[]>);
    }
    const request = source.openCursor(range, "prev");
    const found: Row[] = [];
    return new Promise((resolve, reject) => {
      request.onsuccess = () => {
        const cursor = request.result;
        if (cursor !== null) found.push(cursor.value as Row);
        if (cursor === null || found.length >= limit) resolve(found);
        else cursor.continue();
      };
      request.onerror = () => {
        reject(named(request.error));
      };
    });
  }

  /** The rows' own keys, rising by what was asked by. */
  async keys(question: Question): Promise<Key[]> {
    return answered(this.#source(question).getAllKeys(keyRange(question.range)) as IDBRequest<Key[]>);
  }

  /** Write all of it, or nothing. StoreFull, ProfileTaken, StoreClosed. */
  async commit(changes: readonly Change[]): Promise<void> {
    const tables = new Set(changes.map((one) => one.table));
    const transaction = this.#begin([META, ...tables], "readwrite");
    let failure: unknown;
    const request: IDBRequest<unknown> = transaction.objectStore(META).get(FENCE);
    request.onsuccess = () => {
      try {
        if (request.result !== this.#fence) throw new ProfileTaken();
        for (const { table, key, row } of changes) {
          const store = transaction.objectStore(table);
          if (row === null) store.delete(key as IDBValidKey);
          else store.put(row);
        }
      } catch (error) {
        failure = error;
        transaction.abort();
      }
    };
    await ended(transaction).catch((error: unknown) => {
      throw failure === undefined ? error : named(failure);
    });
  }

  #source({ table, index }: Question): IDBObjectStore | IDBIndex {
    const store = this.#begin([table], "readonly").objectStore(table);
    return index === undefined ? store : store.index(index);
  }

  #begin(tables: readonly string[], mode: IDBTransactionMode): IDBTransaction {
    if (this.#closed) throw new StoreClosed();
    try {
      return this.#database.transaction([...tables], mode, { durability: "strict" });
    } catch (error) {
      throw named(error);
    }
  }
}

function factory(): IDBFactory {
  // Old browsers, and some in private windows, have none.
  const found = (globalThis as { readonly indexedDB?: IDBFactory }).indexedDB;
  if (found === undefined) throw new StoreUnavailable("This browser has no database for pages.");
  return found;
}

async function opened(name: string, create: boolean, steps: readonly Step[]): Promise<IDBDatabase> {
  const request = factory().open(name, steps.length);
  let failure: unknown;
  request.onupgradeneeded = (event) => {
    const transaction = request.transaction;
    if (transaction === null) return;
    try {
      // What is not there must not be made by looking for it.
      if (event.oldVersion === 0 && !create) throw new NoProfile();
      for (const step of steps.slice(event.oldVersion)) step(request.result, transaction);
    } catch (error) {
      failure = error;
      transaction.abort();
    }
  };
  try {
    return await answered(request);
  } catch (error) {
    throw failure === undefined ? error : named(failure);
  }
}
