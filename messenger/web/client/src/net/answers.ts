/** Who waits for an answer to a frame, by the frame's ref, and until when. */

/** The server has at most so many messages of one socket under way. */
export const MOST = 256;

export class Answers {
  readonly #until = new Map<string, number>();

  /** Whether one more may be waited for, under this ref. */
  takes(ref: string): boolean {
    return this.#until.size < MOST && !this.#until.has(ref);
  }

  add(ref: string, until: number): void {
    this.#until.set(ref, until);
  }

  /** Whether it was waited for; it is no longer. */
  settle(ref: string): boolean {
    return this.#until.delete(ref);
  }

  /** When the next one is given up. */
  next(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#until.values());
  }

  /** Those that did not come in time; with infinity, all. They are no longer waited for. */
  late(now: number): string[] {
    const late = [...this.#until].filter(([, until]) => until <= now).map(([ref]) => ref);
    for (const ref of late) this.#until.delete(ref);
    return late;
  }
}
