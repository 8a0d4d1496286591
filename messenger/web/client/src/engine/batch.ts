/** What becomes of some work in the store besides what is stored. */

/**
 * Acknowledgements, conversations that have to be woken, and what was asked of the server for this.
 *
 * `now` is in seconds since 1970, `moment` the same as RFC 3339. `asked` are the users whose keys were asked for just
 * now: what is not known of them by then is not known.
 */
export interface Batch {
  readonly now: number;
  readonly moment: string;
  readonly asked: ReadonlySet<string>;
  readonly acks: Map<string, number>;
  readonly wake: Set<string>;
  approved: boolean;
}

/** One that begins at `now`, in milliseconds since 1970. */
export function beginBatch(now: number, asked: ReadonlySet<string> = new Set()): Batch {
  const moment = new Date(now).toISOString();
  return { now: now / 1_000, moment, asked, acks: new Map(), wake: new Set(), approved: false };
}
