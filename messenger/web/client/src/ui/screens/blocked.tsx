/** A page that can't go on: what happened, why, and what to do. */

import type { ComponentChildren, JSX } from "preact";

import { Icon, type IconName } from "../parts/icon.tsx";

export function Blocked({
  icon,
  title,
  lines,
  children,
}: {
  readonly icon: IconName;
  readonly title: string;
  readonly lines: readonly string[];
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <main class="single">
      <div class="card" role="alert">
        <Icon name={icon} />
        <h1>{title}</h1>
        {lines.map((line) => (
          <p key={line}>{line}</p>
        ))}
        {children}
      </div>
    </main>
  );
}
