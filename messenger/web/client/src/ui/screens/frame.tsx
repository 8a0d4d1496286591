/** The frame of all screens: banners, the list beside the main pane (one of both on a phone), and a sheet over them. */

import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { HOME } from "../state/routes.ts";
import { status } from "../state/engine.ts";
import { offered } from "../state/offered.ts";
import { back, go, route, routeTo, under } from "../state/router.ts";
import { keepWarnings } from "../state/standing.ts";
import { Sheet } from "../parts/sheet.tsx";
import { Warnings } from "../parts/warning.tsx";
import { words } from "../words/index.ts";
import { Connection } from "./connection.tsx";
import { Waiting } from "./entry/waiting.tsx";
import { slotOf, titleOf, viewOf } from "./index.tsx";
import { Talks } from "./talks.tsx";

export function Frame(): JSX.Element {
  const here = route.value;
  const isSheet = slotOf(here) === "sheet";
  const ground = isSheet ? (under.value ?? HOME) : here;
  const said = words.value;
  const isWaiting = status.value.connection === "waiting_for_approval";
  useSignalEffect(() => {
    document.title = `${titleOf(route.value, words.value)} · ${words.value.common.product}`;
  });
  useEffect(keepWarnings, []);
  useSignalEffect(() => {
    if (offered.value !== null && route.peek().screen !== "contact") {
      go(routeTo("contact", null), { sheet: true });
    }
  });
  return (
    <div class="frame" data-shows={isWaiting ? "main" : slotOf(ground)}>
      <div class="banners">
        <Connection />
        <Warnings conversation={null} />
      </div>
      {/* Both are its main part: on a phone one of them is there alone. */}
      <main class="panes">
        <nav class="side" aria-label={said.talks.title}>
          <Talks />
        </nav>
        <div class="main">
          {isWaiting ? <Waiting /> : slotOf(ground) === "main" ? viewOf(ground) : <Nothing />}
        </div>
      </main>
      {isSheet ? (
        <Sheet key={here.screen} title={titleOf(here, said)} onClose={back}>
          {viewOf(here)}
        </Sheet>
      ) : null}
    </div>
  );
}

/** The main pane where no conversation is open. */
function Nothing(): JSX.Element {
  return (
    <div class="empty">
      <p>{words.value.talks.choose}</p>
    </div>
  );
}
