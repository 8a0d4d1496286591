/** A conversation's messages as rows: days, where the new ones begin, messages in groups, and what can't be opened yet. */

import type { ShownMessage } from "../../worker/protocol.ts";
import type { Unopened } from "../../worker/listing.ts";

export type Row =
  | { readonly kind: "day"; readonly key: string; readonly at: number }
  | { readonly kind: "new"; readonly key: string }
  | { readonly kind: "unopened"; readonly key: string; readonly sender: string }
  | {
      readonly kind: "message";
      readonly key: string;
      readonly message: ShownMessage;
      /** Whether the one before, and the one after, is somebody else's, or of another time. */
      readonly isFirst: boolean;
      readonly isLast: boolean;
    };

/** Milliseconds between two messages of one group, at most. */
const GROUPED = 300_000;
const LAST = Number.MAX_SAFE_INTEGER;

/** When a message was written: by the server's clock, or where it has no place yet by this device's. */
export function momentOf({ created_at, sent_at }: ShownMessage): number {
  const moment = Date.parse(created_at ?? sent_at);
  return Number.isNaN(moment) ? 0 : moment;
}

/** As the store has them: by place, those without one last. */
function order(one: ShownMessage, other: ShownMessage): number {
  const places = (one.seq ?? LAST) - (other.seq ?? LAST);
  return places === 0 ? one.id - other.id : places;
}

/** What is known, with messages that are new or other than before. */
export function merged(
  known: readonly ShownMessage[],
  fresh: readonly ShownMessage[],
): readonly ShownMessage[] {
  if (fresh.length === 0) return known;
  const all = new Map(known.map((one) => [one.id, one]));
  for (const one of fresh) all.set(one.id, one);
  return [...all.values()].sort(order);
}

/** What is known, where these are its last ones now: others that stood among them are gone. */
export function retold(
  known: readonly ShownMessage[],
  tail: readonly ShownMessage[],
): readonly ShownMessage[] {
  const [first] = tail;
  if (first === undefined) return [];
  return [
    ...known.filter((one) => order(one, first) < 0 && !tail.some((other) => other.id === one.id)),
    ...tail,
  ];
}

function dayOf(moment: number): number {
  return new Date(moment).setHours(0, 0, 0, 0);
}

/**
 * The rows. `readSeq` is what had been read when the conversation was opened; above the first message of others behind
 * it stands where the new ones begin. `isWhole`: nothing lies before the first message.
 */
export function rowsOf(
  messages: readonly ShownMessage[],
  unopened: readonly Unopened[],
  readSeq: number | null,
): Row[] {
  const rows: Row[] = [];
  const closed = [...unopened].sort((one, other) => one.seq - other.seq);
  const [oldest] = messages;
  // Those before the first message that is shown come with what lies there.
  let at = closed.findIndex((one) => oldest === undefined || one.seq > (oldest.seq ?? LAST));
  if (at < 0) at = closed.length;
  let isNewTold = readSeq === null;
  let before: { readonly sender: string; readonly moment: number } | undefined;
  const closedBelow = (seq: number): void => {
    for (; at < closed.length; at += 1) {
      const one = closed[at];
      if (one === undefined || one.seq >= seq) return;
      rows.push({ kind: "unopened", key: `unopened ${String(one.seq)}`, sender: one.sender });
      before = undefined;
    }
  };
  for (const [index, message] of messages.entries()) {
    const moment = momentOf(message);
    closedBelow(message.seq ?? LAST);
    if (before === undefined || dayOf(before.moment) !== dayOf(moment)) {
      const day = dayOf(moment);
      const last = rows.findLast((one) => one.kind === "day");
      // After a message that can't be opened the day goes on.
      if (last?.kind !== "day" || last.at !== day) {
        // By clocks that went back a day comes twice.
        const times = rows.filter((one) => one.kind === "day" && one.at === day).length;
        rows.push({ kind: "day", key: `day ${String(day)} ${String(times)}`, at: day });
        before = undefined;
      }
    }
    if (!isNewTold && !message.outgoing && message.seq !== null && message.seq > (readSeq ?? 0)) {
      isNewTold = true;
      // Where all of it is new there is nothing to be told apart.
      if (index > 0) rows.push({ kind: "new", key: "new" });
      before = undefined;
    }
    rows.push({
      kind: "message",
      key: `message ${String(message.id)}`,
      message,
      isFirst: !(before !== undefined && isOneGroup(before, message)),
      isLast: !isGroupedWithNext(messages, index),
    });
    before = { sender: message.sender_id, moment };
  }
  closedBelow(Number.POSITIVE_INFINITY);
  return rows;
}

function isOneGroup(
  before: { readonly sender: string; readonly moment: number },
  message: ShownMessage,
): boolean {
  return before.sender === message.sender_id && momentOf(message) - before.moment < GROUPED;
}

function isGroupedWithNext(messages: readonly ShownMessage[], index: number): boolean {
  const [here, next] = [messages[index], messages[index + 1]];
  if (here === undefined || next === undefined) return false;
  const moment = momentOf(here);
  return dayOf(moment) === dayOf(momentOf(next)) && isOneGroup({ sender: here.sender_id, moment }, next);
}

export type Tick = "queued" | "sent" | "delivered" | "read" | "failed";

/** How far an own message has come; null for what others have written. */
export function tickOf(
  { outgoing, state, seq }: ShownMessage,
  { delivered, read }: { readonly delivered: number; readonly read: number },
): Tick | null {
  if (!outgoing || state === "deleted") return null;
  if (state === "failed" || state === "queued") return state;
  if (seq === null) return "sent";
  if (seq <= read) return "read";
  return seq <= delivered ? "delivered" : "sent";
}
