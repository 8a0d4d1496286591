/** Conversations as the page asks for them: the direct one with somebody, a new group, what is known of all. */

import { sealConversationMetadata } from "../e2e/metadata.ts";
import { same, systemRandom } from "../e2e/primitives.ts";
import type { Conversation } from "../store/conversations.ts";
import { usersOf } from "./audience.ts";
import type { Engine } from "./core.ts";
import { ContactConflict, NotApproved, UnknownConversation } from "./errors.ts";
import { type Event, isWarning } from "./events.ts";
import { Group } from "./group.ts";
import { checkKnown, makeFirst } from "./membership.ts";

const MOST_LOOKED_AT = 10_000; // events

/** A conversation that is known. UnknownConversation. */
export async function conversation(engine: Engine, conversationId: string): Promise<Conversation> {
  const row = await engine.vault.run((store) => store.conversations.get(conversationId));
  if (row === undefined) throw new UnknownConversation();
  return row;
}

/**
 * The id of the direct conversation with a user, made if it is not there.
 *
 * UnknownUser, Refused (blocked), ContactConflict where the server answers with somebody else.
 */
export async function direct(engine: Engine, name: string): Promise<string> {
  const username = name.trim().toLowerCase();
  const known = await engine.vault.run(async (store) => {
    const userId = await store.people.userNamed(username);
    const rows = await store.conversations.all();
    return userId === undefined
      ? undefined
      : rows.find((one) => one.type === "direct" && !one.ended && one.peer_id === userId);
  });
  if (known !== undefined) return known.conversation_id;
  const peer = await engine.asking.user(username);
  const said = await engine.api.createConversation({ type: "direct", members: [peer] });
  const conflict = (what: string): ContactConflict =>
    new ContactConflict(`The server answers with ${what} ${username}.`);
  if (said.type !== "direct") throw conflict("a group for the conversation with");
  await engine.asking.take(said, { peer });
  const row = await engine.vault.run((store) => store.conversations.get(said.conversation_id));
  if (row?.peer_id !== peer) throw conflict("another conversation than that with");
  return said.conversation_id;
}

/**
 * The id of a new group with these members, and this user as its owner. Who may ask twice gives a `clientId`, a UUID:
 * the group that was made under it is not made again.
 *
 * UnknownUser, Refused; MembershipRefused for a user who has no account key yet, NotApproved.
 */
export async function createGroup(
  engine: Engine,
  title: string,
  usernames: readonly string[],
  clientId: string = crypto.randomUUID(),
): Promise<string> {
  if (!engine.approved) throw new NotApproved();
  const made = await engine.vault.run((store) => store.account.get(`group/${clientId}`));
  if (made !== undefined) return made;
  const members: string[] = [];
  for (const one of usernames) members.push(await engine.asking.user(one));
  await engine.asking.ensureFresh(members);
  await engine.vault.run((store) => checkKnown(store, members));
  const key = systemRandom(32);
  const metadata = sealConversationMetadata(key, { name: title, description: "" });
  const said = await engine.api.createConversation({
    ...{ type: "group", members, metadata, client_id: clientId },
  });
  if (said.type !== "group") {
    throw new ContactConflict("The server answers with another conversation than a new group.");
  }
  await engine.vault.run(async (store) => {
    await makeFirst(store, said.conversation_id, members);
    store.account.set(`group/${clientId}`, said.conversation_id);
  });
  const group = new Group(engine, said.conversation_id);
  if (said.metadata === null || !same(said.metadata, metadata)) {
    // It was made before, and nothing here has the key of the name that it was given then.
    await engine.asking.take(said);
    await group.rename(title);
    return said.conversation_id;
  }
  await engine.asking.take(said, { key });
  if (members.length > 0) await group.shareTitle();
  return said.conversation_id;
}

/**
 * What there is to know before anything is sent: the members' keys are asked for anew, and what the rules found about
 * this conversation or its members is given, once, as far as no page has handled it. The events stay unhandled.
 * NetError.
 */
export async function look(engine: Engine, conversationId: string): Promise<Event[]> {
  const { vault, asking, facts } = engine;
  const about = await vault.run(async (store) => {
    const row = await store.conversations.get(conversationId);
    return row === undefined ? new Set<string>() : usersOf(store, row);
  });
  about.delete(facts.userId);
  await asking.ensureFresh([...about].sort());
  return vault.run(async (store) => {
    const looked = `looked/${conversationId}`;
    const position = Math.max(await store.journal.handled(), Number((await store.account.get(looked)) ?? 0));
    const found = (await store.journal.after(position, MOST_LOOKED_AT)) as unknown as Event[];
    const last = found.at(-1);
    if (last !== undefined) store.account.set(looked, String(last.position));
    return found.filter((one) => {
      const isOfThem = "user_id" in one && one.user_id !== null && about.has(one.user_id);
      if (one.event === "identity_changed") return isOfThem;
      const isHere = "conversation_id" in one && one.conversation_id === conversationId;
      return isWarning(one) && (isHere || isOfThem);
    });
  });
}

/** The user has read a conversation up to a place, or everything. */
export async function markRead(engine: Engine, conversationId: string, upTo?: number): Promise<void> {
  const seq = await engine.vault.run(async (store) => {
    const row = await store.conversations.get(conversationId);
    if (row === undefined) throw new UnknownConversation();
    const read_seq = Math.max(row.read_seq, upTo ?? row.place ?? 0);
    await store.conversations.set(conversationId, { read_seq });
    return read_seq;
  });
  engine.connection.say({ type: "read", conversation_id: conversationId, seq });
}

/** The user is typing, or has stopped. Lapses after 6 s; goes nowhere while there is no connection. */
export function typing(engine: Engine, conversationId: string, isTyping = true): void {
  engine.connection.say({ type: "typing", conversation_id: conversationId, is_typing: isTyping });
}

/** How this device wishes to be seen. Goes nowhere while there is no connection. */
export function setPresence(engine: Engine, status: "online" | "away"): void {
  engine.connection.say({ type: "presence", status });
}
