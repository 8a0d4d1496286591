/** A contact link that this page was opened by. It leaves the address at once: it names somebody. */

import { signal } from "@preact/signals";

export const offered = signal<string | null>(null);

const BEGINS = "#contact=";

/** Take it out of the address; with that of a link which is opened later, too. */
export function takeOffered(): void {
  const take = (): void => {
    if (!location.hash.startsWith(BEGINS)) return;
    offered.value = `${location.origin}/${location.hash}`;
    history.replaceState(null, "", "#");
  };
  take();
  addEventListener("hashchange", take);
}
