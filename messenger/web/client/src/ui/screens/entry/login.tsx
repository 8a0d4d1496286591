/** A login: to an account that is used elsewhere, or once more as this device. */

import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";

import { Check, Field } from "../../parts/field.tsx";
import { faultsOfLogin, nameOf } from "../../rules/entry.ts";
import { call } from "../../state/engine.ts";
import { words } from "../../words/index.ts";
import { FormOf, bound, useFilled } from "./form.tsx";

/** `as`: the name of the account that this browser has. */
export function Login({ as, onDone }: { readonly as?: string; readonly onDone?: () => void }): JSX.Element {
  const said = words.value.entry;
  const filled = useFilled(as);
  const isLocked = useSignal(false);
  const isCodeWanted = useSignal(false);
  useSignalEffect(() => {
    if (filled.problem.value !== "code_wanted") return;
    isCodeWanted.value = true;
    filled.problem.value = null;
  });
  const withCode = isCodeWanted.value;
  return (
    <FormOf
      filled={filled}
      judge={(form) => faultsOfLogin(form, withCode)}
      send={async ({ username, password, code }) => {
        await call("login", {
          ...{ username: nameOf(username), password, deviceName: said.deviceName },
          ...(as === undefined ? { lock: isLocked.value } : {}),
          ...(withCode ? { secondFactor: code.trim() } : {}),
        });
        onDone?.();
      }}
      button={said.login}
      busy={said.loggingIn}
      explain={(reason) => (withCode && reason === "wrong_login" ? said.badCode : words.value.errors[reason])}
    >
      {as === undefined ? (
        <Field {...bound(filled, "username")} label={said.name} autocomplete="username" />
      ) : null}
      <Field
        {...bound(filled, "password")}
        label={said.password}
        autocomplete="current-password"
        isFirst={as !== undefined}
        isSecret
      />
      {withCode ? (
        <Field
          {...bound(filled, "code")}
          label={said.code}
          hint={said.codeHint}
          autocomplete="one-time-code"
          inputMode="text"
        />
      ) : null}
      {as === undefined ? (
        <Check
          label={said.lock}
          hint={said.lockHint}
          checked={isLocked.value}
          onChange={(checked) => {
            isLocked.value = checked;
          }}
        />
      ) : null}
    </FormOf>
  );
}
