/** What the leader's worker does: it has the engine, answers calls, and tells what happens. */

import * as account from "../engine/account.ts";
import type { Engine } from "../engine/core.ts";
import { ProfileMismatch } from "../engine/errors.ts";
import type { Event } from "../engine/events.ts";
import { StoreError } from "../store/errors.ts";
import type { AccountCalls, Credentials, Status } from "./calls/account.ts";
import { ACCOUNT } from "./does/account.ts";
import { DEVICES } from "./does/devices.ts";
import { BadCall, type Does, read } from "./does/doing.ts";
import { DRAFTS } from "./does/drafts.ts";
import { files } from "./does/files.ts";
import { GROUPS } from "./does/groups.ts";
import { MESSAGES } from "./does/messages.ts";
import { PEOPLE } from "./does/people.ts";
import { TALKS } from "./does/talks.ts";
import { WARNINGS } from "./does/warnings.ts";
import { Transfers } from "./transfers.ts";
import { type Ask, type Calls, type FromWorker, OPENING, type Outcome, saidError } from "./protocol.ts";

/** What is done for each call, once what is asked was read. */
type Work = (asked: unknown) => Promise<unknown>;

export interface HostSettings {
  /** The profile's name in this browser. */
  readonly profile: string;
  /** The server's origin. */
  readonly server: string;
  /** What says `online`. */
  readonly network: EventTarget;
  readonly say: (said: FromWorker) => void;
  /** How the server is spoken to, where not as a page does. */
  readonly net?: Pick<account.Place, "http" | "webSocket" | "derive">;
}

interface Call {
  readonly asked: unknown;
  readonly answer: unknown;
}
type Answers<C extends Call> = (asked: C["asked"]) => Promise<C["answer"]>;

/** The calls that an open engine answers. */
const DOES: Does<Omit<Calls, keyof AccountCalls>> = {
  ...TALKS,
  ...GROUPS,
  ...PEOPLE,
  ...DEVICES,
  ...MESSAGES,
  ...WARNINGS,
  ...DRAFTS,
  ...files(new Transfers()),
};

function isIn<T extends object>(calls: T, method: string): method is keyof T & string {
  return Object.hasOwn(calls, method);
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
      outcome = { ok: await this.#work(method)(asked) };
    } catch (error) {
      outcome = { error: saidError(error) };
    }
    this.#given.say({ say: "answer", answer: { tab, call, outcome } });
  }

  /** A fault that nobody expected: nothing goes on. */
  failed(error: unknown): void {
    this.#tell({ ...this.#status, profile: "failed", code: saidError(error).code });
  }

  readonly #account: { readonly [M in keyof AccountCalls]: Answers<AccountCalls[M]> } = {
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
    connect: () => {
      const engine = this.#opened();
      // A device that was taken over goes on only where the user says so.
      if (engine.state === "taken_over") engine.stop();
      if (engine.running) engine.connection.nudge();
      else engine.start();
      return Promise.resolve(null);
    },
  };

  /** BadCall where there is no such call, or what is asked does not fit. */
  #work(method: string): Work {
    if (isIn(this.#account, method)) {
      const [form, work] = [ACCOUNT[method], this.#account[method] as Work];
      return (asked) => work(read<unknown>(form, asked));
    }
    if (!isIn(DOES, method)) throw new BadCall(`There is no call ${method}.`);
    const { form, work } = DOES[method] as Does<{ any: { asked: unknown; answer: unknown } }>["any"];
    return (asked) => {
      const said = read(form, asked);
      return work(this.#opened(), said);
    };
  }

  #place(): account.Place {
    const { profile, server, network, net = {} } = this.#given;
    return { profile, server, network, ...net };
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
