/**
 * How long to stay away from a server once a connection is gone, or was not had.
 *
 * What cut this device off may have cut off many: they spread over the time that the server names
 * (`reconnect_spread`), and who fails again and again comes ever more rarely.
 */

import { Backoff } from "./backoff.ts";

/** A connection that lasted so long has worked: back-off begins anew. In milliseconds. */
export const STEADY = 30_000;

export class Absence {
  /** Milliseconds over which those who were cut off spread. */
  spread = 10_000;

  readonly #draw: () => number;
  readonly #backoff: Backoff;
  /** Openings in a row that did not get as far as a greeting. */
  #failed = 0;
  #upSince = 0;

  constructor(draw: () => number) {
    this.#draw = draw;
    this.#backoff = new Backoff(draw);
  }

  /** Whether the last opening failed. */
  get hasFailed(): boolean {
    return this.#failed > 0;
  }

  /** Nothing that failed before counts. */
  forget(): void {
    this.#backoff.reset();
    this.#failed = 0;
  }

  /** It is up. */
  up(now: number): void {
    this.#failed = 0;
    this.#upSince = now;
  }

  /** It did not come up; how long to wait. The server may have asked for so much at least. */
  afterFailure(atLeast = 0): number {
    this.#failed += 1;
    return this.#backoff.next(atLeast);
  }

  /** It was up and is gone; how long to wait. `alone`: what ended it is this device's alone, as its token's end is. */
  afterLoss(now: number, alone: boolean): number {
    const steady = now - this.#upSince >= STEADY;
    if (steady) this.#backoff.reset();
    const spread = alone ? 0 : this.spread * this.#draw();
    return spread + (steady ? 0 : this.#backoff.next());
  }
}
