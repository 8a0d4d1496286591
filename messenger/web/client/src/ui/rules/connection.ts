/** What is to be said of the connection. */

import type { Status } from "../../worker/protocol.ts";

export type Banner =
  /** `seconds` until it is tried again; null where it is not known. */
  | { readonly say: "offline" | "away"; readonly seconds: number | null }
  | { readonly say: "session_ended" | "taken_over" | "removed" };

/** What a banner has to say; null where all is well, or will be in a moment. */
export function bannerOf(status: Status, isOnLine: boolean, now: number): Banner | null {
  const { connection, retryAt } = status;
  switch (connection) {
    case "online":
    case "connecting":
    case "waiting_for_approval": // the main pane says it
      return null;
    case "offline": {
      const seconds = retryAt === null ? null : Math.max(0, Math.ceil((retryAt - now) / 1_000));
      return { say: isOnLine ? "away" : "offline", seconds };
    }
    default:
      return { say: connection };
  }
}
