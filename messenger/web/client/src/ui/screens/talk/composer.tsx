/** What is written next: Enter sends, Shift and Enter begin a new line; what is begun stays until it is sent. */

import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX, RefObject, TargetedKeyboardEvent } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { Icon } from "../../parts/icon.tsx";
import type { ListControl } from "../../parts/virtual-list.tsx";
import { type Reason, reasonOf } from "../../rules/reasons.ts";
import { isolated } from "../../rules/texts.ts";
import { areLoaded, draftOf, keepDraft, keepDrafts } from "../../state/drafts.ts";
import type { OpenTalk } from "../../state/talk.ts";
import { words } from "../../words/index.ts";
import { Attach } from "../files/attach.tsx";

export function Composer({
  talk,
  name,
  control,
}: {
  readonly talk: OpenTalk;
  readonly name: string;
  readonly control: RefObject<ListControl | null>;
}): JSX.Element {
  const said = words.value.talk;
  const { conversation } = talk;
  const text = useSignal(draftOf(conversation));
  const problem = useSignal<Reason | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  useSignalEffect(() => {
    if (areLoaded.value && text.peek() === "") text.value = draftOf(conversation);
  });
  useEffect(() => {
    // Where there is a keyboard on the screen, it would cover what was said.
    if (!matchMedia("(pointer: coarse)").matches) field.current?.focus();
    return keepDrafts;
  }, []);
  useLayoutEffect(() => {
    const { current } = field;
    if (current === null) return;
    current.style.height = "auto";
    current.style.height = `${String(current.scrollHeight)}px`;
  }, [text.value]);
  const type = (typed: string): void => {
    text.value = typed;
    keepDraft(conversation, typed);
  };
  const send = async (): Promise<void> => {
    const written = text.value.trim();
    if (written === "") return;
    problem.value = null;
    type("");
    try {
      await talk.send(written);
      control.current?.toEnd();
    } catch (error) {
      problem.value = reasonOf(error);
      // What was begun meanwhile stays, too.
      type(text.value === "" ? written : `${written}\n${text.value}`);
    }
  };
  const pressed = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (matchMedia("(pointer: coarse)").matches) return; // a keyboard on the screen has no Shift and Enter
    event.preventDefault();
    void send();
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
        field.current?.focus();
      }}
    >
      <div role="alert" class="composer-problem">
        {problem.value === null ? null : <p class="problem">{words.value.errors[problem.value]}</p>}
      </div>
      <Attach conversation={conversation} />
      <textarea
        ref={field}
        rows={1}
        dir="auto"
        value={text.value}
        aria-label={said.writeTo(isolated(name))}
        placeholder={said.write}
        onInput={(event) => {
          type(event.currentTarget.value);
        }}
        onKeyDown={pressed}
      />
      <button
        type="submit"
        class="send"
        aria-label={said.send}
        title={said.send}
        disabled={text.value.trim() === ""}
      >
        <Icon name="send" />
      </button>
    </form>
  );
}
