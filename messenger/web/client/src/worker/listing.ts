/** Conversations as a list shows them: with whom, what was said last, how far it was read. */

import type { Engine } from "../engine/core.ts";
import type { Store } from "../engine/vault.ts";
import { ResendRequests } from "../e2e/resend.ts";
import type { Conversation } from "../store/conversations.ts";
import type { Message } from "../store/messages.ts";

/** A message, and its sender's name. */
export type ShownMessage = Message & { readonly sender: string };

/** A place whose message could not be opened yet; it was asked for again. */
export interface Unopened {
  readonly seq: number;
  readonly sender: string;
}

export type ShownConversation = Conversation & {
  /** The name of whom a direct one is with. */
  readonly peer: string | null;
  readonly last: ShownMessage | null;
  readonly unread: number;
  /** The place up to which everybody else has it, and has read it. */
  readonly delivered: number;
  readonly read: number;
  readonly unopened: readonly Unopened[];
};

export function shownConversations({ vault, facts }: Engine): Promise<ShownConversation[]> {
  return vault.run(async (store) => {
    const asked = (await store.states.get(ResendRequests, "own"))?.pending ?? [];
    const found: ShownConversation[] = [];
    for (const row of await store.conversations.shown()) {
      const { conversation_id, peer_id, read_seq } = row;
      const [last] = await store.messages.history(conversation_id, 1);
      const members = await store.conversations.members(conversation_id);
      const others = members.filter((one) => one.user_id !== facts.userId);
      const least = (of: (one: (typeof others)[number]) => number): number =>
        others.length === 0 ? 0 : Math.min(...others.map(of));
      const unopened: Unopened[] = [];
      for (const { said, seq } of asked) {
        const isHere = said.conversation_id === conversation_id;
        if (isHere) unopened.push({ seq, sender: await store.people.name(said.sender_id) });
      }
      found.push({
        ...row,
        peer: peer_id === null ? null : await store.people.name(peer_id),
        last: last === undefined ? null : await named(store, last),
        unread: await store.messages.unread(conversation_id, read_seq),
        delivered: least((one) => Math.max(one.delivered_seq, one.read_seq)),
        read: least((one) => one.read_seq),
        unopened,
      });
    }
    return found;
  });
}

export async function named(store: Store, message: Message): Promise<ShownMessage> {
  return { ...message, sender: await store.people.name(message.sender_id) };
}
