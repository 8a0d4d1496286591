/** The mark of the product: a lock in a bubble, as in icon.svg. */

import type { JSX } from "preact";

export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path
        class="mark-bubble"
        d="M6 4h20a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4H14l-8 6v-6a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4z"
      />
      <path class="mark-lock" d="M12 13v-2a4 4 0 0 1 8 0v2h1v7H11v-7zm2 0h4v-2a2 2 0 0 0-4 0z" />
    </svg>
  );
}
