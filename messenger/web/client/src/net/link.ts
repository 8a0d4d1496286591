/**
 * When a connection is opened, kept, renewed and given up: rules alone, without a socket or a timer.
 *
 * Whoever runs it says what has happened (`opened`, `received`, `closed`, `tick`, ...), each with the time, and then
 * carries out what `take` gives. `wakesAt` says when `tick` is due. Whether the server is still there is for pulse.ts,
 * the token's end for lease.ts, how long to stay away for absence.ts.
 *
 * Close codes say what to do (wire/frames.ts): 4401 asks for a fresh token; 4409 means that another program is
 * connected as this device, which is told and final until `start`; every other end is tried again.
 */

import {
  ABNORMAL,
  BadFrame,
  type ClientFrame,
  GOING_AWAY,
  type ServerFrame,
  TAKEN_OVER,
  TOKEN_EXPIRED,
  TOO_FAST,
  TOO_SLOW,
  readFrames,
} from "../wire/frames.ts";
import { Absence } from "./absence.ts";
import type { Action, Over, State } from "./actions.ts";
import { Answers } from "./answers.ts";
import { Lease } from "./lease.ts";
import { Outgoing } from "./outgoing.ts";
import { Pulse } from "./pulse.ts";

// In milliseconds.
export const OPENING = 30_000;
export const GREETING = 15_000;
export const TOO_FAST_WAIT = 10_000;
const SOONEST = 1_000;
/** Bytes of frames that are handed on and not taken yet. */
export const MAX_UNTAKEN = 16 * 1_048_576;
/** Bytes of one WebSocket message. */
export const MAX_MESSAGE = 8 * 1_048_576;

/** What refs of ours begin with; those of who uses this never do. */
const OWN_REF = "~";
const TOKEN_REF = "~token";

export interface LinkSettings {
  readonly userId: string;
  readonly deviceId: string;
  /** A number from 0 to 1. */
  readonly draw: () => number;
  /** The epoch that this device saw last. */
  readonly epoch: string | null;
}

export class Link {
  readonly #settings: LinkSettings;
  readonly #absence: Absence;
  readonly #pulse = new Pulse();
  readonly #lease = new Lease();
  readonly #answers = new Answers();
  readonly #outgoing = new Outgoing();
  #actions: Action[] = [];
  #state: State = "stopped";
  #epoch: string | null;
  #fresh = false;
  #due = Number.POSITIVE_INFINITY; // of opening, greeting and waiting
  #notBefore = 0;
  #tried = Number.NEGATIVE_INFINITY;
  #untaken = 0;
  #pings = 0;

  constructor(settings: LinkSettings) {
    this.#settings = settings;
    this.#absence = new Absence(settings.draw);
    this.#epoch = settings.epoch;
  }

  get state(): State {
    return this.#state;
  }

  /** Milliseconds over which those who were cut off spread (`reconnect_spread`). */
  set spread(milliseconds: number) {
    this.#absence.spread = milliseconds;
  }

