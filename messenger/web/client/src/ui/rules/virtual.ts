/**
 * Which rows of a long list are drawn, and where: rows have heights that are guessed until they were measured.
 *
 * All is told from an anchor, the row at the upper edge: whatever is found out about rows above it, it stays where it
 * is. Lengths are in pixels.
 */

export interface Range {
  readonly from: number;
  /** Behind the last one. */
  readonly to: number;
}

/** A row, and how far the upper edge lies below the row's own. */
export interface Anchor {
  readonly key: string;
  readonly offset: number;
}

export class Heights {
  readonly #guess: number;
  readonly #measured = new Map<string, number>();
  #keys: readonly string[] = [];
  #places = new Map<string, number>();
  /** `#tops[i]` is where the row i begins; the last one is the end of all. */
  #tops = new Float64Array(1);
  #isStale = false;

  constructor(guess: number) {
    this.#guess = guess;
  }

  get count(): number {
    return this.#keys.length;
  }

  get total(): number {
    return this.top(this.#keys.length);
  }

  /** The rows, from the first to the last. */
  set(keys: readonly string[]): void {
    this.#keys = keys;
    this.#places = new Map(keys.map((key, at) => [key, at]));
    this.#isStale = true;
  }

  /** How high a row is; whether that was news. */
  measure(key: string, height: number): boolean {
    const known = this.#measured.get(key);
    if (known !== undefined && Math.abs(known - height) < 0.5) return false;
    this.#measured.set(key, height);
    this.#isStale = true;
    return true;
  }

  /** Where a row begins. */
  top(at: number): number {
    const tops = this.#current();
    return tops[Math.min(Math.max(at, 0), this.#keys.length)] ?? 0;
  }

  place(key: string): number | undefined {
    return this.#places.get(key);
  }

  /** The row at this height. */
  at(y: number): number {
    const tops = this.#current();
    let [low, high] = [0, Math.max(0, this.#keys.length - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((tops[middle] ?? 0) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The rows between two heights. */
  between(upper: number, lower: number): Range {
    if (this.#keys.length === 0) return { from: 0, to: 0 };
    return { from: this.at(upper), to: this.at(lower) + 1 };
  }

  /** What stands at the upper edge; `undefined` where there is nothing. */
  anchor(scrollTop: number): Anchor | undefined {
    const at = this.at(scrollTop);
    const key = this.#keys[at];
    return key === undefined ? undefined : { key, offset: scrollTop - this.top(at) };
  }

  /** How far to scroll so that the anchor stands where it stood; `undefined` where it is gone. */
  scrollTop({ key, offset }: Anchor): number | undefined {
    const at = this.#places.get(key);
    return at === undefined ? undefined : this.top(at) + offset;
  }

  #current(): Float64Array {
    if (!this.#isStale) return this.#tops;
    this.#isStale = false;
    const tops = new Float64Array(this.#keys.length + 1);
    let top = 0;
    for (const [at, key] of this.#keys.entries()) {
      tops[at] = top;
      top += this.#measured.get(key) ?? this.#guess;
    }
    tops[this.#keys.length] = top;
    this.#tops = tops;
    return tops;
  }
}

const MARGIN = 900; // drawn above and below of what is seen
const LEAST = 250; // where less is left, more is drawn

/** The rows to draw; those that are drawn, as long as they reach far enough. */
export function rangeOf(heights: Heights, scrollTop: number, height: number, drawn: Range): Range {
  const isEnough =
    drawn.from < drawn.to &&
    drawn.to <= heights.count &&
    (drawn.from === 0 || heights.top(drawn.from) <= scrollTop - LEAST) &&
    (drawn.to === heights.count || heights.top(drawn.to) >= scrollTop + height + LEAST) &&
    drawn.to - drawn.from <= heights.between(scrollTop - 2 * MARGIN, scrollTop + height + 2 * MARGIN).to;
  return isEnough ? drawn : heights.between(scrollTop - MARGIN, scrollTop + height + MARGIN);
}
