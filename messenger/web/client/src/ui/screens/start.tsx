/** Write to somebody new: by name, by a contact link, or as a group. */

import type { JSX } from "preact";

import { Button } from "../parts/button.tsx";
import { Field } from "../parts/field.tsx";
import { isName, nameOf } from "../rules/entry.ts";
import { call, status } from "../state/engine.ts";
import { go, routeTo } from "../state/router.ts";
import { refresh } from "../state/talks.ts";
import { words } from "../words/index.ts";
import { FormOf, bound, useFilled } from "./entry/form.tsx";

export function Start(): JSX.Element {
  const said = words.value.start;
  const filled = useFilled();
  const { username: own } = status.value;
  return (
    <div class="stack">
      <FormOf
        filled={filled}
        judge={({ username }) => {
          if (nameOf(username) === "") return { username: "name_wanted" };
          if (nameOf(username) === own) return { username: "yourself" };
          // No name of this form is anybody's.
          return isName(username) ? {} : { username: "nobody" };
        }}
        send={async ({ username }) => {
          const conversation = await call("direct", { username: nameOf(username) });
          refresh();
          go(routeTo("talk", { conversation }), { replace: true });
        }}
        button={said.go}
        busy={said.looking}
      >
        <Field {...bound(filled, "username")} label={said.name} hint={said.hint} isFirst />
      </FormOf>
      <div class="buttons">
        <Button
          onPress={() => {
            go(routeTo("newGroup", null), { sheet: true });
          }}
        >
          {words.value.group.fresh}
        </Button>
        <Button
          onPress={() => {
            go(routeTo("contact", null), { sheet: true });
          }}
        >
          {words.value.contact.title}
        </Button>
      </div>
    </div>
  );
}
