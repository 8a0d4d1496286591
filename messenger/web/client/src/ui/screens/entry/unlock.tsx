/** What is kept here is locked by the account's password. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { Button } from "../../parts/button.tsx";
import { Field } from "../../parts/field.tsx";
import { call } from "../../state/engine.ts";
import { words } from "../../words/index.ts";
import { Forget } from "./forget.tsx";
import { FormOf, bound, useFilled } from "./form.tsx";

export function Unlock(): JSX.Element {
  const said = words.value.entry;
  const filled = useFilled();
  const isForgotten = useSignal(false);
  if (isForgotten.value) {
    return (
      <Forget
        said={said.forgotten}
        onStay={() => {
          isForgotten.value = false;
        }}
      />
    );
  }
  return (
    <>
      <FormOf
        filled={filled}
        judge={({ password }) => (password === "" ? { password: "password_wanted" } : {})}
        send={({ password }) => call("unlock", { password })}
        button={said.open}
        busy={said.opening}
      >
        <Field
          {...bound(filled, "password")}
          label={said.password}
          autocomplete="current-password"
          isSecret
        />
      </FormOf>
      <Button
        kind="link"
        onPress={() => {
          isForgotten.value = true;
        }}
      >
        {said.cantOpen}
      </Button>
    </>
  );
}
