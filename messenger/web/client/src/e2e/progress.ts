/**
 * Gaps in what one device of a sender has written in a conversation.
 *
 * The server numbers messages itself, so its numbers say nothing about what it holds back. Each sender therefore
 * numbers its own messages of a conversation inside the plaintext, from 1 on, and the receiver looks for what is
 * missing.
 *
 * Two things keep a gap from being told at once. A place that the server says was deleted or has expired was
 * told when it came (`passOver`), and explains one number. And where a message was asked for again, its number
 * may yet come: then what is missing is told when the question has ended (`questionEnded`).
 */

import { type Of, TRUTH, list, members, optional, pair, whole } from "../wire/codec.ts";
import { BIGGEST } from "./bodies.ts";
import { ReplayedMessage } from "./errors.ts";
import { dump, load } from "./state.ts";

const MAX_RANGES = 64; // of missing numbers; the oldest are given up first

const NUMBER = whole(0, BIGGEST + 1);
const RUNS = list(pair(NUMBER, NUMBER));

const STATE = members({
  next: optional(NUMBER),
  missing: RUNS,
  excused: NUMBER,
  givenUp: NUMBER, // up to here, missing numbers may have been forgotten
  untold: RUNS,
  away: TRUTH,
});

/** A run of numbers, from the first to the last. */
export type Run = readonly [first: number, last: number];

/**
 * The next number; or numbers before this one have not come, and how many are to be told of; or one that was
 * missing: sent again on request, or moved by the server.
 */
export type Verdict =
  | { readonly is: "next" }
  | { readonly is: "gap"; readonly missing: Run; readonly untold: number }
  | { readonly is: "late" };

/** How far one device of a sender has come in one conversation. */
export class Progress {
  readonly #state: Of<typeof STATE>;

  private constructor(state: Of<typeof STATE>) {
    this.#state = state;
  }

  /** Nothing was heard yet. */
  static none(): Progress {
    return new Progress({ missing: [], excused: 0, givenUp: 0, untold: [], away: false });
  }

  /** What `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): Progress {
    return new Progress(load(STATE, raw));
  }

  /** What was seen. */
  toBytes(): Uint8Array {
    return dump(STATE, this.#state);
  }

  /** The runs of numbers that have not come. */
  get missing(): readonly Run[] {
    return this.#state.missing;
  }

  /**
   * The sender said what its next message will bear, to a device that has not heard it before.
   *
   * What it wrote before that was not counted here, and may still come where it is asked for again.
   */
  expect(number: number): void {
    const state = this.#state;
    if (state.next !== undefined && !(state.away && number >= state.next)) return;
    state.next = number;
    state.givenUp = number - 1;
    state.away = false;
    state.missing = [];
    state.untold = [];
    state.excused = 0;
  }

  /** What the sender writes until it says its next number again is not for this device. */
  goAway(): void {
    this.#state.away = true;
  }

  /**
   * A message of this sender is deleted or expired, as the server says, which was told; or it was taken away by
   * who may while it was asked for.
   */
  passOver(): void {
    this.#state.excused += 1;
  }

  /**
   * A message with this number, 1 or above, was decrypted. ReplayedMessage where it had come before; below what
   * is remembered that can't be told, and it is late (the message's key tells then).
   *
   * `waiting`: messages of this device were asked for again, and may be what is missing.
   */
  see(number: number, waiting: boolean): Verdict {
    const state = this.#state;
    const expected = state.next ?? 1;
    if (number < expected) {
      this.#fill(number);
      state.next = expected;
      return { is: "late" };
    }
    state.next = number + 1;
    if (number === expected) return { is: "next" };
    const run: [number, number] = [expected, number - 1];
    state.missing = [...state.missing, run];
    this.#bound();
    if (waiting) {
      state.untold = [...state.untold, run].slice(-MAX_RANGES);
      return { is: "gap", missing: run, untold: 0 };
    }
    const count = number - expected;
    const explained = Math.min(state.excused, count);
    state.excused -= explained;
    return { is: "gap", missing: run, untold: count - explained };
  }

  /** No message of this device is asked for any more: the runs that are still missing, to be told. */
  questionEnded(): readonly Run[] {
    const state = this.#state;
    for (let [first] = state.untold; first !== undefined && state.excused > 0; [first] = state.untold) {
      state.untold = without(state.untold, first[0]);
      state.excused -= 1;
    }
    const { untold } = state;
    state.untold = [];
    return untold;
  }

  #fill(number: number): void {
    const state = this.#state;
    const left = without(state.missing, number);
    const was = state.missing.some(([first, last]) => first <= number && number <= last);
    if (!was && number > state.givenUp) {
      throw new ReplayedMessage(`Message ${String(number)} of the sender has come before.`);
    }
    state.untold = without(state.untold, number);
    state.missing = left;
    this.#bound();
  }

  #bound(): void {
    const { missing } = this.#state;
    const lost = missing.at(-MAX_RANGES - 1);
    if (lost !== undefined) this.#state.givenUp = lost[1];
    this.#state.missing = missing.slice(-MAX_RANGES);
  }
}

/** The runs less one number. */
function without(runs: readonly [number, number][], number: number): [number, number][] {
  return runs.flatMap(([first, last]): [number, number][] => {
    if (number < first || last < number) return [[first, last]];
    const parts: [number, number][] = [
      [first, number - 1],
      [number + 1, last],
    ];
    return parts.filter(([from, to]) => from <= to);
  });
}
