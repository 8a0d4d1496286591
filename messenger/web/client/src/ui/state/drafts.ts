/** What is begun in each conversation: here at once, and in the engine's store as soon as somebody pauses. */

import { signal } from "@preact/signals";

import { call } from "./engine.ts";

const PAUSE = 400; // milliseconds

/** Whether those that were kept are here. */
export const areLoaded = signal(false);

const drafts = new Map<string, string>();
const waiting = new Map<string, ReturnType<typeof setTimeout>>();

/** Have those that were kept; what was typed meanwhile stands. */
export function loadDrafts(): void {
  call("drafts", null).then(
    (found) => {
      for (const { conversation_id, text } of found) {
        if (!drafts.has(conversation_id)) drafts.set(conversation_id, text);
      }
      areLoaded.value = true;
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
  const keep = (): void => {
    keepNow(conversation);
  };
  waiting.set(conversation, setTimeout(keep, PAUSE));
}

/** The page or the conversation may be gone in a moment: keep what is begun, now. */
export function keepDrafts(): void {
  for (const conversation of [...waiting.keys()]) keepNow(conversation);
}

function keepNow(conversation: string): void {
  clearTimeout(waiting.get(conversation));
  waiting.delete(conversation);
  const text = draftOf(conversation);
  call("keepDraft", { conversationId: conversation, text }).catch(() => undefined); // it stands in the field
}
