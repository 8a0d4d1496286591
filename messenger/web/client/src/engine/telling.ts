/** Telling the page what is wrong with a message, and how a group's roster has changed. */

import type { RosterMember } from "../e2e/bodies.ts";
import { type Roster, sameMember } from "../e2e/roster.ts";
import { same } from "../e2e/primitives.ts";
import type { Message } from "../wire/conversations.ts";
import type { Durable, RosterChangeKind, WarningKind } from "./events.ts";
import type { Store } from "./vault.ts";

/** Write a durable event. */
export function tell(store: Store, event: Durable): Promise<void> {
  return store.tell(event);
}

/** Who and where a warning is about; what is left out does not apply. */
export interface About {
  readonly conversation_id?: string;
  readonly user_id?: string | null;
  readonly device_id?: string | null;
  readonly seq?: number | null;
}

/** Write a warning about a message as the server presents it; `count` for a kind that counts. */
export function warn(
  store: Store,
  message: Message,
  kind: WarningKind,
  reason: string,
  detail: string,
  count?: number,
): Promise<void> {
  const { conversation_id, sender_id, sender_device_id, seq } = message;
  const about = { conversation_id, user_id: sender_id, device_id: sender_device_id, seq };
  return warnOf(store, kind, reason, detail, about, count);
}

/** Write a warning about somebody in a conversation. */
export async function warnOf(
  store: Store,
  kind: WarningKind,
  reason: string,
  detail: string,
  about: About,
  count?: number,
): Promise<void> {
  const { conversation_id = null, user_id, device_id = null, seq = null } = about;
  await tell(store, {
    event: kind,
    conversation_id,
    user_id: user_id ?? null,
    username: user_id === undefined ? null : await store.people.name(user_id),
    device_id,
    seq,
    reason,
    detail,
    ...(count === undefined ? {} : { count }),
  });
}

/** Tell of a roster that is new here, member by member. */
export async function tellMade(store: Store, roster: Roster, by: string): Promise<void> {
  for (const entry of roster.members) await tellMember(store, roster.conversationId, entry, "made", by);
}

/** Tell what a change of a roster has changed. */
export async function tellDifferences(
  store: Store,
  before: Roster,
  after: Roster,
  by: string,
): Promise<void> {
  const of = after.conversationId;
  for (const entry of before.members) {
    if (after.member(entry.user_id) !== undefined) continue;
    await tellMember(store, of, entry, entry.user_id === by ? "left" : "removed", by);
  }
  for (const entry of after.members) {
    const old = before.member(entry.user_id);
    if (old === undefined) await tellMember(store, of, entry, "added", by);
    else if (!same(old.account_key, entry.account_key)) await tellMember(store, of, entry, "confirmed", by);
    else if (!sameMember(old, entry)) await tellMember(store, of, entry, "role_changed", by);
  }
}

/** Tell of one member. */
export async function tellMember(
  store: Store,
  conversationId: string,
  entry: RosterMember,
  change: RosterChangeKind,
  by: string | null,
): Promise<void> {
  await tell(store, {
    event: "roster_changed",
    conversation_id: conversationId,
    user_id: entry.user_id,
    username: await store.people.name(entry.user_id),
    change,
    role: change === "removed" || change === "left" ? null : entry.role,
    by,
  });
}
