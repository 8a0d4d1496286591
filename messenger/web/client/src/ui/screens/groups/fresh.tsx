/** A new group: its name, and who is to be in it. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";

import { Problem, useAction } from "../../parts/action.tsx";
import { Button } from "../../parts/button.tsx";
import { Check, Field } from "../../parts/field.tsx";
import { useLooking } from "../../parts/looking.ts";
import { nameOf } from "../../rules/entry.ts";
import { isolated } from "../../rules/texts.ts";
import { call } from "../../state/engine.ts";
import { go, routeTo } from "../../state/router.ts";
import { refresh } from "../../state/talks.ts";
import { words } from "../../words/index.ts";

export function NewGroup(): JSX.Element {
  const said = words.value.group;
  const title = useSignal("");
  const names = useSignal<readonly string[]>([]);
  const chosen = useSignal<readonly string[]>([]);
  const typed = useSignal("");
  const adding = useAction();
  const making = useAction();
  // Asked twice, it is made once.
  const clientId = useMemo(() => crypto.randomUUID(), []);
  const looking = useLooking(async () => {
    const met = (await call("contacts", null)).map((one) => one.username);
    names.value = [...new Set([...met, ...names.value])];
  });
  const choose = (name: string, isIn: boolean): void => {
    chosen.value = isIn ? [...chosen.value, name] : chosen.value.filter((one) => one !== name);
  };
  const add = (): void => {
    const name = nameOf(typed.value);
    if (name === "") return;
    void adding.run(async () => {
      const { username } = await call("person", { username: name });
      if (!names.value.includes(username)) names.value = [...names.value, username];
      if (!chosen.value.includes(username)) choose(username, true);
      typed.value = "";
    });
  };
  const make = (): void => {
    const name = title.value.trim();
    if (name === "") return;
    void making.run(async () => {
      const asked = { clientId, title: name, members: chosen.value };
      const conversation = await call("newGroup", asked);
      refresh();
      go(routeTo("talk", { conversation }), { replace: true });
    });
  };
  return (
    <div class="stack">
      <Field
        name="title"
        label={said.name}
        value={title.value}
        onType={(name) => {
          title.value = name;
        }}
      />
      <fieldset class="people">
        <legend>{said.members}</legend>
        {names.value.length === 0 ? <p class="hint">{said.choose}</p> : null}
        {names.value.map((name) => (
          <Check
            key={name}
            label={isolated(name)}
            checked={chosen.value.includes(name)}
            onChange={(isIn) => {
              choose(name, isIn);
            }}
          />
        ))}
      </fieldset>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          add();
        }}
      >
        <Field
          name="username"
          label={said.byName}
          value={typed.value}
          onType={(name) => {
            typed.value = name;
          }}
        />
        <Problem of={looking} />
        <Problem of={adding} />
        <button type="submit" class="button">
          {said.add}
        </button>
      </form>
      <Problem of={making} />
      <Button kind="main" disabled={title.value.trim() === ""} onPress={make}>
        {making.isBusy.value ? said.creating : said.create}
      </Button>
    </div>
  );
}
