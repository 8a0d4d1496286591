/** The way in: an account is made, logged in to, or opened. */

import type { JSX } from "preact";

import { words } from "../words/index.ts";

export function Entry({ isLocked }: { readonly isLocked: boolean }): JSX.Element {
  const said = words.value.entry;
  return (
    <main class="single">
      <h1>{words.value.common.product}</h1>
      <p>{isLocked ? said.locked : said.none}</p>
    </main>
  );
}
