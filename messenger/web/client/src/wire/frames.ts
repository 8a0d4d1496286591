/**
 * The frames of the WebSocket, both ways: JSON objects told apart by `type`.
 *
 * Several may come as one JSON array in one WebSocket message. Types that are not known are passed over.
 */

import { COUNT, KIND, NAME, PLACE, TIME } from "./basics.ts";
import {
  type Codec,
  ID,
  Misfit,
  type Of,
  TRUTH,
  defaulted,
  members,
  oneOf,
  optional,
  parsed,
  text,
} from "./codec.ts";
import { CHANGE_MEMBERS, DRAFT_MEMBERS, MESSAGE_MEMBERS } from "./conversations.ts";
import { type Problem, problemOf } from "./errors.ts";

export const SUBPROTOCOL = "messenger.v1";
export const BEARER_PREFIX = "bearer.";
/** Bytes of one WebSocket message that the server takes. */
export const MAX_FRAME = 1_048_576;

// Close codes (RFC 6455 section 7.4 and our own range).
export const GOING_AWAY = 1001;
export const ABNORMAL = 1006;
export const TOKEN_EXPIRED = 4401;
export const TOO_SLOW = 4408;
export const TAKEN_OVER = 4409;
export const TOO_FAST = 4429;

const REF = text(64, 1);

const TO_SERVER = {
  /** A draft, answered by `sent` or `error`. */
  send: members({ ref: REF, conversation_id: ID, ...DRAFT_MEMBERS }),
  /** This device has stored everything up to there. */
  ack: members({ conversation_id: ID, seq: optional(COUNT), change: optional(COUNT) }),
  /** The user has seen up to `seq`. */
  read: members({ conversation_id: ID, seq: COUNT }),
  /** The user is typing, or has stopped. */
  typing: members({ conversation_id: ID, is_typing: TRUTH }),
  /** How the device wishes to be seen. */
  presence: members({ status: oneOf("online", "away") }),
  /** Send again what follows `after`, own messages included. */
  resend: members({ conversation_id: ID, after: COUNT }),
  /** A fresh access token of the same session. */
  token: members({ ref: REF, access_token: text(8_192) }),
  /** For clients that can't see the protocol's own pings. */
  ping: members({ ref: REF }),
};

const FROM_SERVER = {
  /** The first frame of a socket; `heartbeat` is in seconds between the server's pings, `epoch` opaque. */
  hello: members({
    user_id: ID,
    device_id: ID,
    server_time: TIME,
    heartbeat: COUNT,
    epoch: defaulted(NAME, ""),
  }),
  /** The backlog is through. */
  synced: members({}),
  /** The message is committed. */
  sent: members({ ref: REF, conversation_id: ID, seq: PLACE, created_at: TIME }),
  /** A message for this device. */
  message: members(MESSAGE_MEMBERS),
  /** A change to a conversation of this device's user. */
  change: members({ conversation_id: ID, ...CHANGE_MEMBERS }),
  /** How far a member has come. */
  receipt: members({ kind: oneOf("delivered", "read"), conversation_id: ID, user_id: ID, seq: COUNT }),
  /** A member is typing, or has stopped; it lapses after 6 s. */
  typing: members({ conversation_id: ID, user_id: ID, is_typing: TRUTH }),
  /** A peer is `online`, `away` or `offline`. */
  presence: members({ user_id: ID, status: KIND, last_seen_at: TIME }),
  /** A device of a peer or one's own was published or removed, or an own one waits (`published`, too):
   * time to look at keys again. */
  device: members({ event: KIND, user_id: ID, device_id: ID }),
  /** This device has few one-time prekeys left. */
  prekeys: members({ one_time_prekeys: COUNT }),
  /** The fresh token holds for `expires_in` seconds. */
  token: members({ ref: REF, expires_in: COUNT }),
  /** The answer to a `ping`. */
  pong: members({ ref: REF }),
};

type Typed<F> = { [T in keyof F & string]: Readonly<{ type: T } & Of<F[T]>> };

export type ClientFrames = Typed<typeof TO_SERVER>;
export type ClientFrame = ClientFrames[keyof ClientFrames];
/** The server says no to a frame; `ref` is null where the frame bore none that could be read. */
export interface ErrorFrame {
  readonly type: "error";
  readonly ref: string | null;
  readonly problem: Problem;
}
export type ServerFrames = Typed<typeof FROM_SERVER> & { error: ErrorFrame };
export type ServerFrame = ServerFrames[keyof ServerFrames];
export type Hello = ServerFrames["hello"];

/** Something that is no frame. */
export class BadFrame extends Error {
  override readonly name = "BadFrame";
}

/** The frames of one WebSocket message of the server; BadFrame. */
export function readFrames(message: string): ServerFrame[] {
  try {
    const { value } = parsed(message);
    const found: ServerFrame[] = [];
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      const frame = readFrame(one);
      if (frame !== undefined) found.push(frame);
    }
    return found;
  } catch (error) {
    throw error instanceof Misfit ? new BadFrame(error.message) : error;
  }
}

/** One frame of the server; `undefined` for a type that is not known. Misfit, which names type and member. */
export function readFrame(value: unknown): ServerFrame | undefined {
  const type = TYPE.read(value).type;
  if (type === "error") return errorOf(value as Readonly<Record<string, unknown>>);
  if (!Object.hasOwn(FROM_SERVER, type)) return undefined;
  return { type, ...readAs(type, FROM_SERVER[type as keyof typeof FROM_SERVER], value) } as ServerFrame;
}

/** One frame of a client, as the server would read it; for tests. Misfit. */
export function readClientFrame(value: unknown): ClientFrame {
  const type = TYPE.read(value).type;
  if (!Object.hasOwn(TO_SERVER, type)) throw new Misfit("expected a type that is known");
  return { type, ...readAs(type, TO_SERVER[type as keyof typeof TO_SERVER], value) } as ClientFrame;
}

/** A frame of ours as JSON; Misfit for a text that is no Unicode. */
export function writeFrame(frame: ClientFrame): string {
  const codec = TO_SERVER[frame.type] as Codec<unknown>;
  const rest = codec.write(frame);
  return `{"type":"${frame.type}"${rest === "{}" ? "" : ","}${rest.slice(1)}`;
}

/** The types that either side knows: what a test compares with the server's. */
export const CLIENT_TYPES: readonly string[] = Object.keys(TO_SERVER);
export const SERVER_TYPES: readonly string[] = [...Object.keys(FROM_SERVER), "error"];

const TYPE = members({ type: text(64) });

function errorOf(value: Readonly<Record<string, unknown>>): ErrorFrame {
  const ref = value["ref"];
  return {
    type: "error",
    ref: typeof ref === "string" ? ref : null,
    problem: problemOf(value, "error"),
  };
}

function readAs(type: string, codec: Codec<unknown>, value: unknown): object {
  try {
    return codec.read(value) as object;
  } catch (error) {
    throw error instanceof Misfit ? new Misfit(`${type}: ${error.message}`) : error;
  }
}
