/** What the page says about its state, in plain sentences. */

import type { Status } from "../worker/protocol.ts";
import type { Role } from "../worker/tabs.ts";

const CONNECTIONS: Readonly<Record<Status["connection"], string>> = {
  offline: "There is no connection to the server. It is tried again by itself.",
  connecting: "Connecting …",
  online: "Connected.",
  waiting_for_approval: "Connected. This device waits until another one of yours approves it.",
  session_ended: "You are logged out. Log in again to go on; what is here stays.",
  taken_over:
    "Another program is connected as this very device. This one has stopped, so that both don't disturb each other.",
  removed: "This device was removed by another one of yours.",
};

const PROFILES: Readonly<Record<Exclude<Status["profile"], "open">, string>> = {
  opening: "Opening …",
  none: "There is no account in this browser yet.",
  locked: "The account in this browser is locked: it opens with your password.",
  failed: "Something is wrong, and nothing goes on.",
};

/** How it is, in one or more sentences. */
export function sentences(status: Status, role: Role): string[] {
  if (role === "other_version") {
    return ["Another tab has another version of this page open. Close it, or load it again."];
  }
  const { profile, username, connection, detail } = status;
  const said = profile === "open" ? CONNECTIONS[connection] : PROFILES[profile];
  const who = profile === "open" && username !== null ? [`You are ${username}.`] : [];
  return [...who, said, ...(detail === "" ? [] : [detail])];
}
