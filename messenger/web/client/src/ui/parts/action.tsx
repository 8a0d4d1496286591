/** Something that is asked of the engine: that it is under way, and why it came to nothing. */

import { type Signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { type Reason, reasonOf } from "../rules/reasons.ts";
import { words } from "../words/index.ts";

export interface Action {
  readonly isBusy: Signal<boolean>;
  readonly problem: Signal<Reason | null>;
  /** Do it, unless something is under way; what it comes to, or nothing. */
  readonly run: <T>(work: () => Promise<T>) => Promise<T | undefined>;
}

export function useAction(): Action {
  const isBusy = useSignal(false);
  const problem = useSignal<Reason | null>(null);
  return {
    isBusy,
    problem,
    run: async (work) => {
      if (isBusy.value) return undefined;
      isBusy.value = true;
      problem.value = null;
      try {
        return await work();
      } catch (error) {
        problem.value = reasonOf(error);
        return undefined;
      } finally {
        isBusy.value = false;
      }
    },
  };
}

/** Why it came to nothing; the place is always there, so that it is read out. */
export function Problem({ of }: { readonly of: Pick<Action, "problem"> }): JSX.Element {
  return (
    <div role="alert">
      {of.problem.value === null ? null : <p class="problem">{words.value.errors[of.problem.value]}</p>}
    </div>
  );
}
