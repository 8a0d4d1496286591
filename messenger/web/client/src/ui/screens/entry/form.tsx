/** What forms of the way in have in common: what is typed, what is wrong, and that something is under way. */

import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useRef } from "preact/hooks";

import type { Faults, Form } from "../../rules/entry.ts";
import { type Reason, reasonOf } from "../../rules/reasons.ts";
import { words } from "../../words/index.ts";

export interface Filled {
  readonly form: Signal<Form>;
  readonly faults: Signal<Faults>;
  /** Why the last try came to nothing. */
  readonly problem: Signal<Reason | null>;
  readonly isBusy: Signal<boolean>;
}

export function useFilled(username = ""): Filled {
  return {
    form: useSignal<Form>({ username, password: "", invite: "", code: "" }),
    faults: useSignal<Faults>({}),
    problem: useSignal<Reason | null>(null),
    isBusy: useSignal(false),
  };
}

/** What a field of the form is given. */
export function bound(
  filled: Filled,
  name: keyof Form,
): {
  name: string;
  value: string;
  fault: string | undefined;
  disabled: boolean;
  onType: (value: string) => void;
} {
  const { form, faults, isBusy } = filled;
  const fault = faults.value[name];
  return {
    name,
    value: form.value[name],
    fault: fault === undefined ? undefined : words.value.faults[fault],
    disabled: isBusy.value,
    onType: (value) => {
      form.value = { ...form.value, [name]: value };
      faults.value = { ...faults.value, [name]: undefined };
    },
  };
}

/** A form. `judge` says what is wrong before `send` is asked. */
export function FormOf({
  filled,
  judge,
  send,
  button,
  busy,
  explain = (reason) => words.value.errors[reason],
  children,
}: {
  readonly filled: Filled;
  readonly judge: (form: Form) => Faults;
  readonly send: (form: Form) => Promise<unknown>;
  readonly button: string;
  /** What the button says meanwhile. */
  readonly busy: string;
  readonly explain?: (reason: Reason) => string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { form, faults, problem, isBusy } = filled;
  const place = useRef<HTMLFormElement>(null);
  const submit = async (): Promise<void> => {
    if (isBusy.value) return;
    problem.value = null;
    faults.value = judge(form.value);
    const [first] = Object.keys(faults.value);
    if (first !== undefined) {
      place.current?.querySelector<HTMLInputElement>(`[name="${first}"]`)?.focus();
      return;
    }
    isBusy.value = true;
    try {
      await send(form.value);
    } catch (error) {
      problem.value = reasonOf(error);
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <form
      ref={place}
      class="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {children}
      <div role="alert">
        {problem.value === null ? null : <p class="problem">{explain(problem.value)}</p>}
      </div>
      {/* Not disabled: it keeps the focus. */}
      <button type="submit" class="button main" aria-disabled={isBusy.value}>
        {isBusy.value ? busy : button}
      </button>
    </form>
  );
}
