/** Warnings, which stand until the user has dealt with them. */

import type { ShownWarning } from "../../engine/standing.ts";

export interface WarningCalls {
  /** All, or those that matter in a conversation, the oldest first. */
  warnings: { asked: { readonly conversationId: string | null }; answer: readonly ShownWarning[] };
  /** The user has dealt with it. Refused for an identity that is not accepted: that is decided by `acceptIdentity`. */
  settle: { asked: { readonly id: number }; answer: null };
}
