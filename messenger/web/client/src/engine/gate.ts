/** Something that several wait for, and that comes and goes. */

import { orAborted } from "../net/clock.ts";

/** Open or shut; who waits goes on once it is open. */
export class Gate {
  #isOpen = false;
  readonly #waiting = new Set<() => void>();

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    for (const one of this.#waiting) one();
    this.#waiting.clear();
  }

  shut(): void {
    this.#isOpen = false;
  }

  /** Let through those who wait now, and stay shut. */
  pulse(): void {
    this.open();
    this.shut();
  }

  /** Returns once it is open, or at the next pulse; throws the signal's reason where that is aborted first. */
  async wait(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#isOpen) return;
    let waiting: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    this.#waiting.add(waiting);
    try {
      await orAborted(opened, signal);
    } finally {
      this.#waiting.delete(waiting);
    }
  }
}
