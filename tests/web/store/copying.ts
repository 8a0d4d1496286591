/** A profile as a backup copies it: all rows of all tables, into another database. */

import { STEPS } from "../../../messenger/web/client/src/store/schema.ts";

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

/** The copied profile is closed; one of the new name goes. */
export async function copyProfile(from: string, to: string): Promise<void> {
  await come(indexedDB.deleteDatabase(to));
  const [source, target] = [await opened(from), await opened(to)];
  for (const table of source.objectStoreNames) {
    const store = source.transaction(table).objectStore(table);
    const [keys, rows] = [await come(store.getAllKeys()), (await come(store.getAll())) as unknown[]];
    const into = target.transaction(table, "readwrite").objectStore(table);
    for (const [at, row] of rows.entries()) {
      await come(into.keyPath === null ? into.put(row, keys[at]) : into.put(row));
    }
  }
  source.close();
  target.close();
}
