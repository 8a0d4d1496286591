/** Groups: their name, and who is in them by the word of their members. */

import type { Role } from "../../e2e/bodies.ts";
import type { GroupMember } from "../../engine/group.ts";

interface In {
  readonly conversationId: string;
}
interface Of {
  readonly username: string;
}

export interface GroupCalls {
  /** The id of a new group, with this user as its owner. `clientId` is a new UUID, so that it is made once. */
  newGroup: {
    asked: { readonly clientId: string; readonly title: string; readonly members: readonly string[] };
    answer: string;
  };
  rename: { asked: In & { readonly title: string }; answer: null };
  /** All of the roster, and who only the server names: not `vouched` for, and nothing goes to them. */
  members: { asked: In; answer: readonly GroupMember[] };
  addMember: { asked: In & Of & { readonly role?: "admin" | "member" }; answer: null };
  removeMember: { asked: In & Of; answer: null };
  /** An owner who makes another one the owner is an admin from then on. */
  setRole: { asked: In & Of & { readonly role: Role }; answer: null };
  /** Take a member's new account key into the roster: from then on the member reads again. */
  confirmMember: { asked: In & Of; answer: null };
  /** What was said stays here. */
  leave: { asked: In; answer: null };
}
