/** What is begun in each conversation, as long as the page is open. */

const drafts = new Map<string, string>();

export function draftOf(conversation: string): string {
  return drafts.get(conversation) ?? "";
}

export function keepDraft(conversation: string, text: string): void {
  if (text === "") drafts.delete(conversation);
  else drafts.set(conversation, text);
}
