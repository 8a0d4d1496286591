/** Drafts: what is begun in conversations. */

import type { Draft } from "../../store/drafts.ts";

export interface DraftCalls {
  /** All drafts. What is sent in a conversation takes its draft away. */
  drafts: { asked: null; answer: readonly Draft[] };
  /** What is begun in one; empty where nothing is. */
  draft: { asked: { readonly conversationId: string }; answer: string };
  /** Keep what is begun; an empty text is none. */
  keepDraft: { asked: { readonly conversationId: string; readonly text: string }; answer: null };
}
