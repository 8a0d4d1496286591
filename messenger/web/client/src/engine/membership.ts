/**
 * Changes of a group's roster: its first version, others' changes, and one's own, done again where others came
 * before.
 */

import { AccountKey } from "../e2e/account.ts";
import type { Role, RosterChange, RosterMember } from "../e2e/bodies.ts";
import { EncryptionError, NotInAudience, RosterRefused } from "../e2e/errors.ts";
import { MAX_MEMBERS, Roster } from "../e2e/roster.ts";
import { type Changed, type Intent, Rosters } from "../e2e/rosters.ts";
import type { Queued } from "../store/outbox.ts";
import type { Message } from "../wire/conversations.ts";
import type { Batch } from "./batch.ts";
import { ContactConflict, MembershipRefused } from "./errors.ts";
import { goAway } from "./order.ts";
import { queue } from "./queueing.ts";
import { rostersOf } from "./rosters.ts";
import { tellDifferences, warn, warnOf } from "./telling.ts";
import type { Store } from "./vault.ts";

// beginnings

/** MembershipRefused for a user without an account key, whom nobody could vouch for, or too many. */
export async function checkKnown(store: Store, userIds: readonly string[]): Promise<void> {
  if (new Set([await store.userId(), ...userIds]).size > MAX_MEMBERS) {
    throw new MembershipRefused(`A group has at most ${String(MAX_MEMBERS)} members.`);
  }
  try {
    for (const userId of userIds) await entryOf(store, userId, "member");
  } catch (error) {
    throw error instanceof NotInAudience ? new MembershipRefused(error.message) : error;
  }
}

/**
 * The creator's roster of a new group, with these others as members, who were checked. ContactConflict where the
 * server answers with a group that has a roster, or with what is known as no group.
 */
export async function makeFirst(
  store: Store,
  conversationId: string,
  userIds: readonly string[],
): Promise<void> {
  const row = await store.conversations.get(conversationId);
  const known = (await rostersOf(store, conversationId)).current;
  if (known !== undefined || (row !== undefined && row.type !== "group")) {
    throw new ContactConflict("The server answers with another conversation than a new group.");
  }
  const me = await store.userId();
  const entries = [await entryOf(store, me, "owner")];
  for (const userId of userIds) if (userId !== me) entries.push(await entryOf(store, userId, "member"));
  const rosters = Rosters.none(conversationId);
  rosters.begin(Roster.of(conversationId, 1, entries), 0);
  store.states.save(conversationId, rosters);
}

/** A user under the account key that is known. NotInAudience where none is. */
export async function entryOf(store: Store, userId: string, role: Role): Promise<RosterMember> {
  const known = await store.known(userId);
  const own = userId === (await store.userId());
  const key = own ? (await store.states.get(AccountKey, "own"))?.public : known.accountKey;
  if (key === undefined || key === null || known.refused) {
    const name = await store.people.name(userId);
    throw new NotInAudience(`${name} has no account key that could be vouched for.`);
  }
  return { user_id: userId, account_key: key, role };
}

// changes

/** What is done; `undefined` where the encryption refuses it. */
function unlessRefused<T>(done: () => T, refused: (error: EncryptionError) => void): T | undefined {
  try {
    return done();
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    refused(error);
    return undefined;
  }
}

/** Take a change at its place. What does not count is told. */
export async function takeRosterChange(
  store: Store,
  batch: Batch,
  conversationId: string,
  change: RosterChange,
  author: string,
  message: Message,
  seq: number,
): Promise<void> {
  const rosters = await rostersOf(store, conversationId);
  let why: string | undefined;
  const found = unlessRefused(
    () => rosters.takeChange(change, author, seq),
    (error) => {
      why = error.message;
    },
  );
  if (why !== undefined) {
    const standing = rosters.current;
    // Changes in between are missing here; the mark of the next message has them asked for.
    if (standing !== undefined && change.version > standing.version + 1) return;
    await warn(store, message, "roster_differs", "change_refused", why);
    return;
  }
  store.states.save(conversationId, rosters);
  if (found === undefined) return;
  await tellChanged(store, found, author);
  if (found.replaced) await tryAgain(store, batch, conversationId, rosters, rosters.undone(change.version));
}

async function tellChanged(store: Store, { before, after }: Changed, author: string): Promise<void> {
  await tellDifferences(store, before, after, author);
  if (after.member(await store.userId()) === undefined) await goAway(store, after.conversationId);
}

/**
 * Queue a change of the roster: the message's client_id; `undefined` where there is nothing to change.
 *
 * RosterRefused where this user may not do it, or this device has no roster.
 */
export async function propose(
  store: Store,
  batch: Batch,
  conversationId: string,
  put: readonly RosterMember[],
  remove: readonly string[],
): Promise<string | undefined> {
  const rosters = await rostersOf(store, conversationId);
  const standing = rosters.current;
  if (standing === undefined || standing.version === 0) {
    throw new RosterRefused("This device has no roster of the group yet.");
  }
  const intent: Intent = { put: [...put], remove: [...remove], tries: 0 };
  const change = rosters.again(intent);
  if (change === undefined) return undefined;
  standing.changed(change, await store.userId());
  const clientId = await queue(store, batch, conversationId, change);
  rosters.intend(clientId, intent);
  store.states.save(conversationId, rosters);
  return clientId;
}

/** An own change has its place. If another one came before it, it is done again. */
export async function settleChange(
  store: Store,
  batch: Batch,
  queued: Queued,
  change: RosterChange,
  seq: number,
): Promise<void> {
  const { conversation_id } = queued;
  const me = await store.userId();
  const rosters = await rostersOf(store, conversation_id);
  const intent = rosters.intended(queued.client_id);
  store.states.save(conversation_id, rosters);
  const found = unlessRefused(
    () => rosters.takeChange(change, me, seq),
    () => undefined, // others have changed it meanwhile, by more than one version
  );
  if (found === undefined) {
    await tryAgain(store, batch, conversation_id, rosters, intent);
    return;
  }
  rosters.done(change.version, intent);
  await tellChanged(store, found, me);
}

/** The server will not take what may have been an own change. */
export async function forgetChange(store: Store, queued: Queued): Promise<void> {
  const rosters = await rostersOf(store, queued.conversation_id);
  if (rosters.intended(queued.client_id) !== undefined) store.states.save(queued.conversation_id, rosters);
}

async function tryAgain(
  store: Store,
  batch: Batch,
  conversationId: string,
  rosters: Rosters,
  intent: Intent | undefined,
): Promise<void> {
  const standing = rosters.current;
  if (intent === undefined || standing === undefined) return;
  const me = await store.userId();
  try {
    const change = rosters.again(intent);
    if (change === undefined) return;
    standing.changed(change, me);
    const clientId = await queue(store, batch, conversationId, change);
    rosters.intend(clientId, { ...intent, tries: intent.tries + 1 });
    store.states.save(conversationId, rosters);
  } catch (error) {
    if (!(error instanceof RosterRefused)) throw error;
    const detail = `A change of the group's members was given up: ${error.message}`;
    const about = { conversation_id: conversationId, user_id: me, device_id: await store.deviceId() };
    await warnOf(store, "roster_differs", "change_given_up", detail, about);
  }
}
