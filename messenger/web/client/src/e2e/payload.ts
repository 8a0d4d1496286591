/**
 * What is encrypted: a JSON object that repeats what the server says about the message, and the body.
 *
 * The server files a message under a conversation, a sender, a client_id and a kind. The sender says the same
 * inside, where the server can't change it; `openPayload` compares, and names what differs.
 */

import { utf8 } from "../wire/bytes.ts";
import {
  type Codec,
  type Of,
  binary,
  defaulted,
  members,
  optional,
  parsed,
  text,
  textOf,
  whole,
} from "../wire/codec.ts";
import {
  BIGGEST,
  type Body,
  EXPIRES_IN,
  type Known,
  VERSION,
  decodeBody,
  encodeBody,
  malformedOf,
} from "./bodies.ts";
import { ClientIdMismatch, ConversationMismatch, KindMismatch, SenderMismatch } from "./errors.ts";
import { padded, unpadded } from "./padding.ts";

/** The own device, as far as a payload speaks of it. */
export interface Sender {
  readonly userId: string;
  readonly deviceId: string;
}

/** The version and the digest (32 bytes) of the roster that a sender has. */
export const ROSTER_MARK = members({ version: VERSION, digest: binary(32) });

/** What the sender holds at the places `from` to `seq` of the conversation, at most 32, as a digest. */
export const SEEN = members({ from: VERSION, seq: VERSION, digest: binary(32) });

/** JSON as it is spelled. Reading one is `decodePayload`'s, which has the text. */
const SPELLED: Codec<string> = { read: () => "", write: (json) => json };

const PAYLOAD = members({
  conversation_id: text(),
  sender_id: text(),
  sender_device_id: text(),
  client_id: text(),
  kind: text(),
  number: whole(0, BIGGEST),
  sent_at: text(),
  list_version: defaulted(whole(0, BIGGEST), 0),
  roster: optional(ROSTER_MARK),
  seen: optional(SEEN),
  expires_in: optional(EXPIRES_IN),
  body: SPELLED,
});

export type RosterMark = Readonly<Of<typeof ROSTER_MARK>>;
export type Seen = Readonly<Of<typeof SEEN>>;

/**
 * The plaintext of a message.
 *
 * `number` counts the sender's messages in the conversation, 1, 2, 3 ..., in the order in which they are
 * committed; 0 for one that goes to some devices only. `sent_at` is RFC 3339 by the sender's clock.
 * `list_version` is that of the sender's own device list as it knows it, 0 from an older client. `expires_in`
 * (seconds) says how long the message is kept. `body` is JSON as the sender spelled it.
 */
export type Payload = Readonly<Of<typeof PAYLOAD>>;

/** What the server says about a message. A sender whose account is deleted has no `sender_id` any more. */
export interface Claimed {
  readonly conversation_id: string;
  readonly sender_id: string | null;
  readonly sender_device_id: string;
  readonly client_id: string;
  readonly kind: string;
}

/** What a payload says beyond its sender and body. */
export type About = Omit<Payload, "sender_id" | "sender_device_id" | "body" | "list_version"> & {
  readonly list_version?: number;
};

/** The payload of a message of the own device. */
export function newPayload(sender: Sender, about: About, body: Known): Payload {
  return {
    ...about,
    conversation_id: about.conversation_id.toLowerCase(),
    sender_id: sender.userId,
    sender_device_id: sender.deviceId,
    client_id: about.client_id.toLowerCase(),
    list_version: about.list_version ?? 0,
    body: encodeBody(body),
  };
}

/** The body; Malformed where it does not fit its type. */
export function bodyOf(payload: Payload): Body {
  return decodeBody(payload.body);
}

/** A payload as JSON. */
export function encodePayload(payload: Payload): Uint8Array {
  return utf8(malformedOf(() => PAYLOAD.write(payload)));
}

/** A payload from JSON; Malformed where it is none. */
export function decodePayload(raw: Uint8Array): Payload {
  return malformedOf(() => {
    const { value, spelled } = parsed(textOf(raw));
    return { ...PAYLOAD.read(value), body: spelled.get("body") ?? "" };
  });
}

/** A payload encoded and padded: what is encrypted. PayloadTooLarge where it does not fit. */
export function sealedForm(payload: Payload): Uint8Array {
  return padded(encodePayload(payload));
}

/**
 * The payload of a decrypted message, once all that it repeats fits what the server said.
 *
 * Throws ConversationMismatch, SenderMismatch, ClientIdMismatch, KindMismatch, Malformed.
 */
export function openPayload(plaintext: Uint8Array, said: Claimed): Payload {
  const payload = decodePayload(unpadded(plaintext));
  if (payload.conversation_id !== said.conversation_id) {
    throw new ConversationMismatch("The server presents a message of another conversation.");
  }
  if (payload.sender_device_id !== said.sender_device_id) {
    throw new SenderMismatch("The server presents a message as another device's.");
  }
  if (said.sender_id !== null && payload.sender_id !== said.sender_id) {
    throw new SenderMismatch("The server presents a message as another user's.");
  }
  if (payload.client_id !== said.client_id) {
    throw new ClientIdMismatch("The server presents a message under another client_id.");
  }
  if (payload.kind !== said.kind)
    throw new KindMismatch("The server presents a message as one of another kind.");
  return payload;
}
