/**
 * What a payload can say: JSON objects told apart by `type`. Bytes are base64.
 *
 * An application passes over a type that it doesn't know (`Unknown`), so that newer clients can say more.
 */

import {
  type Codec,
  type Of,
  Misfit,
  TRUTH,
  binary,
  defaulted,
  list,
  members,
  oneOf,
  optional,
  orNull,
  orText,
  parsed,
  text,
  whole,
} from "../wire/codec.ts";
import { Malformed } from "./errors.ts";

export const KEY = binary(32);
export const BIGGEST = 2 ** 53 - 1;
export const VERSION = whole(1, BIGGEST);
export const ROLE = oneOf("owner", "admin", "member");
/** Seconds, up to a year. */
export const EXPIRES_IN = whole(1, 31_536_000);
const ID16 = binary(16);
const PIXELS = whole(1, 65_535);
const MAX_UINT32 = 2 ** 32 - 1;
const MAX_MEMBERS = 1_000;

/** Where a file is and how it is read. `sha256` is of the stored blob, `size` of the file, in bytes. */
export const FILE_REFERENCE = members({
  file_id: text(),
  key: KEY,
  sha256: KEY,
  size: whole(0, 2 ** 47),
  name: text(1_024),
  media_type: text(255),
});

/** A message of the same conversation, by what its author calls it. */
export const MESSAGE_REFERENCE = members({ device_id: text(), client_id: text() });

/** A member of a group as its members see it: under this account key, in this role. */
export const ROSTER_MEMBER = members({ user_id: text(), account_key: KEY, role: ROLE });

// what people say

/** A text; `mentions` are user ids. A `reply_to` that is a bare client_id is an older client's. */
const TEXT = members({
  type: oneOf("text"),
  text: text(),
  reply_to: optional(orText(MESSAGE_REFERENCE)),
  mentions: optional(list(text(), 100)),
});

/** A file, and what is said about it. `duration` is in milliseconds, `width` and `height` in pixels. */
const FILE = members({
  type: oneOf("file"),
  file: FILE_REFERENCE,
  text: defaulted(text(), ""),
  thumbnail: optional(binary(0, 16_384)),
  duration: optional(whole(0, MAX_UINT32)),
  waveform: optional(list(whole(0, 255), 256)),
  width: optional(PIXELS),
  height: optional(PIXELS),
  reply_to: optional(MESSAGE_REFERENCE),
});

/** What the author thinks of a message; an empty `emoji` takes it back. */
const REACTION = members({ type: oneOf("reaction"), message: MESSAGE_REFERENCE, emoji: text(64) });

/** Another text for a message of the author's own. */
const EDIT = members({ type: oneOf("edit"), message: MESSAGE_REFERENCE, text: text() });

/** Take a message away: the author's own, or, by an admin of the roster, anybody's in the group. */
const DELETE = members({ type: oneOf("delete"), message: MESSAGE_REFERENCE });

/** How many seconds later messages are kept in this conversation; null for ever. */
const TIMER = members({ type: oneOf("timer"), expires_in: orNull(EXPIRES_IN) });

// what devices say

/** A sender's chain from `iteration` on; `number` is what the sender's next message will bear. */
const SENDER_KEY = members({
  type: oneOf("sender_key"),
  chain_id: ID16,
  iteration: whole(0, MAX_UINT32),
  chain_key: KEY,
  signature_key: KEY,
  number: VERSION,
});

/** To a device that is new in a direct conversation: `number` is what the sender's next message will bear. */
const START = members({ type: oneOf("start"), number: VERSION });

/** The message `client_id` of this conversation could not be decrypted. */
const RESEND_REQUEST = members({ type: oneOf("resend_request"), client_id: text() });

/** A message again: its payload as it was, encoded. */
const RESENT = members({ type: oneOf("resent"), payload: binary(0, Number.POSITIVE_INFINITY) });

/** The account's private key for a new device; `proof` is by the secret in the code that it showed. */
const ACCOUNT_GRANT = members({ type: oneOf("account_grant"), seed: KEY, proof: KEY });

/** The key of the conversation's `metadata`. */
const METADATA_KEY = members({ type: oneOf("metadata_key"), key: KEY });

/** A group's whole roster, to some devices of it. */
const ROSTER = members({
  type: oneOf("roster"),
  version: VERSION,
  members: list(ROSTER_MEMBER, MAX_MEMBERS),
});

/**
 * The next version of a group's roster: the one with the digest `previous`, less those of `remove`, and with
 * each of `put` as a new member or in the place of the one with its user_id.
 */
