/** Taking away what this browser keeps of the account, once somebody has agreed to that. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { Button } from "../../parts/button.tsx";
import { type Reason, reasonOf } from "../../rules/reasons.ts";
import { call } from "../../state/engine.ts";
import { words } from "../../words/index.ts";

export function Forget({
  said,
  onStay,
}: {
  readonly said: { readonly title: string; readonly lines: readonly string[] };
  readonly onStay: () => void;
}): JSX.Element {
  const problem = useSignal<Reason | null>(null);
  return (
    <div class="stack">
      <h2>{said.title}</h2>
      {said.lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
      <div role="alert">
        {problem.value === null ? null : <p class="problem">{words.value.errors[problem.value]}</p>}
      </div>
      <Button
        kind="danger"
        onPress={() => {
          call("forget", null).catch((error: unknown) => {
            problem.value = reasonOf(error);
          });
        }}
      >
        {words.value.entry.forget}
      </Button>
      <Button onPress={onStay}>{words.value.common.cancel}</Button>
    </div>
  );
}
