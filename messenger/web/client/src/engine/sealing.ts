/**
 * From what is to be said to the ciphertext that goes to the server.
 *
 * The ratchets' new states, the draft and what is remembered for a resend are committed together, before the draft
 * goes out: so no key encrypts two things, and after a crash the same draft goes out again. Only one draft of a
 * conversation is on its way at a time; so the sender's numbers rise with the server's.
 */

import { decodeBody } from "../e2e/bodies.ts";
import { Malformed, NotInAudience } from "../e2e/errors.ts";
import { SendingChain } from "../e2e/groups.ts";
import { type Payload, newPayload } from "../e2e/payload.ts";
import { idBytes, same, sha256 } from "../e2e/primitives.ts";
import { SentMessage } from "../e2e/resend.ts";
import type { PeerDevice, PeerSessions } from "../e2e/sessions.ts";
import type { Conversation } from "../store/conversations.ts";
import { StoreCorrupt } from "../store/errors.ts";
import type { Queued, Target } from "../store/outbox.ts";
import { encode } from "../wire/codec.ts";
import { DRAFT, type Draft } from "../wire/conversations.ts";
import { type Audience, audienceOf, tellStrangers } from "./audience.ts";
import type { Batch } from "./batch.ts";
import { IdentityRefused, NoDevices } from "./errors.ts";
import { seen } from "./order.ts";
import { listedDevice, queue } from "./queueing.ts";
import { currentRoster, handOver, markOf } from "./rosters.ts";
import { notStarted } from "./starting.ts";
import type { Store } from "./vault.ts";

const MAX_TARGETS = 100; // devices of one message for some: with room below the server's 1 MiB a frame

/** The published devices of a conversation's members with their users, as the server says, own ones included. */
export type DeviceView = ReadonlyMap<string, string>;

/** SHA-256 over the sorted ids, 16 raw bytes each: our own sum, not the server's. */
export function digestOf(view: DeviceView): Uint8Array {
  return sha256(...[...view.keys()].sort().map(idBytes));
}

/** Something has to be asked for first: users' keys, or bundles of devices. */
export class Needs extends Error {
  override name = "Needs";
  readonly users: readonly string[];
  readonly devices: readonly string[];

  constructor(users: readonly string[], devices: readonly string[]) {
    super("Something has to be asked for first.");
    this.users = users;
    this.devices = devices;
  }
}

/** Nothing goes out here before the group's roster has come. */
export class Waits extends Error {
  override name = "Waits";
}

/** What a message is made of. */
interface Work {
  readonly store: Store;
  readonly batch: Batch;
  readonly queued: Queued;
  readonly row: Conversation;
}

/**
 * Make a queued message's draft; `undefined`: control messages were queued that go first, or there is nothing to
 * send. `batch.asked` are the users whose keys were asked for just now.
 *
 * Needs, Waits, IdentityRefused, NoDevices, NotInAudience, PayloadTooLarge.
 */
export async function seal(
  store: Store,
  batch: Batch,
  clientId: string,
  view: DeviceView,
): Promise<Uint8Array | undefined> {
  const queued = await store.outbox.get(clientId);
  if (queued === undefined) return undefined; // an answer that was thought lost has come
  if (queued.draft !== null) return queued.draft;
  const row = await store.conversations.get(queued.conversation_id);
  if (row === undefined) throw new StoreCorrupt("A message waits for a conversation that is not known.");
  if (row.type === "group" && queued.targets === null) await checkRoster(store, row);
  const found = await readersOf(store, batch, row, view);
  const others = new Map(found.devices);
  others.delete(await store.deviceId());
  const work = { store, batch, queued, row };
  if (queued.targets !== null) return sealSome(work, queued.targets, view, others);
  if (row.type !== "direct") return sealGroup(work, view, others);
  if (![...others.values()].some((one) => one.userId === row.peer_id)) {
    throw new NoDevices(await store.people.name(row.peer_id));
  }
  const fresh = await notStarted(store, row.conversation_id, others.keys());
  if (fresh.length > 0 && row.next_number > 1) {
    const body = { type: "start", number: row.next_number } as const;
    await queue(store, batch, row.conversation_id, body, picked(others, fresh));
    return undefined;
  }
  return sealPairwise(work, others, found.strangers.size > 0, false);
}

