/** A message is opened: by the sessions with its sender's device, or by a chain that was given for its conversation. */

import { type Body, type FileBody, type Text } from "../e2e/bodies.ts";
import { beginsSession, chainIdOf } from "../e2e/envelope.ts";
import {
  ConversationMismatch,
  NotInAudience,
  OldDeviceList,
  SenderKeyRefused,
  UnknownSenderKey,
  UnlistedDevice,
} from "../e2e/errors.ts";
import { ReceivedChains } from "../e2e/chains.ts";
import { type Payload, bodyOf } from "../e2e/payload.ts";
import { same } from "../e2e/primitives.ts";
import type { KnownUser } from "../e2e/trust.ts";
import type { Conversation } from "../store/conversations.ts";
import type { Message } from "../wire/conversations.ts";
import { provisional } from "./approval.ts";
import { checkWriter } from "./audience.ts";
import type { Batch } from "./batch.ts";
import { writerId } from "./resends.ts";
import { checkSpeaker } from "./rosters.ts";
import type { Store } from "./vault.ts";

/** A message speaks of a newer device list than is known: the user's keys have to be asked for first. */
export class Behind extends Error {
  override name = "Behind";
  readonly userId: string;

  constructor(userId: string) {
    super(`A newer device list of ${userId} is spoken of than is known.`);
    this.userId = userId;
  }
}

/** Whether it is what people say, and nothing that devices act on. */
export function isContent(body: Body): body is Text | FileBody {
  return body.type === "text" || body.type === "file";
}

/** What a message says, once it is known who wrote it. Behind, EncryptionError. */
export async function open(
  store: Store,
  batch: Batch,
  row: Conversation,
  message: Message,
): Promise<Payload> {
  const userId = await writerId(store, message);
  await checkWriter(store, row, userId);
  const known = (await provisional(store, userId)) ?? (await store.known(userId));
  const device = known.writer(message.sender_device_id);
  if (!device.listed && message.envelope !== null && beginsSession(message.envelope)) {
    throw new UnlistedDevice("A device that was removed by its user begins a session.");
  }
  let payload: Payload;
  if (message.envelope !== null) {
    const keys = await store.keys();
    const sessions = await store.sessions(userId, device.deviceId);
    const opened = sessions.open(keys, { ...device, userId }, message.envelope, message, batch.now);
    store.states.save(device.deviceId, sessions);
    if (opened.keysChanged) store.states.save("own", keys);
    payload = opened.payload;
  } else {
    payload = await openContent(store, row, message, userId);
  }
  await checkList(store, batch, known, payload);
  known.checkLate(device, payload.list_version, isContent(bodyOf(payload)), batch.now);
  return payload;
}

/** Open a group's content, by a chain whose owner was in the roster at this place. */
async function openContent(
  store: Store,
  row: Conversation,
  message: Message,
  userId: string,
): Promise<Payload> {
  const { conversation_id } = row;
  const content = message.content ?? new Uint8Array();
  if (row.type === "group") {
    try {
      await checkSpeaker(store, conversation_id, userId, message.seq);
    } catch (error) {
      throw error instanceof NotInAudience ? new SenderKeyRefused(error.message) : error;
    }
  }
  const name = `${conversation_id}/${message.sender_device_id}`;
  const known = await store.states.get(ReceivedChains, name);
  const chains = known ?? ReceivedChains.none(conversation_id, userId, message.sender_device_id);
  let payload: Payload;
  try {
    payload = chains.open(await store.keys(), content, message);
  } catch (error) {
    if (error instanceof UnknownSenderKey) await checkNotRefiled(store, content);
    throw error;
  }
  store.states.save(name, chains);
  return payload;
}

/** A sender that knows a newer list of its user's devices is shown once that is here. */
async function checkList(store: Store, batch: Batch, known: KnownUser, payload: Payload): Promise<void> {
  if (payload.list_version <= known.listVersion) return;
  if (!batch.asked.has(known.userId)) throw new Behind(known.userId);
  if ((await provisional(store, known.userId)) === undefined) {
    known.nameList(payload.list_version);
    store.states.save(known.userId, known);
  }
  throw new OldDeviceList("The server holds back the newest list of the sender's devices.");
}

/** A chain that its sender has given for another conversation tells where the content comes from. */
async function checkNotRefiled(store: Store, content: Uint8Array): Promise<void> {
  const chainId = chainIdOf(content);
  for (const name of await store.states.keys(ReceivedChains)) {
    const chains = await store.states.get(ReceivedChains, name);
    if (chains?.chainIds.some((one) => same(one, chainId)) === true) {
      throw new ConversationMismatch("The server presents a message of another conversation.");
    }
  }
}
