/** All parts of a running client, put together: one device, at work. */

import { AccountKey } from "../e2e/account.ts";
import { derive } from "../e2e/password.ts";
import type { Policy } from "../e2e/trust.ts";
import { Api } from "../net/api.ts";
import type { Clock } from "../net/clock.ts";
import { NetError } from "../net/errors.ts";
import type { Http } from "../net/http.ts";
import { Connection, type ConnectionSettings } from "../net/socket.ts";
import { SessionTokens } from "../net/tokens.ts";
import { StoreClosed, StoreError } from "../store/errors.ts";
import { Answers } from "./answers.ts";
import { approved } from "./approval.ts";
import { Asking } from "./asking.ts";
import { ClientError, SendingFailed } from "./errors.ts";
import type { ConnectionState } from "./events.ts";
import { Feed } from "./feed.ts";
import { Inbox } from "./inbox.ts";
import { Keeping } from "./keeping.ts";
import { Line, type Parts } from "./line.ts";
import type { Derive } from "./passwords.ts";
import { Publishing } from "./publishing.ts";
import { type Facts, Readying } from "./readying.ts";
import { Sending } from "./sending.ts";
import { keepTokens, keptTokens } from "./session.ts";
import type { Vault } from "./vault.ts";

export interface EngineSettings {
  /** What happens when the account key of a peer that was not verified changes. */
  readonly policy?: Policy;
  /** Messages that may wait to be sent. */
  readonly queue?: number;
  readonly derive?: Derive;
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
  readonly derive: Derive;
  readonly api: Api;
  readonly feed: Feed;
  readonly asking: Asking;
  readonly sending: Sending;
  readonly inbox: Inbox;
  readonly publishing: Publishing;
  readonly connection: Connection;
  readonly #line: Line;
  readonly #answers: Answers;
  readonly #keeping: Keeping;
  readonly #readying: Readying;
  #stopped: AbortController | undefined;
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
    this.derive = settings.derive ?? derive;
    this.api = new Api(http, tokens);
    this.feed = new Feed(vault);
    const { api, clock } = this;
    const asking = new Asking(vault, api, clock, settings.policy ?? "warn");
    this.asking = asking;
    this.publishing = new Publishing(vault, api, clock);
    this.#line = new Line(isApproved, {
      ...{ vault, tokens, feed: this.feed, parts: () => this.#parts() },
      background: (work) => {
        this.#background(work);
      },
      failed: (error) => {
        this.#fail(error);
      },
    });
    const { network, webSocket } = settings;
    this.connection = new Connection({
      ...{ origin: facts.server, userId: facts.userId, deviceId: facts.deviceId, epoch: null },
      ...{ clock, tokens, api, listener: this.#line },
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
        this.#background(this.#line.catchUp());
      },
    });
    this.#answers = new Answers(vault);
    const { inbox, publishing } = this;
    const isUp = (): boolean => connection.state === "up";
    this.#readying = new Readying({ vault, http, api, clock, asking, publishing, facts });
    this.#keeping = new Keeping({ vault, clock, inbox, sending, publishing, isUp });
  }

  /** The engine of an open profile. */
  static async make(vault: Vault, http: Http, settings: EngineSettings = {}): Promise<Engine> {
    const { facts, tokens, isApproved } = await vault.run(async (store) => ({
      facts: {
        server: (await store.account.get("server")) ?? "",
        userId: await store.userId(),
        username: (await store.account.get("username")) ?? "",
        deviceId: await store.deviceId(),
      },
      tokens: await keptTokens(store),
      isApproved: await approved(store),
    }));
    const remembered = new SessionTokens(http, tokens, (now) =>
      vault.run((store) => {
        keepTokens(store, now);
      }),
    );
    return new Engine(vault, http, remembered, facts, isApproved, settings);
  }

  /** How the connection is. */
  get state(): ConnectionState {
    return this.#line.now;
  }

  /** Whether this device may read and write. */
  get approved(): boolean {
    return this.#line.approved;
  }

  get running(): boolean {
    return this.#stopped !== undefined;
  }

  // running

  /** Connect, and stay connected. */
  start(): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = new AbortController();
    this.#line.begin();
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
    this.#line.rest();
  }

  /** Be without a session until the next login. */
  async leave(why: string): Promise<void> {
    await this.tokens.replace(null);
    this.#line.leave(why);
  }

  /** Disconnect, and close the profile. */
  async close(): Promise<void> {
    this.stop();
    if (!this.vault.closed) await this.feed.finish();
    await this.vault.close();
  }

  /** Returns once the server has answered; Unreachable where the first try to connect failed. */
  reached(signal?: AbortSignal): Promise<void> {
    return this.#line.reached(signal);
  }

  /** Returns once the backlog is through and what waited was tried. */
  async synced(signal?: AbortSignal): Promise<void> {
    await this.#line.synced(signal);
    if (this.#failure !== undefined) throw this.#stoppedBy();
    this.#line.checkNotOver();
    await this.sending.idle(signal);
  }

  /** Returns once the server has an own message. SendingFailed. */
  async settled(message: { readonly id: number; readonly client_id: string }): Promise<void> {
    if (await this.taken(message.client_id)) return;
    // It was answered before anybody waited.
    const found = await this.vault.run((store) => store.messages.get(message.id));
    if (found?.state === "failed") throw new SendingFailed("The message was refused.", "refused");
  }

  /**
   * Returns true once the server has answered for what was queued under this client_id; false where nothing is.
   * SendingFailed.
   */
  async taken(clientId: string): Promise<boolean> {
    return this.#answers.taken(clientId, () => {
      if (this.#failure !== undefined) throw this.#stoppedBy();
      this.#line.checkNotOver();
    });
  }

  /** A bug, or a store that can't be written: stop, and let the next call and the iterator say so. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined || (error instanceof StoreClosed && !this.running)) return;
    this.#failure = error;
    this.stop();
    this.#line.fail(this.#stoppedBy().message);
    this.feed.close();
    this.#answers.giveUp(this.#stoppedBy());
  }

  #stoppedBy(): ClientError {
    const { message } = this.#failure instanceof Error ? this.#failure : { message: String(this.#failure) };
    const code = this.#failure instanceof StoreError ? this.#failure.code : "stopped";
    return new ClientError(`The client has stopped: ${message}`, code);
  }

  /** Work that nobody waits for. What the network does to it passes; the rest is a bug. */
  #background(work: Promise<void>): void {
    const signal = this.#stopped?.signal;
    work.catch((error: unknown) => {
      if (signal?.aborted !== true && !(error instanceof NetError)) this.#fail(error);
    });
  }

  /** This device has its account key. */
  nowApproved(): void {
    this.#line.nowApproved();
  }

  /** What the connection works with. */
  #parts(): Parts {
    const [readying, keeping, answers] = [this.#readying, this.#keeping, this.#answers];
    const { inbox, sending, connection } = this;
    return { inbox, sending, connection, readying, keeping, answers };
  }

  /** The conversation in which one's own devices speak to each other. */
  ownConversation(): Promise<string> {
    return this.#readying.ownConversation();
  }

  /** The account's private key, where this device has it. */
  accountKey(): Promise<AccountKey | undefined> {
    return this.vault.run((store) => store.states.get(AccountKey, "own"));
  }
}
