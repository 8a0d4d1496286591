/** What the rules of a connection (link.ts) have done by whoever runs them, and how it is by their word. */

import type { Hello, ServerFrame } from "../wire/frames.ts";

export type State = "stopped" | "opening" | "greeting" | "up" | "waiting";
/** Why it does not go on by itself. */
export type Over = "stopped" | "taken_over" | "session_ended";

export type Action =
  /** Open a socket: with the access token, or with a ticket, whose refusal says what is wrong; `fresh`: renew first. */
  | { readonly do: "open"; readonly by: "token" | "ticket"; readonly fresh: boolean }
  | { readonly do: "write"; readonly text: string }
  /** Give the socket up, or its opening; nothing more is heard of it. */
  | { readonly do: "drop" }
  /** A token that holds for longer, then `renewed` or `notRenewed`. */
  | { readonly do: "renew" }
  | { readonly do: "greet"; readonly hello: Hello; readonly epochChanged: boolean }
  /** Frames for whoever uses this; `taken` says when they are through. */
  | { readonly do: "hand"; readonly frames: readonly ServerFrame[]; readonly bytes: number }
  /** The answer to what was asked under this ref; null: it was lost with the socket, or did not come in time. */
  | { readonly do: "answer"; readonly ref: string; readonly frame: ServerFrame | null }
  | { readonly do: "tell"; readonly state: State; readonly why: string; readonly until: number | undefined }
  | { readonly do: "over"; readonly over: Over; readonly why: string };

/** Who is told what becomes of a connection. */
export interface Listener {
  /** The server has said hello. Where its epoch has changed, what was acknowledged last may be gone. */
  greeted(hello: Hello, epochChanged: boolean): void;
  /** Frames in their order; the next ones come once these are through. What it throws stops the connection. */
  frames(frames: readonly ServerFrame[]): Promise<void>;
  /** `until`: when it is tried again, in milliseconds since 1970. */
  state(state: State, why: string, until: number | undefined): void;
  /** It does not go on by itself. */
  over(over: Over, why: string): void;
  failed(error: unknown): void;
}
