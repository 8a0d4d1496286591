/** How long the token of the open connection holds, and when the next one is due. */

// In milliseconds.
export const EARLY = 60_000;
export const RENEW_AGAIN = 5_000;
const SOONEST = 1_000;

export class Lease {
  #ends = Number.POSITIVE_INFINITY;
  #renewAt = Number.POSITIVE_INFINITY;

  /** The connection was opened by a token that ends then. */
  begin(ends: number): void {
    this.#ends = ends;
  }

  /** It is up. */
  schedule(now: number): void {
    this.#renewAt = Math.max(now + SOONEST, this.#ends - EARLY);
  }

  /** The server holds the connection until then. */
  extend(ends: number, now: number): void {
    this.#ends = ends;
    this.schedule(now);
  }

  /** Whether a token that ends then is of use. */
  isOutlivedBy(ends: number): boolean {
    return ends > this.#ends;
  }

  /** There was none now. */
  again(now: number): void {
    this.#renewAt = now + RENEW_AGAIN;
  }

  /** The connection is gone. */
  end(): void {
    this.#renewAt = Number.POSITIVE_INFINITY;
  }

  wakesAt(): number {
    return this.#renewAt;
  }

  /** Whether a new token is due: once, until it has come or there was none. */
  isDue(now: number): boolean {
    if (now < this.#renewAt) return false;
    this.#renewAt = Number.POSITIVE_INFINITY;
    return true;
  }
}
