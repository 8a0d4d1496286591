/** All parts of a running client, put together: one device, at work. */

import { AccountKey } from "../e2e/account.ts";
import type { Policy } from "../e2e/trust.ts";
import { Api } from "../net/api.ts";
import type { Clock } from "../net/clock.ts";
import { NetError, Unreachable } from "../net/errors.ts";
import type { Http } from "../net/http.ts";
import type { Over, State } from "../net/link.ts";
import { Connection, type ConnectionSettings } from "../net/socket.ts";
import { SessionTokens } from "../net/tokens.ts";
import { StoreClosed } from "../store/errors.ts";
import type { Hello, ServerFrame } from "../wire/frames.ts";
import { Answers } from "./answers.ts";
import { approved } from "./approval.ts";
import { Asking } from "./asking.ts";
import { ClientError, SendingFailed } from "./errors.ts";
import type { ConnectionState } from "./events.ts";
import { Feed } from "./feed.ts";
import { Gate } from "./gate.ts";
import { Inbox } from "./inbox.ts";
import { Keeping } from "./keeping.ts";
import { Publishing } from "./publishing.ts";
import { type Facts, Readying } from "./readying.ts";
import { Sending } from "./sending.ts";
import { keepTokens, keptTokens } from "./session.ts";
import { tell } from "./telling.ts";
import type { Vault } from "./vault.ts";

const OVER: readonly ConnectionState[] = ["session_ended", "taken_over", "removed"];

export interface EngineSettings {
  /** What happens when the account key of a peer that was not verified changes. */
  readonly policy?: Policy;
  /** Messages that may wait to be sent. */
  readonly queue?: number;
  readonly network?: ConnectionSettings["network"];
  readonly webSocket?: ConnectionSettings["webSocket"];
}

export class Engine {
  readonly vault: Vault;
  readonly http: Http;
  readonly clock: Clock;
  readonly tokens: SessionTokens;
  readonly facts: Facts;
  readonly queue: number;
  readonly api: Api;
  readonly feed: Feed;
  readonly asking: Asking;
  readonly sending: Sending;
  readonly inbox: Inbox;
  readonly publishing: Publishing;
  readonly connection: Connection;
  readonly #synced = new Gate();
  readonly #tried = new Gate(); // the first try to connect has come to something
  readonly #answers: Answers;
  readonly #keeping: Keeping;
  readonly #readying: Readying;
  #stopped: AbortController | undefined;
  #state: ConnectionState = "offline";
  #detail = "";
  #isApproved: boolean;
  #isReady = false; // the backlog of the connection that stands is through
  #prepared: Promise<boolean> = Promise.resolve(false);
  #heads: ReadonlyMap<string, number> = new Map();
  #failure: unknown;

