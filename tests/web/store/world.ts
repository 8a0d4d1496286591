/** What tests of the store share: profiles, what lies on the disk of them, and a disk that fails. */

import { type Kdf, newKdf } from "../../../messenger/web/client/src/e2e/index.ts";
import { Vault } from "../../../messenger/web/client/src/engine/vault.ts";
import type { NewMessage } from "../../../messenger/web/client/src/store/messages.ts";
import type { Lock } from "../../../messenger/web/client/src/store/unlock.ts";

export const NOW = Date.UTC(2027, 0, 15, 8);
export const TABLES = [
  "account",
  "states",
  "people",
  "conversations",
  "members",
  "places",
  "messages",
  "outbox",
  "answered",
  "doubted",
  "journal",
  "warnings",
  "drafts",
] as const;
type TableName = (typeof TABLES)[number];

let made = 0;

/** A name that no other test has. */
export function freshName(): string {
  made += 1;
  return `profile-${String(made)}-${String(Math.random()).slice(2)}`;
}

/** A new profile without a lock. */
export async function profile(name = freshName()): Promise<{ name: string; vault: Vault }> {
  return { name, vault: await Vault.create(name, null, () => NOW) };
}

/** The same profile as after a restart. */
export async function again(name: string, vault: Vault): Promise<Vault> {
  await vault.close();
  return Vault.open(name, null, () => NOW);
}

/** A lock as a password makes it, without the work. */
export function lock(byte: number, kdf: Kdf = newKdf()): Lock {
  return { kdf, wrap: new Uint8Array(32).fill(byte) };
}

export const ALICE = "a1111111-0000-4000-8000-000000000001";
export const PHONE = "a1111111-0000-4000-8000-000000000002";
export const TALK = "c1111111-0000-4000-8000-000000000001";

/** A message of alice's. */
export function message(number: number, more: Partial<NewMessage> = {}): NewMessage {
  return {
    conversation_id: TALK,
    client_id: `d1111111-0000-4000-8000-${String(number).padStart(12, "0")}`,
    sender_id: ALICE,
    sender_device_id: PHONE,
    seq: number,
    kind: "text",
    text: `what was said ${String(number)}`,
    file: null,
    reply_to: null,
    outgoing: false,
    sent_at: "2027-01-15T08:00:00.000Z",
    received_at: "2027-01-15T08:00:01.000Z",
    created_at: "2027-01-15T08:00:00.500Z",
    state: "received",
    ...more,
  };
}

/** What a server says of a conversation. */
export function said(conversationId = TALK, type = "direct") {
  const when = { created_at: "2027-01-15T08:00:00.000Z", updated_at: "2027-01-15T08:00:00.000Z" };
  const rest = { metadata: null, message_ttl: null, role: "owner", ended: false, read_seq: 0 };
  return { conversation_id: conversationId, type, ...when, ...rest };
}

// the disk

/** A row as it lies there. */
export interface Stored {
  key: IDBValidKey;
  at: Record<string, IDBValidKey>;
  sealed: Uint8Array;
}

/** Do something with a profile's database, past the store. */
export async function onDisk<T>(
  name: string,
  table: TableName | "meta",
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await answer(indexedDB.open(name));
  const request = work(database.transaction(table, "readwrite").objectStore(table));
  const found = await answer(request);
  database.close();
  return found;
}

/** All rows of a table. */
export function rows(name: string, table: TableName): Promise<Stored[]> {
  return onDisk(name, table, (store) => store.getAll() as IDBRequest<Stored[]>);
}

/** Have the disk take so many more rows, and then say that it is full. Returns how it is made whole again. */
export function fullAfter(count: number): () => void {
  const whole = Object.getOwnPropertyDescriptor(IDBObjectStore.prototype, "put");
  const put = whole?.value as IDBObjectStore["put"];
  let left = count;
  IDBObjectStore.prototype.put = function (...given) {
    left -= 1;
    if (left < 0) throw new DOMException("no space", "QuotaExceededError");
    return put.apply(this, given);
  };
  return () => {
    IDBObjectStore.prototype.put = put;
  };
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new Error("no reason was given"));
    };
  });
}
