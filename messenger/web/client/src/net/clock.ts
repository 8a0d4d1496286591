/** Time and chance, so that tests can give their own. */

/** Times are in milliseconds. */
export interface Clock {
  /** Since 1970. */
  now(): number;
  /** Calls back after that long, once; what it gives takes that back. */
  after(milliseconds: number, call: () => void): () => void;
  /** A number from 0 to 1. */
  draw(): number;
}

/** The longest that a timer holds (2^31 - 1 ms); who waits longer asks again. */
const LONGEST = 2_147_483_647;

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, Math.min(LONGEST, Math.max(0, milliseconds)));
    return () => {
      clearTimeout(timer);
    };
  },
  draw: () => Math.random(),
};

/**
 * Time that never goes back, however the device's clock is set: for what is waited for, and not dated. It stands still
 * from the last look before the clock was set back to the first one after.
 */
export class SteadyTime {
  readonly #clock: Clock;
  #last = Number.NEGATIVE_INFINITY;
  #ahead = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    const wall = this.#clock.now();
    if (wall + this.#ahead < this.#last) this.#ahead = this.#last - wall;
    this.#last = wall + this.#ahead;
    return this.#last;
  }

  /** A moment of the device's clock, in this time. */
  of(moment: number): number {
    return moment + this.#ahead;
  }

  /** A moment in this time, by the device's clock. */
  dated(moment: number): number {
    return moment - this.#ahead;
  }
}

/** Waits that long; throws the signal's reason where that is aborted first. */
export async function pause(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const aborted = (): void => {
      cancel();
      reject(reasonOf(signal));
    };
    const cancel = clock.after(milliseconds, () => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    });
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** What is awaited, or the signal's reason where that is aborted first; the work itself goes on. */
export async function orAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work;
  if (signal.aborted) {
    work.catch(() => undefined); // nobody waits for it
    throw reasonOf(signal);
  }
  let aborted = (): void => undefined;
  const abort = new Promise<never>((_, reject) => {
    aborted = () => {
      reject(reasonOf(signal));
    };
    signal.addEventListener("abort", aborted, { once: true });
  });
  try {
    return await Promise.race([work, abort]);
  } finally {
    signal.removeEventListener("abort", aborted);
  }
}

/** A signal that is aborted by another one, or once it was not put off for that long. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #milliseconds: number;
  readonly #outer: AbortSignal | undefined;
  #cancel: () => void = () => undefined;
  #passed = false;

  constructor(clock: Clock, milliseconds: number, outer?: AbortSignal) {
    this.#clock = clock;
    this.#milliseconds = milliseconds;
    this.#outer = outer;
    if (outer?.aborted === true) this.#aborted();
    else {
      outer?.addEventListener("abort", this.#aborted, { once: true });
      this.putOff();
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was the time that ran out. */
  get passed(): boolean {
    return this.#passed;
  }

  /** Begin anew: something has come. */
  putOff(): void {
    this.#cancel();
    if (this.#controller.signal.aborted) return;
    this.#cancel = this.#clock.after(this.#milliseconds, () => {
      this.#passed = true;
      this.#controller.abort();
    });
  }

  /** No time runs until it is put off again. */
  pause(): void {
    this.#cancel();
  }

  /** It is over: nothing is held any longer. */
  end(): void {
    this.#cancel();
    this.#outer?.removeEventListener("abort", this.#aborted);
  }

  readonly #aborted = (): void => {
    this.#cancel();
    this.#controller.abort(this.#outer?.reason);
  };
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException("aborted", "AbortError");
}
