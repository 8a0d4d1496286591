/** Contact links: one's own, with its QR code, and adding whom another one names. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { Problem, useAction } from "../../parts/action.tsx";
import { Button } from "../../parts/button.tsx";
import { Field } from "../../parts/field.tsx";
import { Qr } from "../../parts/qr.tsx";
import { call } from "../../state/engine.ts";
import { offered } from "../../state/offered.ts";
import { go, routeTo } from "../../state/router.ts";
import { refresh } from "../../state/talks.ts";
import { words } from "../../words/index.ts";

export function Contact(): JSX.Element {
  return (
    <div class="stack">
      <Other />
      <Own />
    </div>
  );
}

function Other(): JSX.Element {
  const said = words.value.contact;
  const given = offered.value;
  const link = useSignal(given ?? "");
  const action = useAction();
  const add = (): void => {
    const typed = link.value.trim();
    if (typed === "") return;
    void action.run(async () => {
      const { username } = await call("addContact", { link: typed });
      const conversation = await call("direct", { username });
      offered.value = null;
      refresh();
      go(routeTo("talk", { conversation }), { replace: true });
    });
  };
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        add();
      }}
    >
      {given === null ? null : <p>{said.offered}</p>}
      <Field
        name="link"
        label={said.other}
        hint={said.otherHint}
        value={link.value}
        onType={(typed) => {
          link.value = typed;
        }}
      />
      <Problem of={action} />
      <button type="submit" class="button main" aria-disabled={action.isBusy.value}>
        {action.isBusy.value ? said.adding : said.add}
      </button>
    </form>
  );
}

function Own(): JSX.Element {
  const said = words.value.contact;
  const link = useSignal<string | null>(null);
  const isCopied = useSignal(false);
  const action = useAction();
  useEffect(() => {
    void action.run(async () => {
      link.value = await call("link", null);
    });
  }, []);
  return (
    <section class="stack" aria-label={said.yours}>
      <h3>{said.yours}</h3>
      <p class="hint">{said.what}</p>
      <Problem of={action} />
      {link.value === null ? null : (
        <>
          <Qr text={link.value} label={words.value.people.qrLabel} />
          <p class="link-text">{link.value}</p>
          <div class="buttons">
            <Button
              onPress={() => {
                void navigator.clipboard.writeText(link.value ?? "").then(() => {
                  isCopied.value = true;
                });
              }}
            >
              {said.copy}
            </Button>
            <span role="status">{isCopied.value ? said.copied : ""}</span>
          </div>
        </>
      )}
    </section>
  );
}
