/** The roster of a group: who is in it by the word of its members, taken, compared, asked for, handed on. */

import { type RosterBody, type RosterMember, encodeBody } from "../e2e/bodies.ts";
import { NotInAudience, RosterRefused } from "../e2e/errors.ts";
import type { Payload, RosterMark } from "../e2e/payload.ts";
import { same } from "../e2e/primitives.ts";
import { ResendRequests } from "../e2e/resend.ts";
import { Roster } from "../e2e/roster.ts";
import { Rosters } from "../e2e/rosters.ts";
import type { PeerDevice } from "../e2e/sessions.ts";
import type { Conversation } from "../store/conversations.ts";
import { Parked } from "../store/waiting.ts";
import type { Message } from "../wire/conversations.ts";
import type { Batch } from "./batch.ts";
import { goAway } from "./order.ts";
import { devicesOf, listedDevice, queue } from "./queueing.ts";
import { tellDifferences, tellMade, warn } from "./telling.ts";
import type { Store } from "./vault.ts";

const ASK_EVERY = 3_600; // seconds between two questions for one roster
const MOST_ASKED = 20; // devices
const MOST_HANDED = 100; // devices that one message hands the roster
const HANDED_BYTES = 500_000; // of all rosters in one message, with room below the server's 1 MiB a frame

/** The rosters of a conversation; to be changed, and stored by who changes them. */
export async function rostersOf(store: Store, conversationId: string): Promise<Rosters> {
  return (await store.states.get(Rosters, conversationId)) ?? Rosters.none(conversationId);
}

/** The roster that stands; `undefined` where this device has none. */
export async function currentRoster(store: Store, conversationId: string): Promise<Roster | undefined> {
  return (await rostersOf(store, conversationId)).current;
}

/** What a payload says of the roster. */
export async function markOf(store: Store, row: Conversation): Promise<RosterMark | undefined> {
  return row.type === "group" ? (await rostersOf(store, row.conversation_id)).mark : undefined;
}

// who may read and write

/** Whether a member is the user that is known here: under the account key that the roster names. */
export async function vouched(store: Store, entry: RosterMember): Promise<boolean> {
  if (entry.user_id === (await store.userId()) || entry.account_key.length === 0) return true;
  const { accountKey, refused } = await store.known(entry.user_id);
  return accountKey !== null && !refused && same(accountKey, entry.account_key);
}

/** The users who may read in a group: those of the roster, each under the account key that it names. */
export async function readers(store: Store, conversationId: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const one of (await currentRoster(store, conversationId))?.members ?? []) {
    if (await vouched(store, one)) found.add(one.user_id);
  }
  return found;
}

/** NotInAudience for who was not in the roster at a place, or is there under another account key. */
export async function checkSpeaker(
  store: Store,
  conversationId: string,
  userId: string,
  seq: number,
): Promise<void> {
  const entry = (await rostersOf(store, conversationId)).at(seq)?.member(userId);
  if (entry === undefined) {
    throw new NotInAudience("Somebody who is not in the group's roster writes in it.");
  }
  if (!(await vouched(store, entry))) {
    throw new NotInAudience("A member whose new account key nobody has confirmed writes in the group.");
  }
}

/** Whether a user was owner or admin at a place. */
export async function leads(
  store: Store,
  conversationId: string,
  userId: string,
  seq: number,
): Promise<boolean> {
  return (await rostersOf(store, conversationId)).at(seq)?.leads(userId) === true;
}

// what comes

