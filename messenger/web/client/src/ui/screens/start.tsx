/** Write to somebody new. */

import type { JSX } from "preact";

export function Start(): JSX.Element {
  return <div class="stack" />;
}
