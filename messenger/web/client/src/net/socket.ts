/** A kept connection in a browser: what link.ts decides, carried out with a WebSocket, timers and the session's tokens. */

import { BEARER_PREFIX, type ClientFrame, SUBPROTOCOL, type ServerFrame } from "../wire/frames.ts";
import { type Api } from "./api.ts";
import { type Clock, SteadyTime, orAborted } from "./clock.ts";
import { Busy, NetError, NotConnected, SessionEnded, Unanswered } from "./errors.ts";
import type { Action, Listener, State } from "./actions.ts";
import { Link, OPENING } from "./link.ts";
import { type SessionTokens } from "./tokens.ts";

/** Bytes that the browser may have taken and not sent yet. */
const BUFFERED = 1_048_576;
/** Milliseconds after which it is asked again how much that is: it does not tell by itself. */
const LOOK_AGAIN = 50;

export interface ConnectionSettings {
  readonly origin: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly epoch: string | null;
  readonly clock: Clock;
  readonly tokens: SessionTokens;
  readonly api: Pick<Api, "ticket">;
  readonly listener: Listener;
  /** What says `online`: a browser's global object. */
  readonly network?: EventTarget;
  readonly webSocket?: typeof WebSocket;
}

export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #clock: Clock;
  readonly #time: SteadyTime;
  readonly #link: Link;
  readonly #waiting = new Map<string, (frame: ServerFrame | null) => void>();
  #socket: WebSocket | undefined;
  #opening = new AbortController();
  #serving: Promise<void> = Promise.resolve();
  #cancelTimer: () => void = () => undefined;
  #running = false;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#time = new SteadyTime(settings.clock);
    this.#link = new Link({ ...settings, draw: () => settings.clock.draw() });
  }

  get state(): State {
    return this.#link.state;
  }

  /** Seconds over which those who were cut off spread (`reconnect_spread`). */
  set spread(seconds: number) {
    this.#link.spread = seconds * 1_000;
  }

  /** Connect, and stay connected. */
  start(): void {
    this.#settings.network?.addEventListener("online", this.#online);
    this.#event((now) => {
      this.#link.start(now);
    });
  }

  stop(): void {
    this.#event(() => {
      this.#link.stop();
    });
  }

  /** Nothing can be done with this connection: it is closed, and another one opened after a while. */
  giveUp(why: string): void {
    this.#event((now) => {
      this.#link.giveUp(why, now);
    });
  }

  /** The user will not wait, or the device has woken up. */
  nudge(): void {
    this.#event((now) => {
      this.#link.nudge(now);
    });
  }

  /** Send a frame that is not answered; false where that is not possible now. */
  say(frame: Exclude<ClientFrame, { ref: string }>): boolean {
    return this.#say(frame);
  }

  /** The answer to a frame, which may be an `error`. NotConnected, Unanswered. */
  async ask(
    frame: Extract<ClientFrame, { ref: string }>,
    timeout = OPENING,
    signal?: AbortSignal,
  ): Promise<ServerFrame> {
    signal?.throwIfAborted();
    if (!this.#say(frame, timeout))
      throw new NotConnected("There is no connection that could take this now.");
    const answer = new Promise<ServerFrame | null>((resolve) => {
      this.#waiting.set(frame.ref, resolve);
    });
    const found = await orAborted(answer, signal);
    if (found === null) throw new Unanswered("The connection was lost before the answer came.");
    return found;
  }

  #say(frame: ClientFrame, timeout?: number): boolean {
    return this.#event((now) => this.#link.say(frame, now, timeout));
  }

  /** Tell the rules what has happened, and do what they say. */
  #event<T>(happened: (now: number) => T): T {
    const found = happened(this.#time.now());
    this.#run();
    return found;
  }

  #run(): void {
    if (this.#running) return; // what is carried out may say something new: it comes next
    this.#running = true;
    try {
      for (let actions = this.#next(); actions.length > 0; actions = this.#next()) actions.forEach(this.#do);
    } finally {
      this.#running = false;
    }
    this.#cancelTimer();
    const now = this.#time.now();
    const full = this.#room() <= 0 ? now + LOOK_AGAIN : Number.POSITIVE_INFINITY;
    const wakes = Math.min(full, this.#link.wakesAt(now));
    if (!Number.isFinite(wakes)) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, wakes - now), () => {
      this.#event((then) => {
        this.#link.tick(then);
      });
    });
  }

  #next(): Action[] {
    const actions = this.#link.take();
    if (actions.length > 0) return actions;
    this.#link.flush(this.#room(), this.#time.now());
    return this.#link.take();
  }

  #room(): number {
    return BUFFERED - (this.#socket?.bufferedAmount ?? 0);
  }

  readonly #do = (action: Action): void => {
    const { listener } = this.#settings;
    switch (action.do) {
      case "open":
        void this.#open(action.by, action.fresh, this.#opening.signal);
        break;
      case "write":
        if (this.#socket?.readyState === 1) this.#socket.send(action.text);
        break;
      case "drop":
        this.#drop();
        break;
      case "renew":
        void this.#renew();
        break;
      case "greet":
        listener.greeted(action.hello, action.epochChanged);
        break;
      case "hand":
        this.#hand(action.frames, action.bytes);
        break;
      case "answer":
        this.#waiting.get(action.ref)?.(action.frame);
        this.#waiting.delete(action.ref);
        break;
      case "tell":
        listener.state(action.state, action.why, action.until && this.#time.dated(action.until));
        break;
      case "over":
        this.#settings.network?.removeEventListener("online", this.#online);
        listener.over(action.over, action.why);
        break;
    }
  };

  async #open(by: "token" | "ticket", fresh: boolean, signal: AbortSignal): Promise<void> {
    const { origin, tokens, api } = this.#settings;
    try {
      let access = await tokens.access(signal);
      if (fresh) access = await tokens.renew(access, signal);
      const url = `${origin.replace(/^http/, "ws")}/ws`;
      // A ticket's refusal says what is wrong, which that of a socket does not.
      if (by === "ticket") {
        const { ticket } = await api.ticket(signal);
        this.#listen(`${url}?ticket=${encodeURIComponent(ticket)}`, [SUBPROTOCOL], tokens.expiresAt);
      } else {
        this.#listen(url, [SUBPROTOCOL, BEARER_PREFIX + access], tokens.expiresAt);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#event((now) => {
        if (error instanceof SessionEnded) this.#link.ended(error.code);
        else if (error instanceof Busy) this.#link.notOpened(error.message, now, error.retryAfter);
        else if (error instanceof NetError) this.#link.notOpened(error.message, now);
        else this.#fail(error);
      });
    }
  }

  #listen(url: string, protocols: string[], tokenEnds: number): void {
    const socket = new (this.#settings.webSocket ?? WebSocket)(url, protocols);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const heard = (happened: (now: number) => void): void => {
      if (this.#socket === socket) this.#event(happened);
    };
    socket.onopen = () => {
      heard((now) => {
        this.#link.opened(this.#time.of(tokenEnds), now);
      });
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      heard((now) => {
        this.#link.received(typeof data === "string" ? data : "", now); // bytes are no frame
      });
    };
    socket.onclose = ({ code }) => {
      heard((now) => {
        this.#socket = undefined;
        this.#link.closed(code, now);
      });
    };
  }

  /** Nothing more is heard of it. A close waits for the server's, which may be gone: nobody waits for that. */
  #drop(): void {
    this.#opening.abort();
    this.#opening = new AbortController();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  async #renew(): Promise<void> {
    const { tokens } = this.#settings;
    const { signal } = this.#opening;
    try {
      const access = await tokens.access(signal);
      this.#event((now) => {
        this.#link.renewed(access, this.#time.of(tokens.expiresAt), now);
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#event((now) => {
        if (error instanceof SessionEnded) this.#link.ended(error.code);
        else if (error instanceof NetError) this.#link.notRenewed(now);
        else this.#fail(error);
      });
    }
  }

  #hand(frames: readonly ServerFrame[], bytes: number): void {
    const socket = this.#socket;
    this.#serving = this.#serving
      .then(async () => {
        // What a connection that is gone has left was not acknowledged, and comes again.
        if (this.#socket === socket) await this.#settings.listener.frames(frames);
      })
      .catch((error: unknown) => {
        this.#fail(error);
      })
      .finally(() => {
        this.#event((now) => {
          this.#link.taken(bytes, now);
        });
      });
  }

  #fail(error: unknown): void {
    this.#settings.listener.failed(error);
    this.stop();
  }

  readonly #online = (): void => {
    this.nudge();
  };
}
