/** What a screen shows of what the engine knows: read when it opens, and again whenever it may have changed. */

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { type Reason, reasonOf } from "../rules/reasons.ts";
import type { Action } from "./action.tsx";

export interface Looking {
  /** Why it could not be read the last time. */
  readonly problem: Signal<Reason | null>;
  /** Read it again; done once it was read after this was called. */
  readonly again: () => Promise<void>;
}

/** `look` reads it, one reading after the other; of those that wait for their turn there is one. Anew with other `of`. */
export function useLooking(look: () => Promise<void>, of: readonly unknown[] = []): Looking {
  const problem = useSignal<Reason | null>(null);
  const latest = useRef(look);
  latest.current = look;
  const last = useRef(Promise.resolve());
  const waiting = useRef<Promise<void> | null>(null);
  const again = (): Promise<void> => {
    waiting.current ??= last.current.then(async () => {
      waiting.current = null;
      problem.value = null;
      try {
        await latest.current();
      } catch (error) {
        problem.value = reasonOf(error);
      }
    });
    last.current = waiting.current;
    return last.current;
  };
  useEffect(() => void again(), of);
  return { problem, again };
}

/**
 * What to call with work that changes what is shown: every press counts, they are done one after the other, and it is
 * read again after each.
 */
export function useDecisions(action: Action, looking: Looking): (work: () => Promise<unknown>) => void {
  const last = useRef(Promise.resolve());
  return (work) => {
    last.current = last.current.then(async () => {
      await action.run(work);
      await looking.again();
    });
  };
}
