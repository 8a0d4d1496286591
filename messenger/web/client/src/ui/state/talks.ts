/** The list of conversations: asked for anew when something has happened in one, once for all that happens at a time. */

import { computed, signal } from "@preact/signals";

import type { Event } from "../../engine/events.ts";
import type { ShownConversation } from "../../worker/protocol.ts";
import { loadDrafts } from "./drafts.ts";
import { call, listen } from "./engine.ts";
import { spaced } from "./spaced.ts";

const all = signal<readonly ShownConversation[] | null>(null);

/** The one where something happened last comes first. */
export const talks = computed(() =>
  all.value === null ? null : [...all.value].sort((one, other) => activityOf(other) - activityOf(one)),
);
/** Unread messages of all conversations. */
export const unread = computed(() => (all.value ?? []).reduce((sum, one) => sum + one.unread, 0));

export function talkOf(conversation: string): ShownConversation | undefined {
  return all.value?.find((one) => one.conversation_id === conversation);
}

function activityOf({ activity, last, created_at }: ShownConversation): number {
  const said = last === null ? Date.parse(created_at) : Date.parse(last.created_at ?? last.sent_at);
  return Math.max(activity, Number.isNaN(said) ? 0 : said);
}

const NOTHING_NEW: readonly Event["event"][] = [
  "typing_changed",
  "presence_changed",
  "store_damaged",
  "transfer_progressed",
  "warnings_changed",
];

/** Ask for the list anew, soon. */
export const refresh = spaced(async () => {
  all.value = await call("conversations", null);
});

/** Keep the list as it is; until what this gives is called. */
export function keepTalks(): () => void {
  loadDrafts();
  refresh();
  const deaf = listen(({ event }) => {
    if (!NOTHING_NEW.includes(event)) refresh();
  });
  return () => {
    deaf();
    all.value = null;
  };
}
