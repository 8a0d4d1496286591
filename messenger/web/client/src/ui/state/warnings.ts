/** What stands in the slots for warnings now. Whoever hears of one puts it in; dealing with it takes it out. */

import { signal } from "@preact/signals";

export interface ShownWarning {
  /** The same for the same matter, which is then shown once. */
  readonly key: string;
  /** The conversation that it is about; null for one about no single one. */
  readonly conversation: string | null;
  /** Nothing is sent past it. */
  readonly refuses: boolean;
  readonly happened: string;
  readonly means: string;
  readonly todo: string;
  readonly actions: readonly { readonly label: string; readonly act: () => void }[];
}

export const warnings = signal<readonly ShownWarning[]>([]);

/** Those about a conversation, or with null about no single one. */
export function warningsOf(conversation: string | null): readonly ShownWarning[] {
  return warnings.value.filter((one) => one.conversation === conversation);
}

/** Show it, in the place of one about the same matter. */
export function warn(made: ShownWarning): void {
  const others = warnings.value.filter((one) => one.key !== made.key);
  warnings.value = [...others, made];
}

/** It was dealt with. */
export function settleWarning(key: string): void {
  warnings.value = warnings.value.filter((one) => one.key !== key);
}
