/** A message's file: its name and size, saving it, and a picture of a safe type in a place that was kept for it. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import type { ShownMessage } from "../../../worker/protocol.ts";
import { IconButton } from "../../parts/button.tsx";
import { Icon } from "../../parts/icon.tsx";
import { Said } from "../../parts/name.tsx";
import { MOST_SHOWN, isPicture, placeOf, plainName, sizeOf } from "../../rules/files.ts";
import { type Reason, reasonOf } from "../../rules/reasons.ts";
import { isolated } from "../../rules/texts.ts";
import { type Fetching, fetchFile, save } from "../../state/fetching.ts";
import { locale, words } from "../../words/index.ts";

const WIDEST = 320; // pixels

export function File({ message }: { readonly message: ShownMessage }): JSX.Element | null {
  const { file } = message;
  if (file === null) return null;
  return (
    <div class="file">
      {isPicture(message) ? (
        <Picture key={file.file_id} message={message} name={plainName(file.name)} />
      ) : null}
      <Row id={message.id} name={plainName(file.name)} size={file.size} />
    </div>
  );
}

function Row({
  id,
  name,
  size,
}: {
  readonly id: number;
  readonly name: string;
  readonly size: number;
}): JSX.Element {
  const said = words.value.files;
  const fetching = useSignal<Fetching | null>(null);
  const problem = useSignal<Reason | null>(null);
  const shown = isolated(name);
  const begin = (): void => {
    const made = fetchFile(id);
    fetching.value = made;
    problem.value = null;
    made.blob
      .then(
        (blob) => {
          save(blob, name);
        },
        (error: unknown) => {
          const reason = reasonOf(error);
          if (reason !== "cancelled") problem.value = reason;
        },
      )
      .finally(() => {
        fetching.value = null;
      });
  };
  const going = fetching.value;
  return (
    <>
      <div class="file-row">
        <Icon name="file" />
        <span class="file-name">
          <Said text={name} />
          <span class="file-size">{sizeOf(size, locale.value)}</span>
        </span>
        {going === null ? (
          <IconButton icon="save" label={said.save(shown)} onPress={begin} />
        ) : (
          <IconButton icon="close" label={said.stop(shown)} onPress={going.stop} />
        )}
      </div>
      {going === null ? null : (
        <progress class="file-progress" aria-label={said.saving(shown)} max={1} value={going.done.value} />
      )}
      {problem.value === null ? null : (
        <p class="problem" role="alert">
          {words.value.errors[problem.value]}
        </p>
      )}
    </>
  );
}

/** Fetched once it is looked at. Its place is as large before as after. */
function Picture({ message, name }: { readonly message: ShownMessage; readonly name: string }): JSX.Element {
  const said = words.value.files;
  const { id, width, height } = message;
  const place = placeOf(width, height, WIDEST);
  const frame = useRef<HTMLDivElement>(null);
  const url = useSignal<string | null>(null);
  const isOdd = useSignal(false);
  useEffect(() => {
    const { current } = frame;
    let [isOver, made, going] = [false, null as string | null, null as Fetching | null];
    const watching = new IntersectionObserver((seen) => {
      if (going !== null || !seen.some((one) => one.isIntersecting)) return;
      watching.disconnect();
      going = fetchFile(id, MOST_SHOWN);
      going.blob.then(
        (blob) => {
          if (isOver) return;
          // The engine has looked at its bytes: only pictures have such a type.
          if (!blob.type.startsWith("image/")) isOdd.value = true;
          else url.value = made = URL.createObjectURL(blob);
        },
        () => {
          isOdd.value = true;
        },
      );
    });
    if (current !== null) watching.observe(current);
    return () => {
      isOver = true;
      watching.disconnect();
      if (made === null) going?.stop();
      else URL.revokeObjectURL(made);
    };
  }, [id]);
  return (
    <div
      ref={frame}
      class="picture"
      style={{
        width: `${String(place.width)}px`,
        aspectRatio: `${String(place.width)} / ${String(place.height)}`,
      }}
    >
      {url.value === null ? null : (
        <img
          src={url.value}
          alt={said.picture(isolated(name))}
          decoding="async"
          onError={() => {
            isOdd.value = true;
          }}
        />
      )}
      {isOdd.value ? <p class="hint">{said.noPicture}</p> : null}
    </div>
  );
}