/** Take a roster that a member hands over; whether it is news. RosterRefused. */
export async function takeWhole(
  store: Store,
  batch: Batch,
  row: Conversation,
  payload: Payload,
  body: RosterBody,
  seq: number,
): Promise<boolean> {
  const { conversation_id } = row;
  let rosters = await rostersOf(store, conversation_id);
  const roster = Roster.ofBody(conversation_id, body);
  const sender = roster.member(payload.sender_id);
  const me = await store.userId();
  const own = payload.sender_id === me;
  if (!own && (sender === undefined || !(await vouched(store, sender)))) {
    throw new RosterRefused("A roster comes from somebody whom it does not name under the key known here.");
  }
  const standing = rosters.current;
  const away = standing !== undefined && standing.member(me) === undefined;
  const before = rosters.takeWhole(roster, seq, payload.sender_id, own, away);
  if (before === roster) return false;
  const rejoined = before !== undefined && away;
  if (rejoined) {
    rosters = Rosters.none(conversation_id);
    rosters.begin(roster, seq);
  } else if (roster.member(me) === undefined) {
    await goAway(store, conversation_id);
  }
  store.states.save(conversation_id, rosters);
  if (before === undefined || rejoined || before.version === 0)
    await tellMade(store, roster, payload.sender_id);
  else await tellDifferences(store, before, roster, payload.sender_id);
  batch.wake.add(conversation_id);
  return true;
}

/** Compare the roster that a sender has with the one here: a newer one is asked for, another one told. */
export async function checkMark(
  store: Store,
  batch: Batch,
  row: Conversation,
  payload: Payload,
  message: Message,
): Promise<void> {
  const said = payload.roster;
  const { conversation_id } = row;
  let rosters = await rostersOf(store, conversation_id);
  // Without a roster it is on its way, or asked for by what waits for it.
  if (said === undefined || rosters.current === undefined) return;
  const [device, version] = [payload.sender_device_id, String(said.version)];
  const verdict = rosters.judge(said);
  if (verdict === "differs" && rosters.firstTime(`${device}/${version}`)) {
    const detail = `The sender has another version ${version} of the group's roster than this device.`;
    await warn(store, message, "roster_differs", "another_roster", detail);
    store.states.save(conversation_id, rosters);
  } else if (verdict === "newer") {
    const asked = listedDevice(await store.known(payload.sender_id), device);
    await askForRoster(store, batch, conversation_id, asked === undefined ? [] : [asked]);
    rosters = await rostersOf(store, conversation_id);
    if (rosters.unanswered && rosters.firstTime(`newer/${device}/${version}`)) {
      const detail = `The sender has version ${version} of the group's roster, which nobody hands over.`;
      await warn(store, message, "roster_differs", "newer_roster", detail);
      store.states.save(conversation_id, rosters);
    }
  }
}

/** Ask these devices, one's own others, and who leads the group by the roster here; once an hour. */
export async function askForRoster(
  store: Store,
  batch: Batch,
  conversationId: string,
  devices: readonly PeerDevice[],
): Promise<void> {
  const rosters = await rostersOf(store, conversationId);
  const standing = rosters.current;
  const leading = standing?.members.filter((one) => standing.leads(one.user_id)) ?? [];
  const found = new Map(devices.map((one) => [one.deviceId, one]));
  for (const userId of [await store.userId(), ...leading.map((one) => one.user_id)]) {
    for (const one of devicesOf(await store.known(userId))) found.set(one.deviceId, one);
  }
  found.delete(await store.deviceId());
  const targets = [...found.values()].slice(0, MOST_ASKED);
  if (targets.length === 0 || !rosters.mayAsk(batch.now, ASK_EVERY)) return;
  store.states.save(conversationId, rosters);
  const body = { type: "roster_request", version: standing?.version ?? 0 } as const;
  await queue(store, batch, conversationId, body, targets);
}

/** The devices of who leads a group as the server says: whom to ask for the roster where there is none. */
export async function leadersDevices(store: Store, conversationId: string): Promise<PeerDevice[]> {
  const found: PeerDevice[] = [];
  for (const userId of await store.conversations.leaders(conversationId)) {
    found.push(...devicesOf(await store.known(userId)));
  }
  return found;
}

/**
 * Hand the roster to a device of a member that asks, where it has none or an older one, and would take it from this
 * user.
 */
