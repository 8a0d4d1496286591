/** A letter on a colour that stands for somebody; the name stands beside it. */

import type { JSX } from "preact";

import { hueOf, initialOf } from "../rules/texts.ts";

export const HUES = 8;

export function Avatar({
  name,
  isGroup = false,
}: {
  readonly name: string;
  readonly isGroup?: boolean;
}): JSX.Element {
  return (
    <span class={`avatar hue-${String(hueOf(name, HUES))}${isGroup ? " group" : ""}`} aria-hidden="true">
      {initialOf(name)}
    </span>
  );
}
