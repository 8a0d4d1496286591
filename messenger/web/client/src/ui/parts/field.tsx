/** Fields of a form: a label, what is typed, a hint, and what is wrong with it. */

import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";

import { words } from "../words/index.ts";

export interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly value: string;
  readonly onType: (value: string) => void;
  readonly hint?: string | undefined;
  readonly fault?: string | undefined;
  readonly autocomplete?: string;
  readonly inputMode?: "numeric" | "text";
  readonly isSecret?: boolean;
  readonly disabled?: boolean;
  /** Whether a sheet begins with it. */
  readonly isFirst?: boolean;
}

export function Field(props: FieldProps): JSX.Element {
  const { label, name, value, onType, hint, fault, isSecret = false, disabled = false } = props;
  const id = useId();
  const [isShown, show] = useState(false);
  const said = words.value.entry;
  const isHinted = hint !== undefined && fault === undefined;
  const about = [isHinted ? `${id}-hint` : "", fault === undefined ? "" : `${id}-fault`].join(" ").trim();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-row">
        <input
          autofocus={props.isFirst === true}
          id={id}
          name={name}
          {...(isSecret && !isShown ? { type: "password" as const } : { type: "text" as const })}
          value={value}
          disabled={disabled}
          autocomplete={props.autocomplete ?? "off"}
          autocapitalize="none"
          autocorrect="off"
          spellcheck={false}
          inputMode={props.inputMode ?? "text"}
          aria-invalid={fault !== undefined}
          {...(about === "" ? {} : { "aria-describedby": about })}
          onInput={(event) => {
            onType(event.currentTarget.value);
          }}
        />
        {isSecret ? (
          <button
            type="button"
            class="field-eye"
            aria-pressed={isShown}
            onClick={() => {
              show(!isShown);
            }}
          >
            {isShown ? said.hide : said.show}
            <span class="hidden-text"> {label}</span>
          </button>
        ) : null}
      </div>
      {fault === undefined ? null : (
        <p id={`${id}-fault`} class="fault">
          {fault}
        </p>
      )}
      {isHinted ? (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      ) : null}
    </div>
  );
}

/** Something to be agreed to. */
export function Check({
  label,
  hint,
  checked,
  onChange,
}: {
  readonly label: string;
  readonly hint?: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}): JSX.Element {
  const id = useId();
  return (
    <div class="check">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        {...(hint === undefined ? {} : { "aria-describedby": `${id}-hint` })}
        onChange={(event) => {
          onChange(event.currentTarget.checked);
        }}
      />
      <label for={id}>{label}</label>
      {hint === undefined ? null : (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
    </div>
  );
}
