/**
 * Some durable frames as one piece of work: stored by one transaction, once all is known by which they are judged.
 */

import type { Conversation } from "../store/conversations.ts";
import type { ServerFrames } from "../wire/frames.ts";
import { judgesOwn } from "./approval.ts";
import type { Batch } from "./batch.ts";
import { takeChange } from "./changes.ts";
import { takeMessage } from "./receiving.ts";
import { rostersOf } from "./rosters.ts";
import { settle } from "./settling.ts";
import type { Store } from "./vault.ts";

export type Durable = ServerFrames["sent" | "message" | "change"];
type Sent = ServerFrames["sent"];
/** A user and a device. */
export type Sender = readonly [userId: string, deviceId: string];

/** What was asked of the server for a run, and is not asked again: what is lacking by then stays so. */
export class Asked {
  readonly conversations = new Set<string>();
  readonly names = new Set<string>();
  /** Devices, with their users. */
  readonly senders = new Set<string>();
  readonly users = new Set<string>();
  readonly filled: Set<string>;

  constructor(filled: Iterable<string> = []) {
    this.filled = new Set(filled);
  }
}

/** What has to be asked of the server before a run can be judged. */
export interface Lacks {
  readonly done: false;
  readonly conversations: readonly string[];
  readonly users: readonly string[];
  readonly senders: readonly Sender[];
  readonly holes: ReadonlyMap<string, readonly number[]>;
}

/**
 * What was stored: the frames, and how far the changes of each conversation have come. `rest` is judged anew: in
 * between this device was approved.
 */
export interface Taken {
  readonly done: true;
  readonly frames: readonly Durable[];
  readonly changes: ReadonlyMap<string, number>;
  readonly rest: readonly Durable[];
}

/** How a sender is called in what was asked. */
export function senderName([userId, deviceId]: Sender): string {
  return `${userId}/${deviceId}`;
}

/**
 * Take a run in, if nothing lacks that was not asked for. Conversations that are gone for this user, or were refused,
 * are passed over. Behind.
 */
export async function attempt(
  store: Store,
  batch: Batch,
  given: readonly Durable[],
  asked: Asked,
): Promise<Lacks | Taken> {
  const none = { done: false, conversations: [], users: [], senders: [], holes: new Map() } as const;
  const rows = new Map<string, Conversation>();
  const unknown: string[] = [];
  for (const one of new Set(given.map((frame) => frame.conversation_id))) {
    const row = await store.conversations.get(one);
    if (row !== undefined) rows.set(one, row);
    else if (!asked.conversations.has(one)) unknown.push(one);
  }
  if (unknown.length > 0) return { ...none, conversations: unknown };
  const run = given.filter((one) => rows.has(one.conversation_id));
  const senders = await sendersOf(store, run);
  const users = [...senders.map(([userId]) => userId), ...usersOf(run)];
  const nameless = (await store.people.nameless(users)).filter((one) => !asked.names.has(one));
  const waiting = !(await judgesOwn(store));
  const me = await store.userId();
  const strange: Sender[] = [];
  for (const sender of senders) {
    const [userId, deviceId] = sender;
    if (asked.senders.has(senderName(sender))) continue;
    const isKnown = (await store.known(userId)).deviceIds.includes(deviceId);
    if (!isKnown || (waiting && userId === me)) strange.push(sender);
  }
  const holes = new Map<string, readonly number[]>();
  for (const [conversationId, seqs] of await seqsOf(store, run)) {
    const row = rows.get(conversationId);
    if (asked.filled.has(conversationId) || row === undefined) continue;
    const found = await holesOf(store, row, seqs);
    if (found.length > 0) holes.set(conversationId, found);
  }
  if (nameless.length > 0 || strange.length > 0 || holes.size > 0) {
    return { ...none, users: nameless, senders: strange, holes };
  }
  return take(store, batch, run);
}

async function take(store: Store, batch: Batch, run: readonly Durable[]): Promise<Taken> {
  const changes = new Map<string, number>();
  // Answers first: an own message's place is no hole for what comes after it.
  const isAnswer = (one: Durable): boolean => one.type === "sent";
  const frames = [...run.filter(isAnswer), ...run.filter((one) => !isAnswer(one))];
  for (const [at, one] of frames.entries()) {
    if (batch.approved) return { done: true, frames: frames.slice(0, at), changes, rest: frames.slice(at) };
    if (one.type === "message") {
      await takeMessage(store, batch, one);
    } else if (one.type === "change") {
      await takeChange(store, one.conversation_id, one);
      changes.set(one.conversation_id, Math.max(one.change, changes.get(one.conversation_id) ?? 0));
    } else {
      const queued = await store.outbox.get(one.ref);
      if (queued?.conversation_id === one.conversation_id && queued.attempts > 0) {
        await settle(store, batch, queued, one.seq, one.created_at);
      }
    }
  }
  return { done: true, frames, changes, rest: [] };
}

/** Whose messages come, each device once; not this one's. */
async function sendersOf(store: Store, run: readonly Durable[]): Promise<Sender[]> {
  const own = await store.deviceId();
  const found = new Map<string, Sender>();
  for (const one of run) {
    if (one.type !== "message" || one.sender_id === null || one.sender_device_id === own) continue;
    const sender: Sender = [one.sender_id, one.sender_device_id];
    found.set(senderName(sender), sender);
  }
  return [...found.values()];
}

function usersOf(run: readonly Durable[]): string[] {
  return run.flatMap((one) =>
    one.type === "change" ? [one.actor_id, one.user_id].filter((user) => typeof user === "string") : [],
  );
}

/**
 * The places that come, by conversation; below them nothing may be missing. An own change of a roster has to know
 * what came before it, too.
 */
async function seqsOf(store: Store, run: readonly Durable[]): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const one of run) {
    if (one.type === "change" || (one.type === "sent" && !(await changesRoster(store, one)))) continue;
    found.set(one.conversation_id, [...(found.get(one.conversation_id) ?? []), one.seq]);
  }
  for (const one of run) {
    if (one.type !== "sent") continue;
    const seqs = found.get(one.conversation_id);
    if (seqs !== undefined && one.seq < Math.max(...seqs)) seqs.push(one.seq);
  }
  return found;
}

async function changesRoster(store: Store, answer: Sent): Promise<boolean> {
  return (await rostersOf(store, answer.conversation_id)).underWay.includes(answer.ref);
}

async function holesOf(store: Store, row: Conversation, seqs: readonly number[]): Promise<number[]> {
  const { place, conversation_id } = row;
  if (place === null) return [];
  const here = new Set(seqs.filter((seq) => seq > place));
  const top = Math.max(place, ...here);
  if (here.size === 0 || here.size === top - place) return [];
  return (await store.places.holes(conversation_id, place, top)).filter((seq) => !here.has(seq));
}
