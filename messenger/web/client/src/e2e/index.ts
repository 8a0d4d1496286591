/**
 * End-to-end encryption, without any I/O: what a hostile server can't read, change or refile unnoticed.
 *
 * Bytes, times and randomness go in, bytes and named errors come out, and nothing is waited for. State objects
 * are written down by `toBytes`; what throws leaves them as they were. How it all works, so that another
 * implementation understands it, stands in docs/encryption.md; the order of reading here is primitives, envelope,
 * payload, prekeys, agreement, ratchet, sessions, groups, rosters, then trust, provisioning, files, resend,
 * progress and what was seen. The modules have the names of the Python client's.
 */

export { AccountKey, ownConversationId, safetyNumber } from "./account.ts";
export type {
  AccountGrant,
  Body,
  FileBody,
  FileReference,
  Known,
  MessageReference,
  ResendRequest,
  Resent,
  Role,
  RosterBody,
  RosterChange,
  RosterMember,
  SenderKey,
  Text,
  Unknown,
} from "./bodies.ts";
export { type ContactCode, contactLink, fitsContact, readContactLink } from "./contacts.ts";
export { beginsSession, chainIdOf } from "./envelope.ts";
export * as errors from "./errors.ts";
export { FileDecryptor, FileEncryptor, storedSize } from "./files.ts";
export { ReceivedChains } from "./chains.ts";
export { SendingChain } from "./groups.ts";
export {
  type ConversationMetadata,
  type FileMetadata,
  openConversationMetadata,
  openFileMetadata,
  sealConversationMetadata,
  sealFileMetadata,
} from "./metadata.ts";
export { MAX_PAYLOAD } from "./padding.ts";
export { type Derived, type Kdf, derive, judge, newKdf } from "./password.ts";
export {
  type Claimed,
  type Payload,
  type RosterMark,
  type Seen,
  bodyOf,
  decodePayload,
  encodePayload,
  newPayload,
} from "./payload.ts";
export { DeviceKeys } from "./prekeys.ts";
export { Progress, type Run, type Verdict } from "./progress.ts";
export { DeviceCode, acceptGrant, grant, matchCode } from "./provisioning.ts";
export { RESEND_KEPT, RESEND_MESSAGES, type Question, ResendRequests, SentMessage } from "./resend.ts";
export { Roster } from "./roster.ts";
export { type Changed, type Intent, Rosters, type Standing } from "./rosters.ts";
export { type Place, differs, seenOf } from "./seen.ts";
export { type Opened, type PeerDevice, PeerSessions } from "./sessions.ts";
export { type KnownDevice, KnownUser, type Policy, type TrustEvent } from "./trust.ts";
