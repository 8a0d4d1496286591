/** What becomes of the connection: made ready, caught up, told of, and over. */

import { NetError, Refused, Unreachable } from "../net/errors.ts";
import type { Listener, Over, State } from "../net/actions.ts";
import type { Connection } from "../net/socket.ts";
import type { SessionTokens } from "../net/tokens.ts";
import type { Hello, ServerFrame } from "../wire/frames.ts";
import type { Answers } from "./answers.ts";
import { ClientError } from "./errors.ts";
import type { ConnectionState } from "./events.ts";
import type { Feed } from "./feed.ts";
import { Gate } from "./gate.ts";
import type { Inbox } from "./inbox.ts";
import type { Keeping } from "./keeping.ts";
import type { Readying } from "./readying.ts";
import type { Sending } from "./sending.ts";
import { tell } from "./telling.ts";
import type { Vault } from "./vault.ts";

const OVER: readonly ConnectionState[] = ["session_ended", "taken_over", "removed"];

/** What works with the connection. */
export interface Parts {
  readonly connection: Connection;
  readonly inbox: Inbox;
  readonly sending: Sending;
  readonly readying: Readying;
  readonly keeping: Keeping;
  readonly answers: Answers;
}

export interface LineSettings {
  readonly vault: Vault;
  readonly tokens: SessionTokens;
  readonly feed: Feed;
  readonly parts: () => Parts;
  /** Work that nobody waits for. */
  readonly background: (work: Promise<void>) => void;
  readonly failed: (error: unknown) => void;
}

export class Line implements Listener {
  readonly #given: LineSettings;
  readonly #synced = new Gate();
  readonly #tried = new Gate(); // the first try to connect has come to something
  #state: ConnectionState = "offline";
  #detail = "";
  #isApproved: boolean;
  /** Counts connections, and their ends. */
  #turn = 0;
  #isReady = false; // the backlog of the connection that stands is through
  #prepared: Promise<boolean> = Promise.resolve(false);
  #heads: ReadonlyMap<string, number> = new Map();

  constructor(isApproved: boolean, given: LineSettings) {
    this.#isApproved = isApproved;
    this.#given = given;
  }

  /** How it is. */
  get now(): ConnectionState {
    return this.#state;
  }

  get approved(): boolean {
    return this.#isApproved;
  }

  /** It is tried from now on. */
  begin(): void {
    this.#tried.shut();
    this.#synced.shut();
  }

  /** It is tried no more, for now. */
  rest(): void {
    this.#state = "offline";
  }

  /** The user has ended the session: who waits for it is told. */
  leave(why: string): void {
    this.#state = "session_ended";
    this.#detail = why;
    this.#synced.open();
  }

  /** It is tried no more, and why. */
  fail(why: string): void {
    this.#tell("offline", why);
    this.#synced.open();
  }

  /** Returns once the server has answered; Unreachable where the first try to connect failed. */
  async reached(signal?: AbortSignal): Promise<void> {
    await this.#tried.wait(signal);
    if (this.#state === "offline") throw new Unreachable(this.#detail || "The server can't be reached.");
  }

  /** Returns once the backlog is through, or it is over. */
  synced(signal?: AbortSignal): Promise<void> {
    return this.#synced.wait(signal);
  }

  /** ClientError where the session is over. */
  checkNotOver(): void {
    if (OVER.includes(this.#state)) throw sessionOver(this.#detail || this.#state);
  }

  /** This device has its account key. */
  nowApproved(): void {
    const { connection, sending, keeping } = this.#given.parts();
    this.#isApproved = true;
    if (connection.state === "up") this.#tell("online", "");
    if (this.#isReady) this.#given.background(sending.connected());
    keeping.wantKeys();
  }

  // the listener of the connection

  greeted(hello: Hello): void {
    this.#turn += 1;
    this.#prepared = this.#prepare(hello, this.#turn);
  }

  async frames(frames: readonly ServerFrame[]): Promise<void> {
    const turn = this.#turn;
    if (!(await this.#prepared)) return;
    try {
      await this.#given.parts().inbox.take(frames);
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      this.#giveUp(turn, error);
    }
  }

  state(state: State, why: string, until: number | undefined): void {
    if (state === "opening") {
      this.#tell("connecting", "");
    } else if (state === "waiting" || state === "stopped") {
      this.#turn += 1;
      this.#synced.shut();
      this.#isReady = false;
      this.#given.parts().sending.disconnected();
      if (state === "waiting") this.#tell("offline", why, until);
    }
  }

  over(over: Over, why: string): void {
    if (over !== "stopped") this.#given.background(this.#ended(over, why));
  }

  failed(error: unknown): void {
    this.#given.failed(error);
  }

  // what it is made of

  /** Before anything of a connection is taken; false where that fails. */
  async #prepare(hello: Hello, turn: number): Promise<boolean> {
    const { readying, keeping } = this.#given.parts();
    try {
      const heads = await readying.ready(hello.epoch, this.#isApproved);
      if (this.#turn !== turn) return false;
      this.#heads = heads;
      this.#tell(this.#isApproved ? "online" : "waiting_for_approval", "");
      keeping.wantKeys(); // the prekeys that nobody had to wait for
      return true;
    } catch (error) {
      if (error instanceof NetError) this.#giveUp(turn, error);
      else if (this.#turn === turn) this.#given.failed(error);
      return false;
    }
  }

  /** Nothing can be done with a connection, if it is still the one that stands. */
  #giveUp(turn: number, { message }: NetError): void {
    if (this.#turn === turn) this.#given.parts().connection.giveUp(message);
  }

  /**
   * The backlog is through: fetch what was acknowledged before and is not here, and let what waits go.
   *
   * Only now it is known whether this profile is an older copy, which must not write under its old keys.
   */
  async catchUp(): Promise<void> {
    const { inbox, sending } = this.#given.parts();
    const turn = this.#turn;
    for (const [conversationId, lastSeq] of this.#heads) {
      try {
        await inbox.fetch(conversationId, lastSeq);
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        if (error instanceof Refused) continue; // the end of this conversation can't be had
        this.#giveUp(turn, error);
        return;
      }
    }
    if (this.#turn !== turn) return;
    this.#isReady = true;
    if (this.#isApproved) await sending.connected();
    this.#synced.open();
  }

  #tell(state: ConnectionState, detail: string, until?: number): void {
    this.#state = state;
    this.#detail = detail;
    if (state !== "connecting") this.#tried.open();
    this.#given.feed.tell({ event: "state_changed", state, detail, retry_at: until ?? null });
  }

  async #ended(over: Exclude<Over, "stopped">, why: string): Promise<void> {
    const { vault, tokens, parts } = this.#given;
    if (over === "taken_over") {
      await vault.run((store) => tell(store, { event: "taken_over" }));
      this.#tell("taken_over", why);
    } else {
      await tokens.replace(null);
      await vault.run((store) => tell(store, { event: "session_ended", reason: why }));
      this.#tell(why === "removed" ? "removed" : "session_ended", why);
    }
    parts().answers.giveUp(sessionOver("the message waits for the next one"));
    this.#synced.open();
  }
}

function sessionOver(why: string): ClientError {
  return new ClientError(`The session has ended: ${why}.`, "session_ended");
}
