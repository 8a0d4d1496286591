/**
 * A list of which only what is near to be seen is drawn. It opens at its end, stays there when rows come while the end
 * is seen, and otherwise stays where one reads, whatever happens above or below.
 */

import type { JSX, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { type Anchor, Heights, type Range, rangeOf } from "../rules/virtual.ts";

const GUESS = 60; // pixels of a row that was not seen yet
const NEAR = 1_200; // pixels from the top at which more is asked for
const AT_END = 40; // pixels that may be missing

export interface ListControl {
  /** Scroll to the end. */
  toEnd(): void;
}

interface Kept {
  anchor: Anchor | undefined;
  isAtEnd: boolean;
  /** Where it was scrolled to last. */
  top: number;
  drawn: Range;
}

export function VirtualList<R extends { readonly key: string }>({
  rows,
  draw,
  label,
  control,
  onNearTop,
  onEnd,
}: {
  readonly rows: readonly R[];
  readonly draw: (row: R) => JSX.Element;
  readonly label: string;
  readonly control: RefObject<ListControl | null>;
  readonly onNearTop: () => void;
  /** Whether the end is seen. */
  readonly onEnd: (isAtEnd: boolean) => void;
}): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const shown = useRef<HTMLDivElement>(null);
  const [heights] = useState(() => new Heights(GUESS));
  const kept = useRef<Kept>({ anchor: undefined, isAtEnd: true, top: 0, drawn: { from: 0, to: 0 } });
  const [, redraw] = useState(0);
  const again = (): void => {
    redraw((count) => count + 1);
  };

  const last = useRef<readonly R[] | null>(null);
  if (last.current !== rows) {
    last.current = rows;
    heights.set(rows.map((row) => row.key));
  }
  const { current } = kept;
  const height = scroller.current?.clientHeight ?? 800;
  const wanted = current.anchor === undefined ? undefined : heights.scrollTop(current.anchor);
  const end = Math.max(0, heights.total - height);
  current.drawn = rangeOf(heights, current.isAtEnd ? end : (wanted ?? end), height, current.drawn);
  const { from, to } = current.drawn;

  // Measured before anything of it is seen; what was guessed wrong is drawn once more.
  useLayoutEffect(() => {
    const place = scroller.current;
    if (place === null) return;
    let isNews = false;
    for (const child of shown.current?.children ?? []) {
      const key = child.getAttribute("data-key");
      if (key !== null) isNews = heights.measure(key, child.getBoundingClientRect().height) || isNews;
    }
    const to = current.isAtEnd
      ? heights.total - place.clientHeight
      : current.anchor === undefined
        ? undefined
        : heights.scrollTop(current.anchor);
    if (isNews) again();
    else if (to !== undefined && Math.abs(place.scrollTop - to) >= 1) place.scrollTop = to;
  });

  useEffect(() => {
    const place = scroller.current;
    const inside = shown.current;
    if (place === null || inside === null) return undefined;
    const sizes = new ResizeObserver(again);
    sizes.observe(place);
    sizes.observe(inside);
    return () => {
      sizes.disconnect();
    };
  }, []);

  const scrolled = (): void => {
    const place = scroller.current;
    if (place === null) return;
    const { scrollTop, clientHeight } = place;
    // Who does not scroll up stays at the end, though that is further down by now.
    const isUp = scrollTop < current.top - 1;
    const isAtEnd = scrollTop + clientHeight >= heights.total - AT_END || (current.isAtEnd && !isUp);
    current.top = scrollTop;
    current.anchor = heights.anchor(scrollTop);
    if (isAtEnd !== current.isAtEnd) {
      current.isAtEnd = isAtEnd;
      onEnd(isAtEnd);
    }
    if (scrollTop < NEAR) onNearTop();
    const next = rangeOf(heights, scrollTop, clientHeight, current.drawn);
    if (next.from !== current.drawn.from || next.to !== current.drawn.to) again();
  };

  control.current = {
    toEnd: () => {
      current.isAtEnd = true;
      onEnd(true);
      again();
    },
  };

  return (
    <div class="scroller" ref={scroller} role="region" aria-label={label} tabIndex={0} onScroll={scrolled}>
      <div class="scrolled" style={{ height: `${String(heights.total)}px` }}>
        <div
          class="shown"
          ref={shown}
          role="list"
          style={{ transform: `translateY(${String(heights.top(from))}px)` }}
        >
          {rows.slice(from, to).map((row) => (
            <div key={row.key} data-key={row.key} role="listitem">
              {draw(row)}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