  private constructor(
    vault: Vault,
    http: Http,
    tokens: SessionTokens,
    facts: Facts,
    isApproved: boolean,
    settings: EngineSettings,
  ) {
    this.vault = vault;
    this.http = http;
    this.clock = http.clock;
    this.tokens = tokens;
    this.facts = facts;
    this.queue = settings.queue ?? 10_000;
    this.#isApproved = isApproved;
    this.api = new Api(http, tokens);
    this.feed = new Feed(vault);
    const { api, clock } = this;
    const asking = new Asking(vault, api, clock, settings.policy ?? "warn");
    this.asking = asking;
    this.publishing = new Publishing(vault, api, clock);
    const { network, webSocket } = settings;
    this.connection = new Connection({
      ...{ origin: facts.server, userId: facts.userId, deviceId: facts.deviceId, epoch: null },
      ...{ clock, tokens, api, listener: this.#listener() },
      ...(network === undefined ? {} : { network }),
      ...(webSocket === undefined ? {} : { webSocket }),
    });
    const { connection } = this;
    const sending = new Sending({
      ...{ vault, api, asking, clock },
      ask: (frame, timeout, signal) => connection.ask(frame, timeout, signal),
      reached: (conversationId, seq) => this.inbox.reached(conversationId, seq),
      failed: (error) => {
        this.#fail(error);
      },
    });
    this.sending = sending;
    this.inbox = new Inbox({
      ...{ vault, api, asking, sending, clock },
      say: (frame) => connection.say(frame),
      tell: (event) => {
        this.feed.tell(event);
      },
      onPrekeys: () => {
        this.#keeping.wantKeys();
      },
      onApproved: () => {
        this.nowApproved();
      },
      onSynced: () => {
        this.#background(this.#catchUp());
      },
    });
    this.#answers = new Answers(vault);
    const { inbox, publishing } = this;
    const isUp = (): boolean => connection.state === "up";
    this.#readying = new Readying({ vault, api, clock, asking, publishing, facts });
    this.#keeping = new Keeping({ vault, clock, inbox, sending, publishing, isUp });
  }

  /** The engine of an open profile. */
  static async make(vault: Vault, http: Http, settings: EngineSettings = {}): Promise<Engine> {
    const { facts, tokens, isApproved } = await vault.run(async (shelf) => ({
      facts: {
        server: (await shelf.account.get("server")) ?? "",
        userId: await shelf.userId(),
        username: (await shelf.account.get("username")) ?? "",
        deviceId: await shelf.deviceId(),
      },
      tokens: await keptTokens(shelf),
      isApproved: await approved(shelf),
    }));
    const remembered = new SessionTokens(http, tokens, (now) =>
      vault.run((shelf) => {
        keepTokens(shelf, now);
      }),
    );
    return new Engine(vault, http, remembered, facts, isApproved, settings);
  }

  /** How the connection is. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Whether this device may read and write. */
  get approved(): boolean {
    return this.#isApproved;
  }

  get running(): boolean {
    return this.#stopped !== undefined;
  }

  // running

  /** Connect, and stay connected. */
  start(): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = new AbortController();
    this.#tried.shut();
    const { signal } = this.#stopped;
    this.connection.start();
    this.#background(this.#keeping.keys(signal));
    this.#background(this.#keeping.expire(signal));
  }

  /** Disconnect; what waits to be sent stays in the store. */
  stop(): void {
    this.#stopped?.abort();
    this.#stopped = undefined;
    this.connection.stop();
    this.sending.stop();
    this.#answers.giveUp(new SendingFailed("The client was closed; the message waits.", "closed"));
    this.#state = "offline";
  }

  /** Disconnect, and close the profile. */
  async close(): Promise<void> {
    this.stop();
    this.feed.close();
    await this.vault.close();
  }

