/**
 * What happens, as the page hears of it.
 *
 * Durable events are written together with what they tell of, and wait in the store until the page has taken them,
 * across restarts. Ephemeral ones wait in a bounded queue; when that is full the oldest goes. They have the names
 * and members of the Python client's.
 *
 * The server is assumed hostile. What it does, or fails to do, to messages, keys and files is told by a `Warning`
 * that names what, who and where; `reason` is a stable word, `detail` one sentence.
 */

import type { Message } from "../store/messages.ts";

export type ConnectionState =
  "offline" | "connecting" | "online" | "waiting_for_approval" | "session_ended" | "taken_over" | "removed";

/** Who and where; what does not apply is null. */
interface Where {
  readonly conversation_id: string | null;
  readonly user_id: string | null;
  readonly username: string | null;
  readonly device_id: string | null;
  readonly seq: number | null;
}

/** What the server, or somebody at it, may have done. */
export type WarningKind =
  /** A message was not taken: tampered with, replayed, refiled, reflected, from nobody known. */
  | "message_rejected"
  /** Messages of a sender, or places of a conversation, were held back; `count` of them. */
  | "messages_missing"
  /** A message came after ones that its sender wrote later. */
  | "messages_reordered"
  /** A message could not be decrypted, and asking for it again did not help. */
  | "messages_lost"
  /** A place of a conversation holds another message than before, or numbers went backwards. */
  | "history_rewritten"
  /** A key, bundle or device that the server hands out does not hold. */
  | "keys_refused"
  /** The server lists a device that nothing vouches for. */
  | "device_refused"
  /** The server gives a pinned name to another user, a pinned user another name, or two users one name. */
  | "contact_refused"
  /** The server lists somebody in a conversation whom nobody there vouches for; nothing goes to them. */
  | "audience_refused"
  /** A member has another roster of the group than this device, or somebody changed it who may not. */
  | "roster_differs"
  /** A member was shown another history of the conversation than this device. */
  | "history_differs"
  /** The server has messages of this device that this profile does not know. */
  | "profile_restored"
  /** A file that the server gave out is not the one that was sent; with `file_id`. */
  | "file_rejected";

export const WARNINGS: readonly WarningKind[] = [
  "message_rejected",
  "messages_missing",
  "messages_reordered",
  "messages_lost",
  "history_rewritten",
  "keys_refused",
  "device_refused",
  "contact_refused",
  "audience_refused",
  "roster_differs",
  "history_differs",
  "profile_restored",
  "file_rejected",
];

export type Warning = Readonly<
  Where & { event: WarningKind; reason: string; detail: string; count?: number; file_id?: string }
>;

/** `made`: the roster is new here; `unconfirmed`: the member's account key is another one than the roster's. */
export type RosterChangeKind =
  "made" | "added" | "removed" | "left" | "role_changed" | "confirmed" | "unconfirmed";

type Of<E extends string, M = unknown> = Readonly<{ event: E } & M>;
interface Named {
  readonly user_id: string;
  readonly username: string;
}
interface In {
  readonly conversation_id: string;
}

export type Durable =
  /** A message has come; `message.outgoing` where another device of one's own has sent it. */
  | Of<"message_received", { message: Message }>
  /** A message's content was taken away. `message_id` is null where this device never had it. */
  | Of<"message_deleted", In & { message_id: number | null; seq: number; by: string | null }>
  /** An own message is committed at the server. */
  | Of<"message_sent", { message: Message }>
  /** An own message can't be sent. */
  | Of<"send_failed", { message: Message; reason: string; detail: string }>
  /** The author has given a message another text. */
  | Of<"message_edited", { message: Message }>
  /** The server says that a message was deleted or has expired; its author has not said so, and it stays. */
  | Of<"gone_from_server", In & { message_id: number | null; seq: number }>
  | Of<"conversation_added" | "conversation_updated", In & { title: string }>
  /** Nobody can write any more, or this user is no member any more; the history stays. */
  | Of<"conversation_ended", In>
  /** Who is in a group, and as what, as the server says. */
  | Of<
      "membership_changed",
      In &
        Named & {
          change: "added" | "removed" | "left" | "role_changed";
          role: string | null;
          actor_id: string | null;
          actor: string | null;
        }
    >
  /** A user's account key is another one. Not `accepted`: nothing goes to them until the user accepts it. */
  | Of<"identity_changed", Named & { was_verified: boolean; accepted: boolean }>
  /** Who is in a group, and as what, by the word of its members. `by` is the user who changed it. */
  | Of<"roster_changed", In & Named & { change: RosterChangeKind; role: string | null; by: string | null }>
  /** A user has one listed device more, or one less. */
  | Of<"device_list_changed", Named & { device_id: string; change: "added" | "removed" }>
  /** A new device of one's own asks to be approved. */
  | Of<"device_waiting", { device_id: string }>
  /** This device was approved by an older one. */
  | Of<"device_approved">
  /** The session is over: log in again. */
  | Of<"session_ended", { reason: string }>
  /** Another program is connected as this very device: the profile was copied. */
  | Of<"taken_over">
  /** The server says that its database was replaced by a copy, which may lack the last minutes. */
  | Of<"history_restarted", { doubted: number; sent_again: number; detail: string }>
  | Warning;

export type Ephemeral =
  /** How far a member has come. */
  | Of<"receipt_received", In & Named & { kind: "delivered" | "read"; seq: number }>
  /** How far a file has come, on its way up or down, in bytes. */
  | Of<"transfer_progressed", { transfer: string; done: number; all: number }>
  /** Other warnings stand than before. */
  | Of<"warnings_changed">
  /** Something was written, changed or taken away here: in another tab, it may be. */
  | Of<"history_changed", In>
  /** A member is typing, or has stopped; it lapses after 6 s. */
  | Of<"typing_changed", In & Named & { is_typing: boolean }>
  /** Records of the store were changed on the disk: they are left out, or begun anew. Told once for each table. */
  | Of<"store_damaged", { table: string; detail: string }>
  /** A peer is `online`, `away` or `offline`. */
  | Of<"presence_changed", Named & { status: string; last_seen_at: string }>
  /** The connection is in another state; `retry_at`, in milliseconds since 1970, where it is tried again. */
  | Of<"state_changed", { state: ConnectionState; detail: string; retry_at: number | null }>;

/** A durable event with its position, or an ephemeral one with 0. */
export type Event = Readonly<(Durable | Ephemeral) & { position: number }>;

/** Whether an event tells of what the server, or somebody at it, may have done. */
export function isWarning(event: { readonly event: string }): boolean {
  return WARNINGS.some((one) => one === event.event);
}

/** Whether it stands until the user has dealt with it: a warning, another identity, a device that wants in. */
export function stands({ event }: { readonly event: string }): boolean {
  return isWarning({ event }) || ["identity_changed", "device_waiting", "history_restarted"].includes(event);
}
