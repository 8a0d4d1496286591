/** A profile as a backup copies it, or as a crash leaves it: all rows of all tables, into another database. */

import { META, STEPS } from "../../../messenger/web/client/src/store/schema.ts";

/** All that lies on the disk of a profile: the rows of each table, with their keys. */
type Disk = ReadonlyMap<string, readonly (readonly [key: IDBValidKey, row: unknown])[]>;

function come<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new Error("no reason was given"));
    };
  });
}

function opened(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, STEPS.length);
  request.onupgradeneeded = () => {
    for (const step of STEPS) if (request.transaction !== null) step(request.result, request.transaction);
  };
  return come(request);
}

/** What lies there once the transactions are through that have begun. */
async function read(database: IDBDatabase): Promise<Disk> {
  const transaction = database.transaction([...database.objectStoreNames]);
  const found = [...database.objectStoreNames].map(async (table) => {
    const store = transaction.objectStore(table);
    const [keys, rows] = await Promise.all([come(store.getAllKeys()), come(store.getAll())]);
    return [table, keys.map((key, at) => [key, (rows as unknown[])[at]] as const)] as const;
  });
  return new Map(await Promise.all(found));
}

/** Have this lie on the disk of a profile, which is closed; one of the name goes. */
export async function written(name: string, disk: Disk): Promise<void> {
  await come(indexedDB.deleteDatabase(name));
  const target = await opened(name);
  for (const [table, rows] of disk) {
    const into = target.transaction(table, "readwrite").objectStore(table);
    for (const [key, row] of rows) await come(into.keyPath === null ? into.put(row, key) : into.put(row));
  }
  target.close();
}

/** The copied profile is closed; one of the new name goes. */
export async function copyProfile(from: string, to: string): Promise<void> {
  const source = await opened(from);
  const disk = await read(source);
  source.close();
  await written(to, disk);
}

/** Have what is sealed in a table be other bytes, in a profile that is closed; how many rows there were. */
export async function spoiled(name: string, table: string): Promise<number> {
  const source = await opened(name);
  const rows = source.transaction(table, "readwrite").objectStore(table);
  const found = (await come(rows.getAll())) as { sealed: Uint8Array }[];
  for (const row of found) {
    await come(
      rows.put({ ...row, sealed: row.sealed.map((byte, at) => (at % 7 === 3 ? byte ^ 0xff : byte)) }),
    );
  }
  source.close();
  return found.length;
}

/** What lay on the disk behind each transaction of some work: where a crash may find it. */
export async function moments(work: () => Promise<unknown>): Promise<Disk[]> {
  const honest = Object.getOwnPropertyDescriptor(IDBDatabase.prototype, "transaction");
  const transaction = honest?.value as IDBDatabase["transaction"];
  const found: Promise<Disk>[] = [];
  IDBDatabase.prototype.transaction = function (tables, mode, options) {
    const made = transaction.call(this, tables, mode, options);
    if (mode === "readwrite") {
      // Heard before the store hears of it: so this reads before the next transaction begins.
      made.addEventListener("complete", () => {
        if (this.objectStoreNames.contains(META)) found.push(read(this));
      });
    }
    return made;
  };
  try {
    await work();
  } finally {
    IDBDatabase.prototype.transaction = transaction;
  }
  return Promise.all(found);
}
