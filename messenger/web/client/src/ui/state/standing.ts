/** The engine's warnings, put into their slots: there as long as they stand, whatever page or tab is looked at. */

import { effect, signal } from "@preact/signals";

import type { ShownWarning } from "../../worker/protocol.ts";
import { inWords, remedyOf } from "../rules/warnings.ts";
import { isolated } from "../rules/texts.ts";
import { words } from "../words/index.ts";
import { call, listen } from "./engine.ts";
import { go, routeTo } from "./router.ts";
import { type ShownWarning as Slot, warnings } from "./warnings.ts";

const OURS = "engine/";
const MOST_AT_ONCE = 3; // of one conversation: the others wait until these are dealt with

const standing = signal<readonly ShownWarning[]>([]);

/** Show what stands from now on; until what this gives is called. */
export function keepWarnings(): () => void {
  let isOver = false;
  const look = (): void => {
    call("warnings", { conversationId: null }).then(
      (found) => {
        if (!isOver) standing.value = found;
      },
      () => undefined, // what is wrong is told by the status; it is asked again with the next one
    );
  };
  look();
  const deaf = listen(({ event }) => {
    if (event === "warnings_changed") look();
  });
  // In another language they are put anew.
  const still = effect(() => {
    put(standing.value.map(slotOf));
  });
  return () => {
    isOver = true;
    deaf();
    still();
    put([]);
  };
}

function put(slots: readonly Slot[]): void {
  const counts = new Map<string | null, number>();
  const shown = slots.filter(({ conversation, refuses }) => {
    const count = (counts.get(conversation) ?? 0) + 1;
    counts.set(conversation, count);
    return refuses || count <= MOST_AT_ONCE;
  });
  warnings.value = [...warnings.peek().filter((one) => !one.key.startsWith(OURS)), ...shown];
}

function slotOf(warning: ShownWarning): Slot {
  const { id, username, talk, refuses } = warning;
  const said = words.value.warnings;
  const actions: { label: string; act: () => void }[] = [];
  switch (remedyOf(warning)) {
    case "compare":
      actions.push({
        label: said.compare,
        act: () => {
          go(routeTo("person", { username: username ?? "" }), { sheet: true });
        },
      });
      break;
    case "devices":
      actions.push({
        label: said.devices,
        act: () => {
          go(routeTo("devices", null), { sheet: true });
        },
      });
      break;
    case "members":
      actions.push({
        label: said.members,
        act: () => {
          go(routeTo("group", { conversation: warning.conversation_id ?? "" }), { sheet: true });
        },
      });
      break;
    case null:
      break;
  }
  if (!refuses) {
    actions.push({
      label: said.understood,
      act: () => {
        call("settle", { id }).catch(() => undefined); // then it stands, and can be tried again
      },
    });
  }
  const who = username === null ? "" : isolated(username);
  return {
    key: `${OURS}${String(id)}`,
    conversation: talk,
    refuses,
    actions,
    ...inWords(warning, words.value, who),
  };
}
