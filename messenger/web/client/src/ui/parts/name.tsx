/** What somebody else has chosen: a name, a title, a line of a message. It can't turn round what stands beside it. */

import type { JSX } from "preact";

/** Directed by its own letters, and kept apart from its surroundings. */
export function Said({ text, of }: { readonly text: string; readonly of?: string }): JSX.Element {
  return (
    <bdi dir="auto" class={of ?? "said"}>
      {text}
    </bdi>
  );
}