export async function answerRequest(
  store: Store,
  batch: Batch,
  conversationId: string,
  payload: Payload,
  version: number,
): Promise<void> {
  const standing = await currentRoster(store, conversationId);
  if (standing === undefined || standing.version <= version) return;
  const me = await store.userId();
  if (payload.sender_id !== me && !standing.leads(me)) return;
  const device = listedDevice(await store.known(payload.sender_id), payload.sender_device_id);
  if (device === undefined || !(await readers(store, conversationId)).has(payload.sender_id)) return;
  await queue(store, batch, conversationId, standing.body(), [device]);
}

/**
 * Queue the roster for those of these devices that have to be handed it by this one: all, where this user leads the
 * group, else only one's own others; false where none has.
 */
export async function handOver(
  store: Store,
  batch: Batch,
  conversationId: string,
  devices: readonly PeerDevice[],
): Promise<boolean> {
  const found = await rostersOf(store, conversationId);
  const standing = found.current;
  if (standing === undefined || standing.version === 0) return false;
  const me = await store.userId();
  const mine = devices.filter((one) => standing.leads(me) || one.userId === me);
  const lacking = new Set(found.lacking(mine.map((one) => one.deviceId)));
  const without = mine.filter((one) => lacking.has(one.deviceId));
  if (without.length === 0) return false;
  const body = standing.body();
  const room = Math.min(MOST_HANDED, Math.max(1, Math.floor(HANDED_BYTES / encodeBody(body).length)));
  for (let start = 0; start < without.length; start += room) {
    await queue(store, batch, conversationId, body, without.slice(start, start + room));
  }
  return true;
}

/** All devices that the group's readers are known to have, but this one. */
export async function readersDevices(store: Store, conversationId: string): Promise<PeerDevice[]> {
  const own = await store.deviceId();
  const found: PeerDevice[] = [];
  for (const userId of new Set([...(await readers(store, conversationId)), await store.userId()])) {
    found.push(...devicesOf(await store.known(userId)).filter((one) => one.deviceId !== own));
  }
  return found;
}

/** These devices have been handed the roster. */
export async function given(
  store: Store,
  conversationId: string,
  deviceIds: readonly string[],
): Promise<void> {
  const found = await rostersOf(store, conversationId);
  const devices: [string, string][] = [];
  for (const one of deviceIds) devices.push([one, (await store.sessions("", one)).userId]);
  found.give(devices);
  store.states.save(conversationId, found);
}

// messages that wait for the roster

/** Put a message aside until the roster is here; false where too many wait. */
export async function park(store: Store, message: Message): Promise<boolean> {
  const parked = (await store.states.get(Parked, message.conversation_id)) ?? new Parked();
  if (!parked.add(message)) return false;
  store.states.save(message.conversation_id, parked);
  return true;
}

/**
 * Whether it can't be judged yet who wrote a message: its sender is in no roster here, and what is asked for again
 * may be the change that adds it.
 */
export async function writerAwaited(store: Store, message: Message): Promise<boolean> {
  if (!(await changeAwaited(store, message.conversation_id, message.seq))) return false;
  const standing = (await rostersOf(store, message.conversation_id)).at(message.seq);
  return standing !== undefined && standing.member(message.sender_id ?? "") === undefined;
}

/** Whether a message below this place is asked for again, which may be a change of the roster. */
export async function changeAwaited(
  store: Store,
  conversationId: string,
  seq = Number.MAX_SAFE_INTEGER,
): Promise<boolean> {
  return (await store.states.get(ResendRequests, "own"))?.openBelow(conversationId, seq) === true;
}

/** The conversations in which messages wait. */
export function parkedIn(store: Store): Promise<string[]> {
  return store.states.keys(Parked);
}

/** The messages that have waited. */
export async function unpark(store: Store, conversationId: string): Promise<readonly Message[]> {
  const parked = await store.states.get(Parked, conversationId);
  if (parked !== undefined) store.states.drop(Parked, conversationId);
  return parked?.messages ?? [];
}
