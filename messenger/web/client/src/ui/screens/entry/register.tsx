/** A new account. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { Check, Field } from "../../parts/field.tsx";
import { faultsOfNew, nameOf } from "../../rules/entry.ts";
import { call } from "../../state/engine.ts";
import { registration } from "../../state/server.ts";
import { words } from "../../words/index.ts";
import { FormOf, bound, useFilled } from "./form.tsx";

export function Register(): JSX.Element {
  const said = words.value.entry;
  const filled = useFilled();
  const isLocked = useSignal(false);
  const isInviteWanted = registration.value === "invite";
  return (
    <FormOf
      filled={filled}
      judge={(form) => faultsOfNew(form, isInviteWanted)}
      send={({ username, password, invite }) =>
        call("register", {
          ...{ username: nameOf(username), password, deviceName: said.deviceName, lock: isLocked.value },
          ...(isInviteWanted ? { invite: invite.trim() } : {}),
        })
      }
      button={said.create}
      busy={said.creating}
      explain={(reason) => (reason === "forbidden" ? said.badInvite : words.value.errors[reason])}
    >
      <Field {...bound(filled, "username")} label={said.name} hint={said.nameHint} autocomplete="username" />
      <Field
        {...bound(filled, "password")}
        label={said.password}
        hint={said.passwordHint}
        autocomplete="new-password"
        isSecret
      />
      {isInviteWanted ? (
        <Field {...bound(filled, "invite")} label={said.invite} hint={said.inviteHint} />
      ) : null}
      <Check
        label={said.lock}
        hint={said.lockHint}
        checked={isLocked.value}
        onChange={(checked) => {
          isLocked.value = checked;
        }}
      />
    </FormOf>
  );
}
