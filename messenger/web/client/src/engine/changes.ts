/** What the server says has happened to a conversation besides messages: written down, and told once. */

import type { Change } from "../wire/conversations.ts";
import { gone } from "./order.ts";
import { tell } from "./telling.ts";
import { retitle } from "./titles.ts";
import type { Store } from "./vault.ts";

/** Take one change in; one that came before changes nothing. The conversation is known. */
export async function takeChange(store: Store, conversationId: string, change: Change): Promise<void> {
  const row = await store.conversations.get(conversationId);
  if (row === undefined || (row.change_place !== null && change.change <= row.change_place)) return;
  await store.conversations.set(conversationId, { change_place: change.change });
  switch (change.event) {
    case "member_added":
    case "member_removed":
    case "role_changed":
      await takeMember(store, conversationId, change);
      break;
    case "updated":
      await takeUpdate(store, conversationId, change);
      break;
    case "deleted":
      if (change.seq !== undefined) await gone(store, conversationId, change.seq);
      break;
    case "ended":
      await store.conversations.set(conversationId, { ended: true });
      await tell(store, { event: "conversation_ended", conversation_id: conversationId });
      break;
    default: // one that a newer server knows
  }
}

async function takeMember(store: Store, conversationId: string, change: Change): Promise<void> {
  const { user_id, role = null, actor_id, event } = change;
  if (user_id === undefined) return;
  const members = await store.conversations.members(conversationId);
  const known = members.find((one) => one.user_id === user_id);
  const own = user_id === (await store.userId());
  let what: "added" | "removed" | "left" | "role_changed";
  let news: boolean;
  if (event === "member_removed") {
    what = actor_id === user_id ? "left" : "removed";
    news = known !== undefined;
    await store.conversations.dropMember(conversationId, user_id);
    if (own) {
      await store.conversations.set(conversationId, { ended: true, left: true });
      await tell(store, { event: "conversation_ended", conversation_id: conversationId });
    }
  } else {
    const given = role ?? "member";
    what = event === "member_added" ? "added" : "role_changed";
    news = known?.role !== given;
    await store.conversations.putMember(conversationId, user_id, given, change.created_at);
    if (own) {
      await store.conversations.set(conversationId, { role: given });
      // The server must not pass places over in silence.
      if (what === "added" && (await comeBack(store, conversationId, change.at_seq))) news = true;
    }
  }
  if (!news) return;
  await tell(store, {
    event: "membership_changed",
    conversation_id: conversationId,
    user_id,
    username: await store.people.name(user_id),
    change: what,
    role,
    actor_id,
    actor: await store.people.name(actor_id),
  });
}

/**
 * Added, perhaps again: what was said before is not for this user; gives whether places are passed over.
 *
 * Whether it was away can't be seen here: a device that was offline has not heard of it.
 */
async function comeBack(store: Store, conversationId: string, atSeq: number): Promise<boolean> {
  const row = await store.conversations.get(conversationId);
  if (row === undefined) return false;
  const place = row.place === null ? null : Math.max(row.place, atSeq);
  await store.conversations.set(conversationId, {
    place,
    ...(row.left ? { ended: false, left: false } : {}),
  });
  return place !== row.place;
}

async function takeUpdate(store: Store, conversationId: string, change: Change): Promise<void> {
  const row = await store.conversations.get(conversationId);
  const said = change.conversation;
  if (row === undefined || said === undefined) return;
  const { message_ttl, metadata } = said;
  if (message_ttl !== undefined && message_ttl !== row.message_ttl) {
    await store.conversations.set(conversationId, { message_ttl });
    await tell(store, { event: "conversation_updated", conversation_id: conversationId, title: row.title });
  }
  if (metadata === undefined || metadata === null) return;
  // Kept though it does not open: its key may come with the next message.
  await store.conversations.set(conversationId, { metadata });
  await retitle(store, conversationId, metadata, row.metadata_key);
}