function picked(devices: ReadonlyMap<string, PeerDevice>, ids: readonly string[]): PeerDevice[] {
  return ids.flatMap((one) => devices.get(one) ?? []);
}

/** Waits where this device has no roster; NotInAudience where this user is not in it. */
async function checkRoster(store: Store, row: Conversation): Promise<void> {
  const standing = await currentRoster(store, row.conversation_id);
  if (standing === undefined) throw new Waits("The group's roster has not come yet.");
  if (standing.member(await store.userId()) === undefined) {
    throw new NotInAudience("You are not in the group's roster any more.");
  }
}

/**
 * Who may read. Needs, where keys or a change of the roster may be news; IdentityRefused, where an identity has
 * changed.
 */
async function readersOf(store: Store, batch: Batch, row: Conversation, view: DeviceView): Promise<Audience> {
  const found = await audienceOf(store, row, view);
  const isGroup = row.type === "group";
  // Nobody can be told from a stranger yet.
  if (isGroup && (await currentRoster(store, row.conversation_id)) === undefined) return found;
  const strange = [...found.strangers.values()].filter((one) => found.users.has(one) || isGroup);
  const asked = [...strange, ...[...found.behind].sort()].filter((one) => !batch.asked.has(one));
  if (asked.length > 0) throw new Needs([...new Set(asked)], []);
  await tellStrangers(store, row, found);
  if (row.type !== "direct") return found;
  for (const userId of [...found.users].sort()) {
    const name = await store.people.name(userId);
    if ((await store.known(userId)).refused) {
      const text = `The identity of ${name} has changed; nothing is sent until you accept it.`;
      throw new IdentityRefused(text, "account_key_changed");
    }
    if (found.behind.has(userId)) {
      const text = `The server holds back the newest list of ${name}'s devices; nothing goes by an older one.`;
      throw new IdentityRefused(text, "old_device_list");
    }
  }
  return found;
}

async function sealSome(
  work: Work,
  wanted: readonly Target[],
  view: DeviceView,
  audience: ReadonlyMap<string, PeerDevice>,
): Promise<Uint8Array | undefined> {
  const { store, queued } = work;
  let targets = audience;
  if (wanted.length > 0) {
    const { type } = decodeBody(queued.body);
    const isQuestion = type === "roster_request" || type === "resend_request";
    const others = isQuestion ? await mayBeAsked(store, view) : audience;
    targets = new Map(
      wanted.flatMap((one) => {
        const device = others.get(one.device_id);
        return device !== undefined && isTarget(device, one) ? [[one.device_id, device]] : [];
      }),
    );
  }
  if (targets.size === 0) {
    await store.outbox.remove(queued.client_id); // they are gone; what they missed they will ask for
    store.settled.push({ clientId: queued.client_id });
    return undefined;
  }
  return sealPairwise(work, targets, true, true);
}

/** The devices that may be asked a question, which says nothing: all that their users' lists name. */
async function mayBeAsked(store: Store, view: DeviceView): Promise<Map<string, PeerDevice>> {
  const own = await store.deviceId();
  const found = new Map<string, PeerDevice>();
  for (const [deviceId, userId] of view) {
    const device = listedDevice(await store.known(userId), deviceId);
    if (device !== undefined && deviceId !== own) found.set(deviceId, device);
  }
  return found;
}

/** Whether this is the device that was meant. */
function isTarget(device: PeerDevice, target: Target): boolean {
  return device.userId === target.user_id && same(device.identityKey, target.identity_key);
}

/**
 * One envelope for each device. `partial`: not for all that the server lists; `some`: nor for the whole audience, so
 * that it bears no number.
 */
