/** Something that several wait for, and that comes and goes. */

import { orAborted } from "../net/clock.ts";

/** Open or shut; who waits goes on once it is open. */
export class Gate {
  #isOpen = false;
  #waiting: (() => void)[] = [];

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one();
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
    const opened = new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
    await orAborted(opened, signal);
  }
}
