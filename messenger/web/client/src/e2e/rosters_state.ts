/** What is kept of a conversation's rosters (rosters.ts), as it is written down. */

import { type Of, REAL, binary, list, members, optional, pair, text, whole } from "../wire/codec.ts";
import { BIGGEST, ROLE } from "./bodies.ts";

const COUNT = whole(0, BIGGEST);
// Of version 0 account keys may be empty, and the digest is.
const ENTRY = members({ user_id: text(), account_key: binary(0, 32), role: ROLE });
const KEPT_ROSTER = members({ seq: COUNT, version: COUNT, members: list(ENTRY), digest: binary(0, 32) });

/** A change of one's own that is under way: what it is to do, and how often it was tried. */
const INTENT = members({ put: list(ENTRY), remove: list(text()), tries: COUNT });

export const STATE = members({
  conversationId: text(),
  kept: list(KEPT_ROSTER), // the oldest first
  given: list(pair(text(), text())), // device, user
  intents: list(pair(text(), INTENT)),
  done: optional(pair(COUNT, INTENT)),
  askedAt: REAL,
  asked: COUNT, // times, since a roster came last
  told: list(text()),
});

export type State = Of<typeof STATE>;
export type Kept = Of<typeof KEPT_ROSTER>;
export type Intent = Readonly<Of<typeof INTENT>>;
