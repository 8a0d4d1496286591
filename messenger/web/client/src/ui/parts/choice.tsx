/** One of a few: radio buttons that look like one piece. */

import type { JSX } from "preact";
import { useId } from "preact/hooks";

export function Choice<T extends string | null>({
  label,
  chosen,
  choices,
  onChoose,
  isLabelHidden = false,
}: {
  readonly label: string;
  readonly chosen: T;
  readonly choices: readonly (readonly [value: T, label: string])[];
  readonly onChoose: (value: T) => void;
  readonly isLabelHidden?: boolean;
}): JSX.Element {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend class={isLabelHidden ? "hidden-text" : ""}>{label}</legend>
      <div class="choice-row">
        {choices.map(([value, text]) => (
          <label key={text}>
            <input
              type="radio"
              name={name}
              checked={value === chosen}
              onChange={() => {
                onChoose(value);
              }}
            />
            <span>{text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
