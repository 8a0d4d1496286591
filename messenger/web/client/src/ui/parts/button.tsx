/** Buttons. */

import type { ComponentChildren, JSX } from "preact";

import { Icon, type IconName } from "./icon.tsx";

interface Pressed {
  readonly onPress: () => void;
  readonly disabled?: boolean;
}

export function Button({
  children,
  onPress,
  kind = "plain",
  disabled = false,
}: Pressed & {
  readonly children: ComponentChildren;
  readonly kind?: "plain" | "main" | "danger" | "link";
}): JSX.Element {
  return (
    <button type="button" class={`button ${kind}`} disabled={disabled} onClick={onPress}>
      {children}
    </button>
  );
}

/** A button that shows a drawing alone; `label` is what it does. */
export function IconButton({
  icon,
  label,
  onPress,
  disabled = false,
}: Pressed & { readonly icon: IconName; readonly label: string }): JSX.Element {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      disabled={disabled}
      onClick={onPress}
    >
      <Icon name={icon} />
    </button>
  );
}
