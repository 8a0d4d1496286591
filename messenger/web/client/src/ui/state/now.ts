/** The time, for what counts it: as long as somebody looks, and only then. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** Milliseconds since 1970, anew each second while `isWanted`. */
export function useSeconds(isWanted: boolean): number {
  const now = useSignal(Date.now());
  useEffect(() => {
    if (!isWanted) return undefined;
    now.value = Date.now();
    const timer = setInterval(() => {
      now.value = Date.now();
    }, 1_000);
    return () => {
      clearInterval(timer);
    };
  }, [isWanted]);
  return now.value;
}
