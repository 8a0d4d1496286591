/** How far a message has come. */

import type { JSX } from "preact";

import type { Tick as Stage } from "../rules/timeline.ts";
import { words } from "../words/index.ts";
import { Icon, type IconName } from "./icon.tsx";

const ICONS: Readonly<Record<Stage, IconName>> = {
  queued: "clock",
  sent: "check",
  delivered: "checks",
  read: "checks",
  failed: "alert",
};

export function Tick({ stage }: { readonly stage: Stage }): JSX.Element {
  const label = words.value.talk.ticks[stage];
  return (
    <span class={`tick ${stage}`} role="img" aria-label={label} title={label}>
      <Icon name={ICONS[stage]} />
    </span>
  );
}
