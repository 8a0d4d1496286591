/** What IndexedDB says by events: as promises, under names of ours. */

import { StoreBusy, StoreClosed, StoreError, StoreFull, StoreTooNew, StoreUnavailable } from "./errors.ts";

const BLOCKED_MS = 5_000; // for other tabs to let an older version go

/** What rows are found by, in IndexedDB's order: numbers, then texts, then lists. */
export type Key = string | number | readonly Key[];

/** Bounds, which are included unless said otherwise. */
export interface Range {
  readonly lower?: Key;
  readonly upper?: Key;
  readonly lowerOpen?: boolean;
  readonly upperOpen?: boolean;
}

/** What a request comes to. One that others block is given up after a while, and undone if it comes then. */
export function answered<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let late = false;
    request.onsuccess = () => {
      clearTimeout(timer);
      if (late && request.result instanceof IDBDatabase) request.result.close();
      resolve(request.result);
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(named(request.error));
    };
    if (request instanceof IDBOpenDBRequest) {
      request.onblocked = () => {
        timer = setTimeout(() => {
          late = true;
          reject(new StoreBusy());
        }, BLOCKED_MS);
      };
    }
  });
}

/** When a transaction is on the disk; what ended it otherwise. */
export function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => {
      resolve();
    };
    transaction.onabort = () => {
      reject(named(transaction.error));
    };
  });
}

export function keyRange({
  lower,
  upper,
  lowerOpen = false,
  upperOpen = false,
}: Range): IDBKeyRange | undefined {
  if (lower !== undefined && upper !== undefined)
    return IDBKeyRange.bound(lower, upper, lowerOpen, upperOpen);
  if (lower !== undefined) return IDBKeyRange.lowerBound(lower, lowerOpen);
  return upper === undefined ? undefined : IDBKeyRange.upperBound(upper, upperOpen);
}

/** What the browser says, under a name of ours. */
export function named(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { name, message } = error instanceof Error ? error : { name: "", message: "no reason was given" };
  switch (name) {
    case "QuotaExceededError":
      return new StoreFull();
    case "VersionError":
      return new StoreTooNew();
    case "InvalidStateError":
      return new StoreClosed();
    default:
      return new StoreUnavailable(`The browser's database fails: ${name} ${message}`.trim());
  }
}
