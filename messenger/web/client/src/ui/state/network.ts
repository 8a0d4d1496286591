/** Whether the browser knows of a network. */

import { signal } from "@preact/signals";

export const onLine = signal(true);

export function watchNetwork(): void {
  const look = (): void => {
    onLine.value = navigator.onLine;
  };
  look();
  addEventListener("online", look);
  addEventListener("offline", look);
}
