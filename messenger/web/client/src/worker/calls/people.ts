/** Other users: who they are, whether one believes it, and from whom nothing is heard. */

import type { Acquaintance, Contact, Person } from "../../engine/contacts.ts";
import type { SafetyNumber } from "../../engine/devices.ts";

interface Of {
  readonly username: string;
}

export interface PeopleCalls {
  /** A user by name, as far as known, without beginning anything with them. */
  person: { asked: Of; answer: Acquaintance };
  /** The users that were met. */
  contacts: { asked: null; answer: readonly Contact[] };
  /** Sixty digits to compare, and the own contact link, which the other side may scan instead. */
  safetyNumber: { asked: Of; answer: SafetyNumber & { readonly link: string } };
  /** Mark a user as verified by what was compared: the digits, or the user's contact link; null takes the mark away. */
  verify: { asked: Of & { readonly proof: string | null }; answer: null };
  /** Go on with a user whose identity has changed; `digits` are those that were shown of the new one. */
  acceptIdentity: { asked: Of & { readonly digits: string }; answer: null };
  block: { asked: Of; answer: null };
  unblock: { asked: Of; answer: null };
  blocks: { asked: null; answer: readonly Person[] };
  /** The own contact link. */
  link: { asked: null; answer: string };
  /** Have whom a contact link names as a verified contact. */
  addContact: { asked: { readonly link: string }; answer: Person };
}
