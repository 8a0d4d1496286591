/**
 * Conversations, members, messages and changes: the bodies under /conversations and inside frames.
 *
 * `metadata`, `content` and an envelope's `content` are opaque: ciphertext that the server stores and hands on.
 */

import { COUNT, KIND, OPAQUE, PLACE, TIME, bytes, items, page } from "./basics.ts";
import {
  ID,
  type Of,
  TRUTH,
  defaulted,
  list,
  members,
  oneOf,
  optional,
  orNull,
  text,
  unset,
  whole,
} from "./codec.ts";

export const ROLE = oneOf("owner", "admin", "member");
export const CONVERSATION_TYPE = oneOf("direct", "group");

/** A conversation to be made; `members` are the others. */
export const NEW_CONVERSATION = members({
  type: CONVERSATION_TYPE,
  members: list(ID),
  metadata: optional(OPAQUE),
  client_id: optional(ID),
});

/** A conversation as one of its members sees it. */
export const CONVERSATION = members({
  conversation_id: ID,
  type: CONVERSATION_TYPE,
  metadata: orNull(OPAQUE),
  message_ttl: orNull(COUNT),
  created_at: TIME,
  updated_at: TIME,
  ended_at: orNull(TIME),
  first_seq: COUNT,
  last_seq: COUNT,
  last_change: COUNT,
  role: ROLE,
  read_seq: COUNT,
  unread: COUNT,
  member_count: COUNT,
});
export const CONVERSATIONS = page(CONVERSATION);

/** What an admin changes; what is left out stays. `message_ttl` is in seconds, null for never. */
export const CONVERSATION_UPDATE = members({
  metadata: unset(OPAQUE),
  message_ttl: unset(whole(1, 31_536_000)),
});

/** A member and how far it has come. */
export const MEMBER = members({
  user_id: ID,
  role: ROLE,
  joined_at: TIME,
  delivered_seq: COUNT,
  read_seq: COUNT,
});
export const MEMBERS = items(MEMBER);

/** Someone to be added to a group. */
export const NEW_MEMBER = members({ user_id: ID, role: defaulted(ROLE, "member") });
/** A member's new role. */
export const ROLE_CHANGE = members({ role: ROLE });

/** A published device of a member. */
export const MEMBER_DEVICE = members({ user_id: ID, device_id: ID });
/** The published devices of all members; `digest` is SHA-256 over their sorted ids of 16 bytes. */
export const CONVERSATION_DEVICES = members({ items: list(MEMBER_DEVICE, 20_000), digest: bytes(32) });

/** One device's own ciphertext. */
export const ENVELOPE = members({ device_id: ID, content: OPAQUE });

export const DRAFT_MEMBERS = {
  client_id: ID,
  kind: text(32, 1),
  content: optional(OPAQUE),
  envelopes: optional(list(ENVELOPE)),
  devices_digest: optional(bytes(32)),
  partial: defaulted(TRUTH, false),
};
/** A message to be sent. */
export const DRAFT = members(DRAFT_MEMBERS);

/** A message's place, once committed. */
export const SENT = members({ seq: PLACE, created_at: TIME });

export const MESSAGE_MEMBERS = {
  conversation_id: ID,
  seq: PLACE,
  sender_id: orNull(ID),
  sender_device_id: ID,
  client_id: ID,
  kind: KIND,
  content: orNull(OPAQUE),
  envelope: orNull(OPAQUE),
  created_at: TIME,
  expires_at: orNull(TIME),
  deleted: TRUTH,
};
/** A message as one device sees it: `envelope` is that device's own, or null. */
export const MESSAGE = members(MESSAGE_MEMBERS);
export const MESSAGES = page(MESSAGE);

/** Of a conversation, what all of its members share; those members of it that have changed. */
const SHARED = members({
  conversation_id: optional(ID),
  type: optional(CONVERSATION_TYPE),
  metadata: unset(OPAQUE),
  message_ttl: unset(COUNT),
  updated_at: optional(TIME),
});

export const CHANGE_MEMBERS = {
  change: COUNT,
  at_seq: COUNT,
  created_at: TIME,
  actor_id: orNull(ID),
  event: KIND,
  conversation: optional(SHARED),
  user_id: optional(ID),
  role: optional(ROLE),
  seq: optional(COUNT),
};
/** What happened to a conversation besides messages; which of the last four are there depends on `event`. */
export const CHANGE = members(CHANGE_MEMBERS);
export const CHANGES = page(CHANGE);

export type Role = Of<typeof ROLE>;
export type ConversationType = Of<typeof CONVERSATION_TYPE>;
export type NewConversation = Readonly<Of<typeof NEW_CONVERSATION>>;
export type Conversation = Readonly<Of<typeof CONVERSATION>>;
export type ConversationUpdate = Readonly<Of<typeof CONVERSATION_UPDATE>>;
export type Member = Readonly<Of<typeof MEMBER>>;
export type ConversationDevices = Readonly<Of<typeof CONVERSATION_DEVICES>>;
export type Envelope = Readonly<Of<typeof ENVELOPE>>;
export type Draft = Readonly<Of<typeof DRAFT>>;
export type Sent = Readonly<Of<typeof SENT>>;
export type Message = Readonly<Of<typeof MESSAGE>>;
export type Change = Readonly<Of<typeof CHANGE>>;
