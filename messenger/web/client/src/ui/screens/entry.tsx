/** The way in: a new account, a login, or the password that opens what is kept here. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { Choice } from "../parts/choice.tsx";
import { Mark } from "../parts/mark.tsx";
import { askServer, registration } from "../state/server.ts";
import { words } from "../words/index.ts";
import { Login } from "./entry/login.tsx";
import { Register } from "./entry/register.tsx";
import { Unlock } from "./entry/unlock.tsx";

export function Entry({ isLocked }: { readonly isLocked: boolean }): JSX.Element {
  const said = words.value.entry;
  const place = useRef<HTMLElement>(null);
  useEffect(() => {
    // Where there is a keyboard on the screen, it would cover the rest.
    if (!matchMedia("(pointer: coarse)").matches)
      place.current?.querySelector("form")?.querySelector("input")?.focus();
  }, []);
  return (
    <main class="single" ref={place}>
      <header class="brand">
        <Mark />
        <h1>{words.value.common.product}</h1>
        <p>{isLocked ? said.locked : said.tagline}</p>
      </header>
      <div class="card">{isLocked ? <Unlock /> : <Ways />}</div>
      <footer class="foot">
        <a href="/about">{words.value.common.about}</a>
      </footer>
    </main>
  );
}

type Way = "new" | "known";

function Ways(): JSX.Element {
  const said = words.value.entry;
  const way = useSignal<Way>("new");
  useEffect(() => void askServer(), []);
  const isClosed = registration.value === "closed";
  return (
    <>
      <Choice<Way>
        label={said.way}
        isLabelHidden
        chosen={way.value}
        choices={[
          ["new", said.isNew],
          ["known", said.isKnown],
        ]}
        onChoose={(one) => {
          way.value = one;
        }}
      />
      {way.value === "known" ? <Login /> : isClosed ? <p>{said.closed}</p> : <Register />}
    </>
  );
}
