/**
 * Whether the server is still there.
 *
 * A browser sees none of the protocol's pings, and may take minutes to notice that a connection is dead. So after
 * some silence, or when somebody asks, a `ping` frame is to be sent, and what leaves it unanswered is dead.
 */

// In milliseconds.
export const QUIET = 30_000;
export const PONG = 10_000;
/** A look that comes so late means that the device has slept, or was busy: what waits is read first. */
export const LATE = 3_000;
const SOONEST = 1_000;

export class Pulse {
  #heard = 0;
  #quiet = QUIET;
  #pongDue = Number.POSITIVE_INFINITY;

  /** A connection is up, on which the server pings every `heartbeat` seconds. */
  begin(heartbeat: number): void {
    this.#quiet = Math.min(QUIET, Math.max(SOONEST, heartbeat * 1_000));
  }

  /** Something has come. */
  hear(now: number): void {
    this.#heard = now;
    this.#pongDue = Number.POSITIVE_INFINITY;
  }

  /** The connection is gone. */
  end(): void {
    this.#pongDue = Number.POSITIVE_INFINITY;
  }

  get isAsking(): boolean {
    return this.#pongDue !== Number.POSITIVE_INFINITY;
  }

  /** A ping goes out now. */
  ask(now: number): void {
    this.#pongDue = now + PONG;
  }

  /** When to look. */
  wakesAt(): number {
    return this.isAsking ? this.#pongDue : this.#heard + this.#quiet;
  }

  /** What there is to do now. */
  look(now: number): "ping" | "drop" | undefined {
    if (now < this.wakesAt()) return undefined;
    if (!this.isAsking) return "ping";
    if (now - this.#pongDue <= LATE) return "drop";
    this.#pongDue = now + PONG;
    return undefined;
  }
}
