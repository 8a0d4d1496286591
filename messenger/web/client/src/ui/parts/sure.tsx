/** What is asked once more before it is done: a button that opens a sentence, and the button that does it. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { words } from "../words/index.ts";
import { Button } from "./button.tsx";

export function Sure({
  label,
  what,
  sure,
  onSure,
}: {
  readonly label: string;
  readonly what: string;
  readonly sure: string;
  readonly onSure: () => void;
}): JSX.Element {
  const isAsked = useSignal(false);
  if (!isAsked.value) {
    return (
      <Button
        kind="danger"
        onPress={() => {
          isAsked.value = true;
        }}
      >
        {label}
      </Button>
    );
  }
  return (
    <div class="sure" role="group" aria-label={label}>
      <p>{what}</p>
      <div class="buttons">
        <Button kind="danger" onPress={onSure}>
          {sure}
        </Button>
        <Button
          onPress={() => {
            isAsked.value = false;
          }}
        >
          {words.value.common.cancel}
        </Button>
      </div>
    </div>
  );
}
