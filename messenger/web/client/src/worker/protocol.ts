/**
 * What a page and the worker say to each other, and tabs among themselves: calls with their answers, events, and who
 * leads.
 *
 * One tab leads: its worker has the engine. A call of the leader's page goes to its worker; that of another tab goes
 * over the channel to the leader's page, which hands it on. Events go the other way, to all tabs.
 *
 *     who      a tab has come, and asks who leads
 *     here     a leader's worker is ready, or its status is another one; each worker has a name of its own
 *     ask      a call, of the worker that is named
 *     answer   its answer, to the tab that is named
 *     event    something has happened (engine/events.ts)
 *
 * All of it is cloned, so errors travel as a name, a code and a sentence.
 */

import type { Event } from "../engine/events.ts";
import type { AccountCalls, Status } from "./calls/account.ts";
import type { DeviceCalls } from "./calls/devices.ts";
import type { DraftCalls } from "./calls/drafts.ts";
import type { FileCalls } from "./calls/files.ts";
import type { GroupCalls } from "./calls/groups.ts";
import type { MessageCalls } from "./calls/messages.ts";
import type { PeopleCalls } from "./calls/people.ts";
import type { TalkCalls } from "./calls/talks.ts";
import type { WarningCalls } from "./calls/warnings.ts";

export type { Credentials, Status } from "./calls/account.ts";
export type { ShownWarning } from "../engine/standing.ts";
export type { WaitingDevice } from "./calls/devices.ts";
export type { ShownConversation, ShownMessage } from "./calls/talks.ts";

/** The channel of all tabs. */
export const CHANNEL = "messenger";
/** The lock of the page that leads, for its life. */
export const LEADER = "messenger-leader";
/** The lock of whoever has the engine: the leader's worker for its life, a service worker while it takes a push in. */
export const ENGINE = "messenger-engine";

export const OPENING: Status = {
  profile: "opening",
  username: null,
  connection: "offline",
  code: "",
  retryAt: null,
};

/**
 * What can be asked, and what is answered, by topic in `calls/`; `does/` says what the worker does. Each may be asked
 * twice: of a leader that died, and of the next one.
 */
export interface Calls
  extends
    AccountCalls,
    TalkCalls,
    GroupCalls,
    PeopleCalls,
    DeviceCalls,
    MessageCalls,
    WarningCalls,
    DraftCalls,
    FileCalls {}

export type Method = keyof Calls;
/** A call: what is asked by which tab, under which number. */
export type Ask = {
  [M in Method]: {
    readonly tab: string;
    readonly call: number;
    readonly method: M;
    readonly asked: Calls[M]["asked"];
  };
}[Method];

export interface SaidError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

export type Outcome = { readonly ok: unknown } | { readonly error: SaidError };
export interface Answer {
  readonly tab: string;
  readonly call: number;
  readonly outcome: Outcome;
}

/** What tabs say to each other. */
export type Said =
  | { readonly say: "who" }
  | { readonly say: "here"; readonly version: string; readonly worker: string; readonly status: Status }
  | { readonly say: "ask"; readonly worker: string; readonly ask: Ask }
  | { readonly say: "answer"; readonly answer: Answer }
  | { readonly say: "event"; readonly event: Event };

/** What a worker says to its page. `held`: it has the engine's lock, and its end gives that back. */
export type FromWorker =
  | { readonly say: "held" }
  | { readonly say: "status"; readonly status: Status }
  | { readonly say: "answer"; readonly answer: Answer }
  | { readonly say: "event"; readonly event: Event };

/** What a page says to its worker. `took`: an event is where it belongs, and the next one may come. */
export type ToWorker = { readonly say: "ask"; readonly ask: Ask } | { readonly say: "took" };

/** An error as it travels. */
export function saidError(error: unknown): SaidError {
  if (!(error instanceof Error)) return { name: "Error", code: "error", message: String(error) };
  const { code } = error as { readonly code?: unknown };
  return { name: error.name, code: typeof code === "string" ? code : "error", message: error.message };
}

/** What a call came to that failed: under the name and the code of the error in the worker. */
export class CallFailed extends Error {
  readonly code: string;

  constructor({ name, code, message }: SaidError) {
    super(message);
    this.name = name;
    this.code = code;
  }
}
