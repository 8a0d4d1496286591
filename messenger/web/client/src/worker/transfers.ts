/** Files on their way, a few at a time; each can be given up, from any tab. */

import { ClientError } from "../engine/errors.ts";

const AT_WORK = 3;
const MOST = 100;

/** Too many files are on their way already. */
export class TooManyTransfers extends ClientError {
  override name = "TooManyTransfers";

  constructor() {
    super("Too many files are on their way: wait until some have arrived.", "too_many_transfers");
  }
}

/** The user has given it up. */
export class Cancelled extends ClientError {
  override name = "Cancelled";

  constructor() {
    super("It was given up.", "cancelled");
  }
}

export class Transfers {
  readonly #underWay = new Map<string, AbortController>();
  readonly #waiting: (() => void)[] = [];
  #atWork = 0;

  /** Have a transfer done in its turn, under its name. TooManyTransfers, Cancelled. */
  async run<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#underWay.size >= MOST || this.#underWay.has(name)) throw new TooManyTransfers();
    const over = new AbortController();
    this.#underWay.set(name, over);
    try {
      await this.#turn(over.signal);
      try {
        over.signal.throwIfAborted();
        return await work(over.signal);
      } finally {
        this.#atWork -= 1;
        this.#waiting.shift()?.();
      }
    } catch (error) {
      throw over.signal.aborted ? new Cancelled() : error;
    } finally {
      this.#underWay.delete(name);
    }
  }

  /** Give one up; nothing where there is none of this name. */
  cancel(name: string): void {
    this.#underWay.get(name)?.abort();
  }

  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#atWork >= AT_WORK && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener("abort", () => {
          resolve();
        });
      });
    }
    this.#atWork += 1;
  }
}
