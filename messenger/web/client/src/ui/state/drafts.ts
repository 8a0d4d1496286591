/** What is begun in each conversation: here at once, and in the engine's store as soon as somebody pauses. */

import { call } from "./engine.ts";

const PAUSE = 400; // milliseconds

const drafts = new Map<string, string>();
const waiting = new Map<string, ReturnType<typeof setTimeout>>();

/** Have those that were kept; what was typed meanwhile stands. */
export function loadDrafts(): void {
  call("drafts", null).then(
    (found) => {
      for (const { conversation_id, text } of found) {
        if (!drafts.has(conversation_id)) drafts.set(conversation_id, text);
      }
    },
    () => undefined, // the status says what is wrong
  );
}

export function draftOf(conversation: string): string {
  return drafts.get(conversation) ?? "";
}

export function keepDraft(conversation: string, text: string): void {
  drafts.set(conversation, text);
  clearTimeout(waiting.get(conversation));
  waiting.set(
    conversation,
    setTimeout(() => {
      waiting.delete(conversation);
      call("keepDraft", { conversationId: conversation, text }).catch(() => undefined); // it stands in the field
    }, PAUSE),
  );
}
