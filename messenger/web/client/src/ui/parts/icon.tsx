/** Drawings, in the colour of the text beside them. They say nothing by themselves: what they mean stands in a label. */

import type { JSX } from "preact";

const PATHS = {
  alert: "M12 3.5 21.5 20h-19zM12 10v4.5m0 2.6v.4",
  back: "M15 5l-7 7 7 7",
  check: "M4.5 12.5l5 5 10-11",
  checks: "M1.5 12.5l5 5 9.5-11M11.5 16l2 1.5 9-11",
  clip: "M8 12.5l6.500-6.500a3.300 3.300 0 0 1 4.700 4.700l-8.500 8.500a5.200 5.200 0 0 1-7.400-7.400l8-8",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17zM12 7.5V12l3 2",
  close: "M6 6l12 12M18 6L6 18",
  down: "M6 9.5l6 6 6-6",
  file: "M6 3.500h8l4.500 4.500v12.500h-12.500zM14 3.500v4.500h4.500",
  gear: "M4 7h9m5 0h2M4 17h2m5 0h9M15.5 4.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5zM8.5 14.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5z",
  lock: "M7.5 10.5V8a4.5 4.5 0 0 1 9 0v2.5M6 10.5h12v9.5H6z",
  offline:
    "M3 9.5a13 13 0 0 1 4-2.5m4-.9a13 13 0 0 1 10 3.4M6 13a9 9 0 0 1 4-2.3m5 .6a9 9 0 0 1 3 1.700M9.3 16.3a4.5 4.5 0 0 1 5.4 0M12 19.5v.1M4 3.5l16 17",
  people:
    "M9 5.500a3.200 3.200 0 1 0 0 6.400a3.200 3.200 0 1 0 0-6.400zM3 19.500a6 6 0 0 1 12 0M16 5.800a3 3 0 0 1 0 5.800M17.500 14.500a6 6 0 0 1 3.500 5",
  plus: "M12 5v14M5 12h14",
  retry: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3M19.5 3.5v4h-4",
  save: "M12 4v11M7 10.500l5 5 5-5M5 20h14",
  send: "M12 19.5V5M5.5 11.5L12 5l6.5 6.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
