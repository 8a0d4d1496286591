/** Choosing files to send, and dropping them on the conversation. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useRef } from "preact/hooks";

import { IconButton } from "../../parts/button.tsx";
import { sendFiles } from "../../state/uploads.ts";
import { words } from "../../words/index.ts";

export function Attach({ conversation }: { readonly conversation: string }): JSX.Element {
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={chooser}
        type="file"
        multiple
        hidden
        tabIndex={-1}
        onChange={({ currentTarget }) => {
          sendFiles(conversation, [...(currentTarget.files ?? [])]);
          currentTarget.value = ""; // so that the same file can be chosen again
        }}
      />
      <IconButton
        icon="clip"
        label={words.value.files.attach}
        onPress={() => {
          chooser.current?.click();
        }}
      />
    </>
  );
}

/** Where files can be dropped, or pasted. */
export function DropPlace({
  conversation,
  isOpen,
  children,
}: {
  readonly conversation: string;
  /** Whether anything can be sent there. */
  readonly isOpen: boolean;
  readonly children: ComponentChildren;
}): JSX.Element {
  const depth = useSignal(0);
  const hasFiles = (event: DragEvent): boolean =>
    isOpen && event.dataTransfer?.types.includes("Files") === true;
  return (
    <div
      class="drop-place"
      onDragEnter={(event) => {
        if (hasFiles(event)) depth.value += 1;
      }}
      onDragLeave={(event) => {
        if (hasFiles(event)) depth.value = Math.max(0, depth.value - 1);
      }}
      onDragOver={(event) => {
        if (hasFiles(event)) event.preventDefault();
      }}
      onDrop={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        depth.value = 0;
        sendFiles(conversation, [...(event.dataTransfer?.files ?? [])]);
      }}
      onPaste={(event) => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (!isOpen || files.length === 0) return;
        event.preventDefault();
        sendFiles(conversation, files);
      }}
    >
      {children}
      {depth.value > 0 ? (
        <div class="drop-here" aria-hidden="true">
          {words.value.files.drop}
        </div>
      ) : null}
    </div>
  );
}
