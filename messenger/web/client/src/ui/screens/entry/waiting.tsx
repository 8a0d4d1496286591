/** This browser is new in an account that has other devices: one of these has to approve it, by a code shown here. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useId } from "preact/hooks";

import { Button } from "../../parts/button.tsx";
import { Qr } from "../../parts/qr.tsx";
import { type Reason, reasonOf } from "../../rules/reasons.ts";
import { call } from "../../state/engine.ts";
import { words } from "../../words/index.ts";

/** A code holds for ten minutes; a new one is here before that. */
const ANEW = 9 * 60_000;

export function Waiting(): JSX.Element {
  const said = words.value.waiting;
  const heading = useId();
  const code = useSignal<string | null>(null);
  const problem = useSignal<Reason | null>(null);
  const ask = (): void => {
    problem.value = null;
    call("deviceCode", null).then(
      (found) => {
        code.value = found;
      },
      (error: unknown) => {
        problem.value = reasonOf(error);
      },
    );
  };
  useEffect(() => {
    ask();
    const timer = setInterval(ask, ANEW);
    return () => {
      clearInterval(timer);
    };
  }, []);
  return (
    // It may be longer than the screen, and has nothing else that takes the focus.
    <div class="middle" role="region" aria-labelledby={heading} tabIndex={0}>
      <div class="card">
        <h1 id={heading}>{said.title}</h1>
        <p>{said.why}</p>
        <ol class="steps">
          {said.steps.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ol>
        <p class="code" aria-label={said.code} role="status">
          {code.value ?? "…"}
        </p>
        {code.value === null ? null : <Qr text={code.value} label={words.value.devices.codeLabel} />}
        {problem.value === null ? null : (
          <div role="alert" class="stack">
            <p class="problem">{words.value.errors[problem.value]}</p>
            <Button onPress={ask}>{words.value.common.retry}</Button>
          </div>
        )}
        <p class="hint">{said.hint}</p>
      </div>
    </div>
  );
}
