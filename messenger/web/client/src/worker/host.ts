/** What the leader's worker does: it has the engine, answers calls, and tells what happens. */

import * as account from "../engine/account.ts";
import { Authoring } from "../engine/authoring.ts";
import type { Engine } from "../engine/core.ts";
import { deviceCode } from "../engine/devices.ts";
import { ProfileMismatch } from "../engine/errors.ts";
import type { Event } from "../engine/events.ts";
import { direct, markRead } from "../engine/talks.ts";
import { StoreError } from "../store/errors.ts";
import { named, shownConversations } from "./listing.ts";
import {
  type Ask,
  type Calls,
  type Credentials,
  type FromWorker,
  type Method,
  OPENING,
  type Outcome,
  type Status,
  saidError,
} from "./protocol.ts";

type Does = { readonly [M in Method]: (asked: Calls[M]["asked"]) => Promise<Calls[M]["answer"]> };

export interface HostSettings {
  /** The profile's name in this browser. */
  readonly profile: string;
  /** The server's origin. */
  readonly server: string;
  /** What says `online`. */
  readonly network: EventTarget;
  readonly say: (said: FromWorker) => void;
}

/** The person has no account here, or it is not open. */
class NotOpen extends Error {
  override name = "NotOpen";
  readonly code = "not_open";
}

export class Host {
  readonly #given: HostSettings;
  #engine: Engine | undefined;
  #status = OPENING;
  /** Opening, logging in and the like, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #took: () => void = () => undefined;

  constructor(given: HostSettings) {
    this.#given = given;
  }

  /** Open the profile, if there is one. */
  async begin(): Promise<void> {
    await this.#inTurn(() => this.#open());
  }

  /** The page has the event that was told last. */
  took(): void {
    this.#took();
  }

  async ask({ tab, call, method, asked }: Ask): Promise<void> {
    let outcome: Outcome;
    try {
      const does = this.#does[method] as (asked: unknown) => Promise<unknown>;
      outcome = { ok: await does(asked) };
    } catch (error) {
      outcome = { error: saidError(error) };
    }
    this.#given.say({ say: "answer", answer: { tab, call, outcome } });
  }

  /** A fault that nobody expected: nothing goes on. */
  failed(error: unknown): void {
    this.#tell({ ...this.#status, profile: "failed", code: saidError(error).code });
  }

  readonly #does: Does = {
    register: ({ invite, ...said }) =>
      this.#enter(said, () =>
        account.register(this.#place(), { ...said, ...(invite === undefined ? {} : { invite }) }),
      ),
    login: ({ secondFactor, ...said }) =>
      this.#enter(said, () =>
        account.login(this.#place(), {
          ...said,
          ...(secondFactor === undefined ? {} : { secondFactor: () => Promise.resolve(secondFactor) }),
        }),
      ),
    unlock: ({ password }) =>
      this.#inTurn(async () => {
        if (this.#engine === undefined) this.#use(await account.open(this.#place(), password));
        return this.#status;
      }),
    logout: () =>
      this.#inTurn(async () => {
        await account.logout(this.#opened());
        this.#tell({ ...this.#status, connection: "session_ended", code: "", retryAt: null });
        return this.#status;
      }),
    forget: () =>
      this.#inTurn(async () => {
        const before = this.#engine;
        this.#engine = undefined;
        await before?.close();
        await account.removeProfile(this.#given.profile);
        this.#tell({ ...OPENING, profile: "none" });
        return this.#status;
      }),
    deviceCode: () => deviceCode(this.#opened()),
    connect: () => {
      const engine = this.#opened();
      // A device that was taken over goes on only where the user says so.
      if (engine.state === "taken_over") engine.stop();
      if (engine.running) engine.connection.nudge();
      else engine.start();
      return Promise.resolve(null);
    },
    conversations: () => shownConversations(this.#opened()),
    direct: ({ username }) => direct(this.#opened(), username),
    history: ({ conversationId, limit, before }) =>
      this.#opened().vault.run(async (shelf) => {
        const found = await shelf.messages.history(conversationId, limit, before);
        return Promise.all(found.map((one) => named(shelf, one)));
      }),
    send: ({ conversationId, clientId, text }) =>
      new Authoring(this.#opened(), conversationId).enqueue(text, undefined, clientId),
    read: async ({ conversationId, upTo }) => {
      await markRead(this.#opened(), conversationId, upTo);
      return null;
    },
  };

  #place(): account.Place {
    const { profile, server, network } = this.#given;
    return { profile, server, network };
  }

  #opened(): Engine {
    if (this.#engine === undefined) throw new NotOpen("There is no account open in this browser.");
    return this.#engine;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #open(): Promise<void> {
    try {
      const engine = await account.open(this.#place());
      if (engine.facts.userId !== "") {
        this.#use(engine);
        return;
      }
      // Whoever made it was ended before the server had answered.
      await engine.close();
      await account.removeProfile(this.#given.profile);
      this.#tell({ ...OPENING, profile: "none" });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const profiles: Readonly<Record<string, Status["profile"]>> = {
        no_profile: "none",
        wrong_password: "locked",
      };
      const profile = profiles[error.code] ?? "failed";
      this.#tell({ ...OPENING, profile, code: profile === "failed" ? error.code : "" });
    }
  }

  /** Register or log in; a session that stands is this user's already, where a call is asked again. */
  #enter({ username }: Credentials, enter: () => Promise<Engine>): Promise<Status> {
    return this.#inTurn(async () => {
      const before = this.#engine;
      if (before !== undefined && before.facts.username !== username.trim().toLowerCase()) {
        throw new ProfileMismatch(`This browser has the account of ${before.facts.username}.`);
      }
      if (before?.tokens.alive === true) return this.#status;
      this.#engine = undefined;
      await before?.close();
      try {
        this.#use(await enter());
      } catch (error) {
        if (before !== undefined) await this.#open();
        throw error;
      }
      return this.#status;
    });
  }

  #use(engine: Engine): void {
    this.#engine = engine;
    const connection = engine.tokens.alive ? "connecting" : "session_ended";
    this.#tell({ ...OPENING, profile: "open", username: engine.facts.username, connection });
    this.#pump(engine).catch((error: unknown) => {
      if (this.#engine === engine) this.failed(error);
    });
    if (engine.tokens.alive) engine.start();
  }

  /** Tell what happens, as fast as the page takes it. */
  async #pump(engine: Engine): Promise<void> {
    for await (const event of engine.feed.events()) {
      if (event.event === "state_changed") {
        const { state: connection, detail, retry_at: retryAt } = event;
        const code = connection === "session_ended" ? detail : "";
        this.#tell({ ...this.#status, connection, code, retryAt });
      }
      await this.#hand(event);
    }
    // It ends where the engine is closed, or has stopped: then this says why.
    if (this.#engine === engine) await engine.synced();
  }

  async #hand(event: Event): Promise<void> {
    const taken = new Promise<void>((resolve) => {
      this.#took = resolve;
    });
    this.#given.say({ say: "event", event });
    await taken;
  }

  #tell(status: Status): void {
    this.#status = status;
    this.#given.say({ say: "status", status });
  }
}
