/** The list of conversations. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import type { ShownConversation } from "../../worker/protocol.ts";
import { IconButton } from "../parts/button.tsx";
import { Said } from "../parts/name.tsx";
import { call, listen } from "../state/engine.ts";
import { go, routeTo } from "../state/router.ts";
import { words } from "../words/index.ts";

export function Talks(): JSX.Element {
  const said = words.value;
  const talks = useSignal<readonly ShownConversation[]>([]);
  useEffect(() => {
    const load = (): void => {
      call("conversations", null).then(
        (found) => {
          talks.value = found;
        },
        () => undefined,
      );
    };
    load();
    return listen(load);
  }, []);
  return (
    <>
      <header class="bar">
        <h1>{said.talks.title}</h1>
        <IconButton
          icon="plus"
          label={said.start.title}
          onPress={() => {
            go(routeTo("start", null), { sheet: true });
          }}
        />
        <IconButton
          icon="gear"
          label={said.settings.title}
          onPress={() => {
            go(routeTo("settings", null), { sheet: true });
          }}
        />
      </header>
      {talks.value.length === 0 ? (
        <div class="empty">
          <strong>{said.talks.none}</strong>
          <p>{said.talks.noneYet}</p>
        </div>
      ) : (
        <ul>
          {talks.value.map((one) => (
            <li key={one.conversation_id}>
              <button
                type="button"
                class="button link"
                onClick={() => {
                  go(routeTo("talk", { conversation: one.conversation_id }));
                }}
              >
                <Said text={one.peer ?? one.title} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
