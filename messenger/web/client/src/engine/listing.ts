/** What the server says of conversations and their members, written down as far as it holds. */

import type { Member, SaidConversation } from "../store/conversations.ts";
import type { Conversation as Said, Member as SaidMember } from "../wire/conversations.ts";
import { tell, warnOf } from "./telling.ts";
import { retitle } from "./titles.ts";
import type { Store } from "./vault.ts";

/** How a conversation is meant by who asks for it. */
export interface Meant {
  /** Whom a direct conversation was asked for with. */
  readonly peer?: string;
  /** It is that of one's own devices. */
  readonly own?: boolean;
  /** Opens its name. */
  readonly key?: Uint8Array;
}

/** Write down a conversation, and tell of a new one. */
export async function takeConversation(
  store: Store,
  said: Said,
  members: readonly SaidMember[],
  meant: Meant = {},
): Promise<void> {
  const { conversation_id } = said;
  let peer: string | undefined;
  if (said.type === "direct") {
    peer = await peerOf(store, said, members, meant.peer);
    if (peer === undefined) return;
  }
  const isNew = await store.conversations.take(stored(said));
  const row = await store.conversations.get(conversation_id);
  if (row === undefined) return;
  if (row.type === "direct" && row.peer_id === null && peer !== undefined) {
    const title = await store.people.name(peer);
    await store.conversations.set(conversation_id, { peer_id: peer, title });
  } else if (meant.own === true || row.type === "self") {
    await store.conversations.set(conversation_id, { type: "self" });
    return;
  } else if (row.type === "group") {
    await retitle(store, conversation_id, said.metadata, meant.key ?? row.metadata_key);
  }
  await takeMembers(store, conversation_id, members, isNew);
  if (!isNew) return;
  const { title = "" } = (await store.conversations.get(conversation_id)) ?? {};
  await tell(store, { event: "conversation_added", conversation_id, title });
}

function stored(said: Said): SaidConversation {
  const { conversation_id, type, metadata, message_ttl, role, created_at, updated_at, read_seq } = said;
  const ended = said.ended_at !== null;
  return { conversation_id, type, metadata, message_ttl, role, created_at, updated_at, read_seq, ended };
}

/**
 * Whom a direct conversation is with: the one that is pinned, else whom it was asked for with, else who opened it.
 * `undefined`, and told, where the server says another thing than before.
 */
async function peerOf(
  store: Store,
  said: Said,
  members: readonly SaidMember[],
  asked: string | undefined,
): Promise<string | undefined> {
  const me = await store.userId();
  const row = await store.conversations.get(said.conversation_id);
  const others = members.map((one) => one.user_id).filter((one) => one !== me);
  const pinned = row?.peer_id ?? asked;
  const peer = pinned ?? (others.length === 1 ? others[0] : undefined);
  if (peer === undefined) {
    if (others.length > 0) {
      const detail = "The server gives a direct conversation more than two members.";
      await refuse(store, said.conversation_id, "members", detail);
    }
    return undefined;
  }
  if (row === undefined && (await hasDirect(store, peer, said.conversation_id))) {
    const name = await store.people.name(peer);
    const detail = `The server gives out a second direct conversation with ${name}.`;
    await refuse(store, said.conversation_id, "second_direct", detail);
    return undefined;
  }
  if (others.some((one) => one !== peer)) {
    const detail = "The server lists somebody in a direct conversation who is not in it.";
    await refuse(store, said.conversation_id, "members", detail);
  }
  return peer;
}

async function hasDirect(store: Store, peer: string, but: string): Promise<boolean> {
  return (await store.conversations.all()).some(
    (one) => one.type === "direct" && one.peer_id === peer && one.conversation_id !== but && !one.ended,
  );
}

async function refuse(store: Store, conversation_id: string, reason: string, detail: string): Promise<void> {
  const told = `audience/${conversation_id}`;
  if ((await store.account.get(told)) === reason) return;
  store.account.set(told, reason);
  await warnOf(store, "audience_refused", reason, detail, { conversation_id });
}

/** Write down who is in a conversation; who came or went without a change that says so is told, unless `quiet`. */
export async function takeMembers(
  store: Store,
  conversationId: string,
  said: readonly SaidMember[],
  quiet = false,
): Promise<void> {
  const before = new Set((await store.conversations.members(conversationId)).map(userOf));
  await store.conversations.takeMembers(conversationId, said);
  const after = new Map(said.map((one) => [one.user_id, one.role]));
  if (quiet) return;
  const gone = [...before].filter((one) => !after.has(one));
  const come = [...after.keys()].filter((one) => !before.has(one));
  for (const user_id of [...gone, ...come].sort()) {
    await tell(store, {
      event: "membership_changed",
      conversation_id: conversationId,
      user_id,
      username: await store.people.name(user_id),
      change: after.has(user_id) ? "added" : "removed",
      role: after.get(user_id) ?? null,
      actor_id: null,
      actor: null,
    });
  }
}

function userOf(member: Member): string {
  return member.user_id;
}