  /** What is to be done now, in this order. */
  take(): Action[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** When `tick` is due; infinite where nothing is waited for. */
  wakesAt(now: number): number {
    if (this.#state === "stopped") return Number.POSITIVE_INFINITY;
    if (this.#state !== "up") return this.#due;
    const [pulse, lease] = [this.#pulse.wakesAt(), this.#lease.wakesAt()];
    return Math.min(pulse, lease, this.#answers.next(), this.#outgoing.heldUntil(now));
  }

  // what the application wishes

  /** Connect, also after it was over. */
  start(now: number): void {
    if (this.#state !== "stopped") return;
    this.#absence.forget();
    this.#open(now);
  }

  stop(): void {
    this.#end("stopped", "");
  }

  /** The user will not wait, the network is back, or the device has woken up. */
  nudge(now: number): void {
    if (this.#state === "waiting" && Number.isFinite(this.#due)) {
      this.#due = Math.min(this.#due, Math.max(now, this.#notBefore, this.#tried + SOONEST));
      this.tick(now);
    } else if (this.#state === "up" && !this.#pulse.isAsking) {
      this.#ping(now);
    }
  }

  /**
   * Send a frame; false where there is no connection, or it has too much to send already. An answer to `ref` is
   * waited for until `timeout` milliseconds have passed.
   */
  say(frame: ClientFrame, now: number, timeout?: number): boolean {
    if (this.#state !== "up") return false;
    const ref = "ref" in frame ? frame.ref : undefined;
    if (ref !== undefined && (ref.startsWith(OWN_REF) || !this.#answers.takes(ref))) return false;
    if (!this.#outgoing.add(frame)) return false;
    if (ref !== undefined) this.#answers.add(ref, now + (timeout ?? OPENING));
    return true;
  }

  /** Write what was said, as far as `room` bytes go. */
  flush(room: number, now: number): void {
    if (this.#state !== "up") return;
    for (const text of this.#outgoing.messages(room, now)) this.#actions.push({ do: "write", text });
  }

  /** Frames that were handed on are through. */
  taken(bytes: number, now: number): void {
    this.#untaken = Math.max(0, this.#untaken - bytes);
    // A connection that was given up for what was not taken comes back once all is.
    if (this.#untaken === 0 && this.#state === "waiting" && !Number.isFinite(this.#due)) this.#open(now);
  }

  // what has happened

  /** The socket is open; the token that opened it ends at `tokenEnds`. */
  opened(tokenEnds: number, now: number): void {
    if (this.#state !== "opening") return;
    this.#state = "greeting";
    this.#lease.begin(tokenEnds);
    this.#due = now + GREETING;
  }

  /** There is no socket, by what the calls before it said. `retryAfter` in milliseconds. */
  notOpened(why: string, now: number, retryAfter = 0): void {
    if (this.#state !== "opening") return;
    this.#wait(why, now, this.#absence.afterFailure(retryAfter), retryAfter);
  }

  /** Whoever uses this can't go on with this connection; another one may do. */
  giveUp(why: string, now: number): void {
    if (this.#state === "up") this.#drop(why, now);
  }

  /** The session has ended. */
  ended(why: string): void {
    this.#end("session_ended", why);
  }

  /** A WebSocket message. */
  received(message: string, now: number): void {
    if (this.#state !== "greeting" && this.#state !== "up") return;
    this.#pulse.hear(now);
    let frames: ServerFrame[];
    try {
      if (message.length > MAX_MESSAGE) throw new BadFrame("it is too long");
      frames = readFrames(message);
      if (this.#state === "greeting") frames = this.#greeted(frames, now);
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error;
      this.#drop(`The server has sent something that is no frame: ${error.message}.`, now);
      return;
    }
    // Places of own messages are handed on in their order, too.
    const handed = frames.filter((frame) => !this.#answered(frame, now) || frame.type === "sent");
    if (handed.length === 0) return;
    this.#untaken += message.length;
    this.#actions.push({ do: "hand", frames: handed, bytes: message.length });
    if (this.#untaken <= MAX_UNTAKEN) return;
    // What is not taken yet was not acknowledged, and is sent again.
    this.#actions.push({ do: "drop" });
    this.#wait("There is too much to take in at once.", now, Number.POSITIVE_INFINITY);
  }

  /** The socket is closed. */
  closed(code: number, now: number): void {
    const why = code === ABNORMAL ? "The connection was cut off." : `The server closed it (${String(code)}).`;
    if (code === TAKEN_OVER) this.#end("taken_over", "Another program is connected as this device.");
    else if (this.#state === "opening" || this.#state === "greeting" || this.#state === "up") {
      this.#fresh = code === TOKEN_EXPIRED;
      const least = code === TOO_FAST ? TOO_FAST_WAIT : 0;
      const delay = this.#delay(now, code === TOKEN_EXPIRED) + least;
      // Who was sent away stays away as long as it was to: all others were, too.
      const sentAway = code === GOING_AWAY || code === TOO_SLOW;
      this.#wait(why, now, delay, sentAway ? delay : least);
    }
  }

  /** A token for the open socket, which ends at `ends`. */
  renewed(access: string, ends: number, now: number): void {
    if (this.#state !== "up") return;
    if (!this.#lease.isOutlivedBy(ends)) {
      this.notRenewed(now);
      return;
    }
    this.#outgoing.addFirst({ type: "token", ref: TOKEN_REF, access_token: access });
    this.#answers.add(TOKEN_REF, now + OPENING);
  }

  /** There was none now. */
  notRenewed(now: number): void {
    if (this.#state === "up") this.#lease.again(now);
  }

  /** Time has passed. */
  tick(now: number): void {
    if (this.#state === "up") this.#tickUp(now);
    else if (now < this.#due || this.#state === "stopped") return;
    else if (this.#state === "waiting") this.#open(now);
    else this.#drop("The server does not answer.", now);
  }

  #tickUp(now: number): void {
    for (const ref of this.#answers.late(now)) {
      if (ref === TOKEN_REF) this.notRenewed(now);
      else this.#actions.push({ do: "answer", ref, frame: null });
    }
    if (this.#lease.isDue(now)) this.#actions.push({ do: "renew" });
    const todo = this.#pulse.look(now);
    if (todo === "ping") this.#ping(now);
    else if (todo === "drop") this.#drop("The server does not answer.", now);
  }

  #ping(now: number): void {
    this.#pings += 1;
    this.#pulse.ask(now);
    this.#outgoing.addFirst({ type: "ping", ref: `${OWN_REF}${String(this.#pings)}` });
  }

  /** What comes after the greeting; BadFrame. */
  #greeted(frames: ServerFrame[], now: number): ServerFrame[] {
    const [hello, ...rest] = frames;
    if (hello?.type !== "hello") throw new BadFrame("it does not greet");
    if (hello.user_id !== this.#settings.userId || hello.device_id !== this.#settings.deviceId)
      throw new BadFrame("it greets another device than this one");
    const epochChanged = this.#epoch !== null && hello.epoch !== "" && hello.epoch !== this.#epoch;
    if (hello.epoch !== "") this.#epoch = hello.epoch;
    this.#due = Number.POSITIVE_INFINITY;
    this.#absence.up(now);
    this.#pulse.begin(hello.heartbeat);
    this.#lease.schedule(now);
    this.#actions.push({ do: "greet", hello, epochChanged });
    this.#become("up", "", undefined);
    return rest;
  }

  /** Whether a frame was an answer, to whoever asked or to what is asked here. */
  #answered(frame: ServerFrame, now: number): boolean {
    if (frame.type === "error" && frame.problem.code === "rate_limited")
      this.#outgoing.hold(now + 1_000 * Math.min(60, frame.problem.retryAfter ?? 1));
    if (!("ref" in frame) || frame.ref === null) return false;
    if (frame.ref === TOKEN_REF) {
      this.#answers.settle(TOKEN_REF);
      if (frame.type === "token") {
        this.#lease.extend(now + 1_000 * frame.expires_in, now);
      } else {
        this.notRenewed(now);
      }
      return true;
    }
    if (frame.ref.startsWith(OWN_REF)) return true; // a pong: that it came is what counts
    if (!this.#answers.settle(frame.ref)) return false;
    this.#actions.push({ do: "answer", ref: frame.ref, frame });
    return true;
  }

  // from state to state

  #open(now: number): void {
    this.#tried = now;
    this.#due = now + OPENING;
    this.#actions.push({ do: "open", by: this.#absence.hasFailed ? "ticket" : "token", fresh: this.#fresh });
    this.#fresh = false;
    this.#become("opening", "", undefined);
  }

  #drop(why: string, now: number): void {
    this.#actions.push({ do: "drop" });
    this.#wait(why, now, this.#delay(now, false));
  }

  /** How long to stay away now that the socket is gone. */
  #delay(now: number, expired: boolean): number {
    if (this.#state !== "up") return this.#absence.afterFailure();
    return this.#absence.afterLoss(now, expired);
  }

  /** Until `delay` has passed, and, whatever is wished for, at least `least`. */
  #wait(why: string, now: number, delay: number, least = 0): void {
    this.#lose();
    this.#due = now + delay;
    this.#notBefore = now + least;
    this.#become("waiting", why, Number.isFinite(this.#due) ? this.#due : undefined);
  }

  #end(over: Over, why: string): void {
    if (this.#state === "stopped") return;
    if (this.#state !== "waiting") this.#actions.push({ do: "drop" });
    this.#lose();
    this.#due = Number.POSITIVE_INFINITY;
    this.#become("stopped", why, undefined);
    this.#actions.push({ do: "over", over, why });
  }

  /** What hung on the socket. */
  #lose(): void {
    this.#outgoing.clear();
    this.#pulse.end();
    this.#lease.end();
    for (const ref of this.#answers.late(Number.POSITIVE_INFINITY))
      if (ref !== TOKEN_REF) this.#actions.push({ do: "answer", ref, frame: null });
  }

  #become(state: State, why: string, until: number | undefined): void {
    this.#state = state;
    this.#actions.push({ do: "tell", state, why, until });
  }
}