async function sealPairwise(
  work: Work,
  targets: ReadonlyMap<string, PeerDevice>,
  partial: boolean,
  some: boolean,
): Promise<Uint8Array> {
  const { store, batch, queued, row } = work;
  const keys = await store.keys();
  const sessions = new Map<string, PeerSessions>();
  for (const [deviceId, { userId }] of targets)
    sessions.set(deviceId, await store.sessions(userId, deviceId));
  const unready = [...sessions].filter(([, one]) => queued.fresh || one.needsBundle(batch.now));
  if (unready.length > 0)
    throw new Needs(
      [],
      unready.map(([deviceId]) => deviceId),
    );
  const payload = await payloadOf(work, some ? 0 : numberOf(queued, row));
  const envelopes = [...sessions].map(([device_id, one]) => {
    const content = one.seal(keys, payload);
    store.states.save(device_id, one);
    return { device_id, content };
  });
  const draft = { client_id: queued.client_id, kind: queued.kind, envelopes, partial };
  return keep(store, queued, payload, draft, [...targets.keys()]);
}

async function sealGroup(
  work: Work,
  view: DeviceView,
  others: ReadonlyMap<string, PeerDevice>,
): Promise<Uint8Array | undefined> {
  const { store, batch, queued, row } = work;
  const { conversation_id } = row;
  const trusted = [...others.keys()];
  const without =
    row.type === "group" && (await handOver(store, batch, conversation_id, [...others.values()]));
  const keys = await store.keys();
  let chain = await store.states.get(SendingChain, conversation_id);
  if (chain === undefined || chain.mustRotate(trusted, batch.now)) {
    chain = SendingChain.create(keys, conversation_id, batch.now);
  }
  store.states.save(conversation_id, chain);
  const lacking = picked(others, chain.lacking(trusted));
  for (let start = 0; start < lacking.length; start += MAX_TARGETS) {
    const body = chain.distribution(row.next_number);
    await queue(store, batch, conversation_id, body, lacking.slice(start, start + MAX_TARGETS));
  }
  if (lacking.length > 0 || without) return undefined;
  const payload = await payloadOf(work, numberOf(queued, row));
  const draft = {
    client_id: queued.client_id,
    kind: queued.kind,
    content: chain.seal(keys, payload),
    devices_digest: digestOf(view),
    partial: false,
  };
  return keep(store, queued, payload, draft, trusted);
}

/** The message's own number: of one that was answered for before, the one that others have seen. */
function numberOf(queued: Queued, row: Conversation): number {
  return queued.again > 0 && queued.number !== null && queued.number > 0 ? queued.number : row.next_number;
}

async function payloadOf({ store, queued, row }: Work, number: number): Promise<Payload> {
  const { conversation_id, client_id, kind, sent_at } = queued;
  const body = decodeBody(queued.body);
  if (body.type === null) throw new Malformed("What was queued is of a newer client.");
  const named = { conversation_id, client_id, sender_device_id: await store.deviceId() };
  const message = kind === "control" ? undefined : await store.messages.find(named);
  const roster = await markOf(store, row);
  const held = await seen(store, row);
  const expires_in = message?.expires_in ?? undefined;
  const about = {
    ...{ conversation_id, client_id, kind, number, sent_at },
    list_version: (await store.known(await store.userId())).listVersion,
    ...(roster === undefined ? {} : { roster }),
    ...(held === undefined ? {} : { seen: held }),
    ...(expires_in === undefined ? {} : { expires_in }),
  };
  return newPayload(await store.keys(), about, body);
}

async function keep(
  store: Store,
  queued: Queued,
  payload: Payload,
  draft: Draft,
  devices: readonly string[],
): Promise<Uint8Array> {
  const raw = encode(DRAFT, draft);
  await store.outbox.sealed(queued.client_id, payload.number, raw, devices);
  const { type } = decodeBody(queued.body);
  if (type !== "resent" && type !== "resend_request") {
    store.states.save(queued.client_id, SentMessage.of(payload, devices));
  }
  return raw;
}
