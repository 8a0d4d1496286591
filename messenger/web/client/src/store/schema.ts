/**
 * The store's tables, as steps that only go forward; IndexedDB's version is the number of those taken.
 *
 * A row is `{key, at: {index: value}, sealed}`; all that `key` and `at` hold is numbers, moments and blinded names
 * (sealing.ts). New members of records need no step: their codecs have defaults. `meta` has the wrapped key and
 * the fence, unsealed.
 */

export const META = "meta";

/** What one version adds. */
export type Step = (database: IDBDatabase, transaction: IDBTransaction) => void;

const first: Step = (database) => {
  database.createObjectStore(META);
  table(database, "account");
  table(database, "states", "kind");
  table(database, "people", "named");
  table(database, "conversations");
  table(database, "members", "user");
  table(database, "places", "name", "taken");
  table(database, "messages", "place", "name", "reply", "filed", "unread", "expires");
  table(database, "outbox", "name", "turn");
  table(database, "answered", "name", "moment");
  table(database, "doubted", "place", "until");
  table(database, "journal");
};

const second: Step = (database) => {
  table(database, "warnings", "same", "kind");
  table(database, "drafts");
};

export const STEPS: readonly Step[] = [first, second];

function table(database: IDBDatabase, name: string, ...indexes: readonly string[]): void {
  const made = database.createObjectStore(name, { keyPath: "key" });
  for (const index of indexes) made.createIndex(index, `at.${index}`);
}
