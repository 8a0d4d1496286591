/**
 * A sealed file of what a person would lose with this browser: contacts with their pins, conversations, messages.
 *
 *     file   = header || chunk*
 *     header = "messenger-export" || 1 || memory_kib (4) || passes (4) || lanes (4) || salt (16)
 *     chunk  = length of sealed (4) || sealed
 *     sealed = AES-256-GCM(key, number of the chunk from 0 on (8) || 0 0 0 || 1 in the last one else 0, JSON, header)
 *     key    = HKDF-SHA-256(`wrap` of the password by the header's parameters, "messenger-export-1")
 *
 * Integers are big-endian; `wrap` is that of e2e/password.ts. A chunk that is missing, moved, changed or cut off
 * does not open, and a file without its last one is none.
 *
 * No keys are in it, neither the device's nor the account's, nor sessions, nor what waits to be sent: so whoever
 * gets the file and the password can read and can't speak, and an import never uses a key twice. It goes into a
 * profile of the same account, and adds what is not there.
 */

import { EncryptionError } from "../e2e/errors.ts";
import { type Derived, type Kdf, derive, judge, newKdf } from "../e2e/password.ts";
import { hkdf, same } from "../e2e/primitives.ts";
import { KnownUser } from "../e2e/trust.ts";
import type { Store, Vault } from "../engine/vault.ts";
import { concat, readUint32, uint32, uint64, utf8 } from "../wire/bytes.ts";
import {
  Misfit,
  type Of,
  binary,
  decode,
  defaulted,
  encode,
  list,
  members,
  optional,
  text,
} from "../wire/codec.ts";
import { CONVERSATION, MEMBER, PERSON } from "./conversations.ts";
import { ExportRefused, ProfileMismatch } from "./errors.ts";
import { MESSAGE } from "./messages.ts";
import { gcmKey, gcmOpen, gcmSeal } from "./sealing.ts";

const MAGIC = concat(utf8("messenger-export"), Uint8Array.of(1));
const HEADER_BYTES = MAGIC.length + 12 + 16;
const KEY_INFO = utf8("messenger-export-1");
const MOST_CHUNK = 16 * 1024 * 1024;
const MOST_FILE = 4 * 1024 * 1024 * 1024;
const PAGE = 100; // messages of a chunk; each has up to 64 KiB of text

const CHUNK = members({
  account: optional(members({ server: text(), user_id: text() })),
  people: defaulted(list(PERSON), []),
  known: defaulted(list(members({ user_id: text(), state: binary(0, MOST_CHUNK) })), []),
  conversations: defaulted(list(CONVERSATION), []),
  members: defaulted(list(MEMBER), []),
  messages: defaulted(list(MESSAGE), []),
});

type Chunk = Of<typeof CHUNK>;
const NOTHING: Chunk = { people: [], known: [], conversations: [], members: [], messages: [] };

/** How `wrap` is derived: over a second of work, in a worker. */
export type Derivation = (password: string, kdf: Kdf) => Pick<Derived, "wrap">;

/** Write an export, piece by piece; how many messages. */
export async function exportStore(
  vault: Vault,
  password: string,
  write: (piece: Uint8Array) => Promise<void> | void,
  derivation: Derivation = derive,
): Promise<number> {
  const kdf = newKdf();
  const header = concat(MAGIC, ...[kdf.memory_kib, kdf.passes, kdf.lanes].map(uint32), kdf.salt);
  const key = await gcmKey(hkdf(derivation(password, kdf).wrap, KEY_INFO));
  let number = 0;
  const put = async (chunk: Chunk, isLast = false): Promise<void> => {
    const sealed = await gcmSeal(key, nonceOf(number, isLast), encode(CHUNK, chunk), header);
    await write(concat(uint32(sealed.length), sealed));
    number += 1;
  };
  await write(header);
  await put(await vault.run(contacts));
  for (const one of await vault.run((store) => store.conversations.all())) {
    const inside = await vault.run((store) => store.conversations.members(one.conversation_id, true));
    await put({ ...NOTHING, conversations: [one], members: inside });
  }
  let [last, count] = [0, 0];
  for (;;) {
    const page = await vault.run((store) => store.messages.after(last, PAGE));
    const end = page.at(-1);
    if (end === undefined) break;
    await put({ ...NOTHING, messages: page });
    [last, count] = [end.id, count + page.length];
  }
  await put(NOTHING, true);
  return count;
}

/**
 * Take an export in; how many messages were new. All of it is looked at before anything is taken; what was taken
 * when it stops is taken no second time.
 *
 * ExportRefused, ProfileMismatch, StoreFull.
 */
