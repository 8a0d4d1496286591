/** Telling the others what was read, while somebody looks at the end of the conversation. */

import { type ReadonlySignal, type Signal, useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import type { ShownConversation } from "../../../worker/protocol.ts";
import type { OpenTalk } from "../../state/talk.ts";

/** How many messages of others have come that were not seen yet. */
export function useReading(
  talk: OpenTalk,
  row: ShownConversation,
  isAtEnd: Signal<boolean>,
): ReadonlySignal<number> {
  const isLooking = useSignal(looks());
  useEffect(() => {
    const look = (): void => {
      isLooking.value = looks();
    };
    const what = ["focus", "blur", "visibilitychange"] as const;
    for (const one of what) addEventListener(one, look, true);
    return () => {
      for (const one of what) removeEventListener(one, look, true);
    };
  }, []);
  const last = talk.messages.value?.findLast((one) => one.seq !== null)?.seq ?? 0;
  const { read_seq } = row;
  const isSeen = isAtEnd.value && isLooking.value;
  useEffect(() => {
    if (isSeen && last > read_seq) talk.read(last).catch(() => undefined); // what comes next tells it again
  }, [isSeen, last, read_seq]);
  return useComputed(
    () =>
      (talk.messages.value ?? []).filter((one) => !one.outgoing && one.seq !== null && one.seq > read_seq)
        .length,
  );
}

function looks(): boolean {
  return document.visibilityState === "visible" && document.hasFocus();
}
