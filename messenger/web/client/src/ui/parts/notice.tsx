/** What stands above other things until it is dealt with or over. */

import type { ComponentChildren, JSX } from "preact";

import { Icon, type IconName } from "./icon.tsx";

export function Notice({
  icon,
  kind = "quiet",
  children,
  actions,
}: {
  readonly icon: IconName;
  readonly kind?: "quiet" | "warning" | "danger";
  readonly children: ComponentChildren;
  readonly actions?: ComponentChildren;
}): JSX.Element {
  return (
    <div class={`notice ${kind}`}>
      <Icon name={icon} />
      <div class="notice-text">{children}</div>
      {actions === undefined ? null : <div class="notice-actions">{actions}</div>}
    </div>
  );
}