export async function importStore(
  vault: Vault,
  file: Blob,
  password: string,
  derivation: Derivation = derive,
): Promise<number> {
  if (file.size > MOST_FILE) throw new ExportRefused("The file is larger than any export.");
  const header = await bytesOf(file, 0, HEADER_BYTES);
  if (!same(header.subarray(0, MAGIC.length), MAGIC)) {
    throw new ExportRefused("This is no export, or one of a newer version.");
  }
  const key = await gcmKey(hkdf(derivation(password, kdfOf(header)).wrap, KEY_INFO));
  let isFirst = true;
  for await (const { account, known } of chunks(file, header, key)) {
    if (isFirst) await vault.run((store) => fits(store, account));
    isFirst = false;
    for (const one of known) knownOf(one);
  }
  let count = 0;
  for await (const chunk of chunks(file, header, key)) {
    count += await vault.run((store) => take(store, chunk));
  }
  return count;
}

async function contacts(store: Store): Promise<Chunk> {
  const known: Chunk["known"] = [];
  for (const user_id of await store.states.keys(KnownUser)) {
    const state = await store.states.get(KnownUser, user_id);
    if (state !== undefined) known.push({ user_id, state: state.toBytes() });
  }
  const account = { server: (await store.account.get("server")) ?? "", user_id: await store.userId() };
  return { ...NOTHING, account, people: await store.people.all(), known };
}

async function fits(store: Store, account: Chunk["account"]): Promise<void> {
  const server = (await store.account.get("server")) ?? "";
  if (account?.server !== server || account.user_id !== (await store.userId())) throw new ProfileMismatch();
}

async function take(store: Store, chunk: Chunk): Promise<number> {
  for (const { user_id, username } of chunk.people) {
    const isNew = (await store.people.named(user_id)) ?? (await store.people.userNamed(username));
    if (isNew === undefined) store.people.put(user_id, username);
  }
  for (const one of chunk.known) {
    const isNew = (await store.states.get(KnownUser, one.user_id)) === undefined;
    if (isNew) store.states.save(one.user_id, knownOf(one));
  }
  const fresh = new Set<string>();
  for (const one of chunk.conversations) {
    if (!(await store.conversations.take(one))) continue;
    const { conversation_id: name, title, peer_id, activity, expires_in } = one;
    await store.conversations.set(name, { title, peer_id, activity, expires_in });
    fresh.add(name);
  }
  for (const { conversation_id: name, user_id, role, joined_at, gone } of chunk.members) {
    if (!fresh.has(name)) continue; // the server has said since who is in it
    await store.conversations.putMember(name, user_id, role, joined_at);
    if (gone) await store.conversations.dropMember(name, user_id);
  }
  let count = 0;
  for (const { id: _, ...message } of chunk.messages) {
    if ((await store.messages.find(message)) !== undefined) continue;
    // What waited to be sent there is not sent by another device.
    await store.messages.add(message.state === "queued" ? { ...message, state: "failed" } : message);
    count += 1;
  }
  return count;
}

/** What was known of a user, under that user's id and no other. */
function knownOf({ user_id, state }: Chunk["known"][number]): KnownUser {
  try {
    const known = KnownUser.fromBytes(state);
    if (known.userId === user_id) return known;
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
  }
  throw new ExportRefused("The export says something of a user that can't be read.");
}

async function* chunks(file: Blob, header: Uint8Array, key: CryptoKey): AsyncGenerator<Chunk> {
  let at = HEADER_BYTES;
  for (let number = 0; ; number += 1) {
    const size = readUint32(await bytesOf(file, at, 4), 0);
    if (size > MOST_CHUNK) throw damaged();
    const sealed = await bytesOf(file, at + 4, size);
    at += 4 + size;
    const isLast = at === file.size;
    const plaintext = await gcmOpen(key, nonceOf(number, isLast), sealed, header);
    if (plaintext === undefined) throw damaged();
    yield decoded(plaintext);
    if (isLast) return;
  }
}

function decoded(plaintext: Uint8Array): Chunk {
  try {
    return decode(CHUNK, plaintext);
  } catch (error) {
    throw error instanceof Misfit
      ? new ExportRefused(`The export has a form of its own: ${error.message}.`)
      : error;
  }
}

function kdfOf(header: Uint8Array): Kdf {
  const [memory_kib = 0, passes = 0, lanes = 0] = [0, 4, 8].map((at) =>
    readUint32(header, MAGIC.length + at),
  );
  const kdf = { algorithm: "argon2id", memory_kib, passes, lanes, salt: header.subarray(MAGIC.length + 12) };
  try {
    judge(kdf);
    return kdf;
  } catch (error) {
    throw error instanceof EncryptionError ? damaged() : error; // no export of ours asks for so much or so little
  }
}

function nonceOf(number: number, isLast: boolean): Uint8Array {
  return concat(uint64(number), Uint8Array.of(0, 0, 0, isLast ? 1 : 0));
}

async function bytesOf(file: Blob, from: number, count: number): Promise<Uint8Array> {
  const raw = new Uint8Array(await file.slice(from, from + count).arrayBuffer());
  if (raw.length < count) throw damaged();
  return raw;
}

function damaged(): ExportRefused {
  return new ExportRefused("The password is another one, or the file was changed or cut off.");
}