const ROSTER_CHANGE = members({
  type: oneOf("roster_change"),
  version: VERSION,
  previous: KEY,
  put: defaulted(list(ROSTER_MEMBER, MAX_MEMBERS), []),
  remove: defaulted(list(text(), MAX_MEMBERS), []),
});

/** The sender has no roster, or an older one than the receiver's messages name: `version`, 0 for none. */
const ROSTER_REQUEST = members({ type: oneOf("roster_request"), version: whole(0, BIGGEST) });

// to one's own devices

/** The user has compared the safety number of this account key. */
const VERIFIED = members({ type: oneOf("verified"), user_id: text(), account_key: KEY });

/** The user has read a conversation up to this message. */
const READ_MARK = members({ type: oneOf("read_mark"), conversation_id: text(), message: MESSAGE_REFERENCE });

/** A conversation is muted until a time (RFC 3339); null takes it back. */
const MUTE = members({ type: oneOf("mute"), conversation_id: text(), until: orNull(text()) });

/** A conversation is put aside, or taken out again. */
const ARCHIVE = members({ type: oneOf("archive"), conversation_id: text(), archived: TRUTH });

/** A conversation stands on top, or no more. */
const PIN = members({ type: oneOf("pin"), conversation_id: text(), pinned: TRUTH });

/** What the user has written down about a conversation; an empty `text` takes it away. */
const NOTE = members({ type: oneOf("note"), conversation_id: text(), text: text(16_384) });

const BODIES = {
  text: TEXT,
  file: FILE,
  reaction: REACTION,
  edit: EDIT,
  delete: DELETE,
  timer: TIMER,
  sender_key: SENDER_KEY,
  start: START,
  resend_request: RESEND_REQUEST,
  resent: RESENT,
  account_grant: ACCOUNT_GRANT,
  metadata_key: METADATA_KEY,
  roster: ROSTER,
  roster_change: ROSTER_CHANGE,
  roster_request: ROSTER_REQUEST,
  verified: VERIFIED,
  read_mark: READ_MARK,
  mute: MUTE,
  archive: ARCHIVE,
  pin: PIN,
  note: NOTE,
} as const;

export type Role = Of<typeof ROLE>;
export type FileReference = Readonly<Of<typeof FILE_REFERENCE>>;
export type MessageReference = Readonly<Of<typeof MESSAGE_REFERENCE>>;
export type RosterMember = Readonly<Of<typeof ROSTER_MEMBER>>;
export type Text = Readonly<Of<typeof TEXT>>;
export type FileBody = Readonly<Of<typeof FILE>>;
export type SenderKey = Readonly<Of<typeof SENDER_KEY>>;
export type ResendRequest = Readonly<Of<typeof RESEND_REQUEST>>;
export type Resent = Readonly<Of<typeof RESENT>>;
export type AccountGrant = Readonly<Of<typeof ACCOUNT_GRANT>>;
export type RosterBody = Readonly<Of<typeof ROSTER>>;
export type RosterChange = Readonly<Of<typeof ROSTER_CHANGE>>;

/** A body of a type that this client knows. */
export type Known = { [K in keyof typeof BODIES]: Readonly<Of<(typeof BODIES)[K]>> }[keyof typeof BODIES];

/** A body of another type. */
export interface Unknown {
  readonly type: null;
  readonly unknown: string;
}

export type Body = Known | Unknown;

/** The types that this client knows. */
export const TYPES: ReadonlySet<string> = new Set(Object.keys(BODIES));

const UNKNOWN = members({ type: text() });

/** The body as JSON, to be a payload's member; Malformed for a text that is no Unicode. */
export function encodeBody(body: Known): string {
  return malformedOf(() => (BODIES[body.type] as Codec<Known>).write(body));
}

/** The body; Malformed where it does not fit its type. */
export function decodeBody(json: string): Body {
  return malformedOf(() => {
    const { value } = parsed(json);
    const { type } = UNKNOWN.read(value);
    return isKnown(type) ? (BODIES[type] as Codec<Known>).read(value) : { type: null, unknown: type };
  });
}

/** What is done, with Malformed for Misfit. */
export function malformedOf<T>(done: () => T): T {
  try {
    return done();
  } catch (error) {
    throw error instanceof Misfit ? new Malformed(`The message does not fit: ${error.message}.`) : error;
  }
}

function isKnown(type: string): type is keyof typeof BODIES {
  return TYPES.has(type);
}