  /** Returns once the server has answered; Unreachable where the first try to connect failed. */
  async reached(signal?: AbortSignal): Promise<void> {
    await this.#tried.wait(signal);
    if (this.#state === "offline") throw new Unreachable(this.#detail || "The server can't be reached.");
  }

  /** Returns once the backlog is through and what waited was tried. */
  async synced(signal?: AbortSignal): Promise<void> {
    await this.#synced.wait(signal);
    if (this.#failure !== undefined) throw this.#stoppedBy();
    if (OVER.includes(this.#state)) throw sessionOver(this.#detail || this.#state);
    await this.sending.idle(signal);
  }

  /** Returns once the server has an own message. SendingFailed. */
  async settled(message: { readonly id: number; readonly client_id: string }): Promise<void> {
    if (await this.taken(message.client_id)) return;
    // It was answered before anybody waited.
    const found = await this.vault.run((shelf) => shelf.messages.get(message.id));
    if (found?.state === "failed") throw new SendingFailed("The message was refused.", "refused");
  }

  /**
   * Returns true once the server has answered for what was queued under this client_id; false where nothing is.
   * SendingFailed.
   */
  async taken(clientId: string): Promise<boolean> {
    return this.#answers.taken(clientId, () => {
      if (this.#failure !== undefined) throw this.#stoppedBy();
      if (OVER.includes(this.#state)) throw sessionOver("the message waits for the next one");
    });
  }

  /** A bug, or a store that can't be written: stop, and let the next call and the iterator say so. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined || (error instanceof StoreClosed && !this.running)) return;
    this.#failure = error;
    this.stop();
    this.#tellState("offline", this.#stoppedBy().message);
    this.feed.close();
    this.#answers.giveUp(this.#stoppedBy());
    this.#synced.open();
  }

  #stoppedBy(): ClientError {
    const { message } = this.#failure instanceof Error ? this.#failure : { message: String(this.#failure) };
    return new ClientError(`The client has stopped: ${message}`, "stopped");
  }

  /** Work that nobody waits for. What the network does to it passes; the rest is a bug. */
  #background(work: Promise<void>): void {
    const signal = this.#stopped?.signal;
    work.catch((error: unknown) => {
      if (signal?.aborted !== true && !(error instanceof NetError)) this.#fail(error);
    });
  }

  // the connection

  #listener(): ConnectionSettings["listener"] {
    return {
      greeted: (hello) => {
        this.#prepared = this.#prepare(hello);
      },
      frames: (frames) => this.#frames(frames),
      state: (state, why, until) => {
        this.#linkState(state, why, until);
      },
      over: (over, why) => {
        if (over !== "stopped") this.#background(this.#ended(over, why));
      },
      failed: (error) => {
        this.#fail(error);
      },
    };
  }

  async #frames(frames: readonly ServerFrame[]): Promise<void> {
    if (!(await this.#prepared)) return;
    try {
      await this.inbox.take(frames);
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      this.connection.giveUp(error.message);
    }
  }

  /** Before anything of a connection is taken; false where that fails. */
  async #prepare(hello: Hello): Promise<boolean> {
    try {
      this.#heads = await this.#readying.ready(hello.epoch, this.#isApproved);
      this.#tellState(this.#isApproved ? "online" : "waiting_for_approval", "");
      this.#keeping.wantKeys(); // the prekeys that nobody had to wait for
      return true;
    } catch (error) {
      if (error instanceof NetError) this.connection.giveUp(error.message);
      else this.#fail(error);
      return false;
    }
  }

  #linkState(state: State, why: string, until: number | undefined): void {
    if (state === "opening") {
      this.#tellState("connecting", "");
    } else if (state === "waiting" || state === "stopped") {
      this.#synced.shut();
      this.#isReady = false;
      this.sending.disconnected();
      if (state === "waiting") this.#tellState("offline", why, until);
    }
  }

  /**
   * The backlog is through: fetch what was acknowledged before and is not here, and let what waits go.
   *
   * Only now it is known whether this profile is an older copy, which must not write under its old keys.
   */
  async #catchUp(): Promise<void> {
    const prepared = this.#prepared;
    for (const [conversationId, lastSeq] of this.#heads) {
      try {
        await this.inbox.fetch(conversationId, lastSeq);
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        if (error.name === "Refused") continue; // the end of this conversation can't be had
        this.connection.giveUp(error.message);
        return;
      }
    }
    if (this.#prepared !== prepared || this.connection.state !== "up") return;
    this.#isReady = true;
    if (this.#isApproved) await this.sending.connected();
    this.#synced.open();
  }

  /** This device has its account key. */
  nowApproved(): void {
    this.#isApproved = true;
    if (this.connection.state === "up") this.#tellState("online", "");
    if (this.#isReady) this.#background(this.sending.connected());
    this.#keeping.wantKeys();
  }

  #tellState(state: ConnectionState, detail: string, until?: number): void {
    this.#state = state;
    this.#detail = detail;
    if (state !== "connecting") this.#tried.open();
    this.feed.tell({ event: "state_changed", state, detail, retry_at: until ?? null });
  }

  async #ended(over: Exclude<Over, "stopped">, why: string): Promise<void> {
    if (over === "taken_over") {
      await this.vault.run((shelf) => tell(shelf, { event: "taken_over" }));
      this.#tellState("taken_over", why);
    } else {
      await this.tokens.replace(null);
      await this.vault.run((shelf) => tell(shelf, { event: "session_ended", reason: why }));
      this.#tellState(why === "removed" ? "removed" : "session_ended", why);
    }
    this.#answers.giveUp(sessionOver("the message waits for the next one"));
    this.#synced.open();
  }

  /** The conversation in which one's own devices speak to each other. */
  ownConversation(): Promise<string> {
    return this.#readying.ownConversation();
  }

  /** The account's private key, where this device has it. */
  accountKey(): Promise<AccountKey | undefined> {
    return this.vault.run((shelf) => shelf.states.get(AccountKey, "own"));
  }
}

function sessionOver(why: string): ClientError {
  return new ClientError(`The session has ended: ${why}.`, "session_ended");
}
