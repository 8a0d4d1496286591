/** One session of those with a peer device (sessions.ts): what is kept of it, and the ratchet that it has. */

import { concat } from "../wire/bytes.ts";
import { type Of, REAL, TRUTH, binary, members, optional } from "../wire/codec.ts";
import { KEY } from "./bodies.ts";
import type { RatchetMessage } from "./envelope.ts";
import { NoSession, ReflectedMessage, Undecryptable } from "./errors.ts";
import { type Random, label, same } from "./primitives.ts";
import { RATCHET, Ratchet } from "./ratchet.ts";

const DATA_LABEL = label("messenger-pairwise-1");

const BYTES = binary(0, Number.POSITIVE_INFINITY);

/** A session. Before its first message it has no ratchet, but what that begins with: secret, signed prekey. */
export const SESSION = members({
  sessionId: binary(16),
  data: BYTES,
  identityKey: KEY,
  createdAt: REAL,
  handshake: optional(BYTES),
  beginning: optional(members({ secret: KEY, signedPrekey: KEY })),
  ratchet: optional(RATCHET),
  sent: TRUTH,
  received: TRUTH,
});

export type Session = Readonly<Of<typeof SESSION>>;

export function associatedOf(session: Session): Uint8Array {
  return concat(DATA_LABEL, session.sessionId, session.data);
}

export function ratchetOf(session: Session, random: Random): Ratchet {
  if (session.ratchet !== undefined) return new Ratchet(session.ratchet);
  if (session.beginning === undefined) throw new NoSession("The session was never begun.");
  return Ratchet.initiator(session.beginning.secret, session.beginning.signedPrekey, random);
}

/** What can't be opened and bears one's own ratchet key is an own message. */
export function reflectionNamed<T>(ratchet: Ratchet, message: RatchetMessage, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (error instanceof Undecryptable && same(message.ratchetKey, ratchet.ownKey())) {
      throw new ReflectedMessage("The server presents an own message as the peer's.");
    }
    throw error;
  }
}
