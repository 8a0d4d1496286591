/**
 * When to try again: exponential back-off with full jitter, so that clients that lost a server together do not
 * come back together.
 */

export const FIRST = 1_000;
export const LAST = 60_000;

/** Waits whose bound doubles from 1 s to 60 s, each drawn between nothing and all of it. */
export class Backoff {
  readonly #draw: () => number;
  #failures = 0;

  constructor(draw: () => number) {
    this.#draw = draw;
  }

  /** Milliseconds to wait now; `atLeast` is what the server asked for, and comes on top. */
  next(atLeast = 0): number {
    const bound = Math.min(LAST, FIRST * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return atLeast + bound * this.#draw();
  }

  /** It has worked. */
  reset(): void {
    this.#failures = 0;
  }
}
