/** A conversation. */

import type { JSX } from "preact";

import { IconButton } from "../parts/button.tsx";
import { Warnings } from "../parts/warning.tsx";
import { back } from "../state/router.ts";
import { words } from "../words/index.ts";

export function Talk({ conversation }: { readonly conversation: string }): JSX.Element {
  return (
    <>
      <header class="bar">
        <IconButton icon="back" label={words.value.common.back} onPress={back} />
      </header>
      <Warnings conversation={conversation} />
    </>
  );
}
