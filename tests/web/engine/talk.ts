/** A conversation at a server made of lists: who it lists, what was filed, and what each device is shown. */

import type { DeviceView } from "../../../messenger/web/client/src/engine/sealing.ts";
import { decode } from "../../../messenger/web/client/src/wire/codec.ts";
import {
  type Conversation,
  DRAFT,
  type Draft,
  type Member,
  type Message,
} from "../../../messenger/web/client/src/wire/conversations.ts";
import type { ServerFrames } from "../../../messenger/web/client/src/wire/frames.ts";
import type { Desk, User } from "./desk.ts";

export const MOMENT = "2027-01-15T08:00:00.000Z";

/** A draft at its place. */
export interface Filed {
  readonly seq: number;
  readonly userId: string;
  readonly deviceId: string;
  readonly draft: Draft;
}

export class Talk {
  readonly conversationId = crypto.randomUUID();
  readonly kind: "direct" | "group";
  users: User[];
  readonly filed: Filed[] = [];
  /** Places that are not shown, by device. */
  readonly held = new Map<string, ReadonlySet<number>>();

  constructor(kind: "direct" | "group", users: User[]) {
    this.kind = kind;
    this.users = users;
  }

  said(desk: Desk): Conversation {
    return {
      conversation_id: this.conversationId,
      type: this.kind,
      metadata: null,
      message_ttl: null,
      ended_at: null,
      last_change: 1,
      member_count: this.users.length,
      created_at: MOMENT,
      updated_at: MOMENT,
      role: this.users[0] === desk.user ? "owner" : "member",
      last_seq: this.filed.length,
      first_seq: 1,
      read_seq: 0,
      unread: 0,
    };
  }

  members(): Member[] {
    return this.users.map((one, at) => ({
      user_id: one.userId,
      role: at === 0 ? "owner" : "member",
      joined_at: MOMENT,
      delivered_seq: 0,
      read_seq: 0,
    }));
  }

  view(): DeviceView {
    return new Map(this.users.flatMap((user) => user.desks.map((desk) => [desk.deviceId, user.userId])));
  }

  /** The place of a draft, the one that it has or a new one. */
  file(desk: Desk, raw: Uint8Array): number {
    const draft = decode(DRAFT, raw);
    const known = this.filed.find((one) => one.draft.client_id === draft.client_id);
    if (known !== undefined) return known.seq;
    const seq = this.filed.length + 1;
    this.filed.push({ seq, userId: desk.user.userId, deviceId: desk.deviceId, draft });
    return seq;
  }

  /** What the server shows a device at a place, with what it lies about. */
  at(seq: number, desk: Desk, lies: Partial<Message> = {}): ServerFrames["message"] {
    const filed = this.filed[seq - 1];
    if (filed === undefined) throw new TypeError(`Nothing is filed at ${String(seq)}.`);
    const { draft, userId, deviceId } = filed;
    return {
      type: "message",
      conversation_id: this.conversationId,
      seq,
      sender_id: userId,
      sender_device_id: deviceId,
      client_id: draft.client_id,
      kind: draft.kind,
      content: draft.content ?? null,
      envelope: draft.envelopes?.find((one) => one.device_id === desk.deviceId)?.content ?? null,
      created_at: MOMENT,
      expires_at: null,
      deleted: false,
      ...lies,
    };
  }

  /** Whether a device is shown a place. */
  shows(seq: number, desk: Desk): boolean {
    return this.held.get(desk.deviceId)?.has(seq) !== true;
  }
}
