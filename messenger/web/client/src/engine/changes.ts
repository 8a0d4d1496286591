/** What the server says has happened to a conversation besides messages: written down, and told once. */

import type { Change } from "../wire/conversations.ts";
import { gone } from "./order.ts";
import { tell } from "./telling.ts";
import { retitle } from "./titles.ts";
import type { Shelf } from "./vault.ts";

/** Take one change in; one that came before changes nothing. The conversation is known. */
export async function takeChange(shelf: Shelf, conversationId: string, change: Change): Promise<void> {
  const row = await shelf.conversations.get(conversationId);
  if (row === undefined || (row.change_place !== null && change.change <= row.change_place)) return;
  await shelf.conversations.set(conversationId, { change_place: change.change });
  switch (change.event) {
    case "member_added":
    case "member_removed":
    case "role_changed":
      await takeMember(shelf, conversationId, change);
      break;
    case "updated":
      await takeUpdate(shelf, conversationId, change);
      break;
    case "deleted":
      if (change.seq !== undefined) await gone(shelf, conversationId, change.seq);
      break;
    case "ended":
      await shelf.conversations.set(conversationId, { ended: true });
      await tell(shelf, { event: "conversation_ended", conversation_id: conversationId });
      break;
    default: // one that a newer server knows
  }
}

async function takeMember(shelf: Shelf, conversationId: string, change: Change): Promise<void> {
  const { user_id, role = null, actor_id, event } = change;
  if (user_id === undefined) return;
  const members = await shelf.conversations.members(conversationId);
  const known = members.find((one) => one.user_id === user_id);
  const own = user_id === (await shelf.userId());
  let what: "added" | "removed" | "left" | "role_changed";
  let news: boolean;
  if (event === "member_removed") {
    what = actor_id === user_id ? "left" : "removed";
    news = known !== undefined;
    await shelf.conversations.dropMember(conversationId, user_id);
    if (own) {
      await shelf.conversations.set(conversationId, { ended: true, left: true });
      await tell(shelf, { event: "conversation_ended", conversation_id: conversationId });
    }
  } else {
    const given = role ?? "member";
    what = event === "member_added" ? "added" : "role_changed";
    news = known?.role !== given;
    await shelf.conversations.putMember(conversationId, user_id, given, change.created_at);
    if (own) {
      await shelf.conversations.set(conversationId, { role: given });
      // The server must not pass places over in silence.
      if (what === "added" && (await comeBack(shelf, conversationId, change.at_seq))) news = true;
    }
  }
  if (!news) return;
  await tell(shelf, {
    event: "membership_changed",
    conversation_id: conversationId,
    user_id,
    username: await shelf.people.name(user_id),
    change: what,
    role,
    actor_id,
    actor: await shelf.people.name(actor_id),
  });
}

/**
 * Added, perhaps again: what was said before is not for this user; gives whether places are passed over.
 *
 * Whether it was away can't be seen here: a device that was offline has not heard of it.
 */
async function comeBack(shelf: Shelf, conversationId: string, atSeq: number): Promise<boolean> {
  const row = await shelf.conversations.get(conversationId);
  if (row === undefined) return false;
  const place = row.place === null ? null : Math.max(row.place, atSeq);
  await shelf.conversations.set(conversationId, {
    place,
    ...(row.left ? { ended: false, left: false } : {}),
  });
  return place !== row.place;
}

async function takeUpdate(shelf: Shelf, conversationId: string, change: Change): Promise<void> {
  const row = await shelf.conversations.get(conversationId);
  const said = change.conversation;
  if (row === undefined || said === undefined) return;
  const { message_ttl, metadata } = said;
  if (message_ttl !== undefined && message_ttl !== row.message_ttl) {
    await shelf.conversations.set(conversationId, { message_ttl });
    await tell(shelf, { event: "conversation_updated", conversation_id: conversationId, title: row.title });
  }
  if (metadata === undefined || metadata === null) return;
  // Kept though it does not open: its key may come with the next message.
  await shelf.conversations.set(conversationId, { metadata });
  await retitle(shelf, conversationId, metadata, row.metadata_key);
}
