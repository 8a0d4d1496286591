/** Settings: how the page looks, and the way to devices and the contact link. */

import type { JSX } from "preact";

import { Button } from "../parts/button.tsx";
import { Choice } from "../parts/choice.tsx";
import { Said } from "../parts/name.tsx";
import { status } from "../state/engine.ts";
import { choose, look } from "../state/look.ts";
import { go, routeTo } from "../state/router.ts";
import { LANGUAGES, words } from "../words/index.ts";

export function Settings(): JSX.Element {
  const said = words.value.look;
  const { theme, contrast, language } = look.value;
  const { username } = status.value;
  return (
    <div class="stack">
      {username === null ? null : (
        <p>
          {words.value.settings.account} <Said text={username} of="strong" />
        </p>
      )}
      <div class="buttons">
        <Button
          onPress={() => {
            go(routeTo("devices", null), { sheet: true });
          }}
        >
          {words.value.devices.title}
        </Button>
        <Button
          onPress={() => {
            go(routeTo("contact", null), { sheet: true });
          }}
        >
          {words.value.contact.title}
        </Button>
      </div>
      <Choice
        label={said.theme}
        chosen={theme}
        choices={[
          [null, said.ofBrowser],
          ["light", said.light],
          ["dark", said.dark],
        ]}
        onChoose={(one) => {
          choose({ theme: one });
        }}
      />
      <Choice
        label={said.contrast}
        chosen={contrast}
        choices={[
          [null, said.ofBrowser],
          ["more", said.more],
        ]}
        onChoose={(one) => {
          choose({ contrast: one });
        }}
      />
      <Choice
        label={said.language}
        chosen={language}
        choices={[
          [null, said.ofBrowser],
          ["en", LANGUAGES.en],
          ["de", LANGUAGES.de],
        ]}
        onChoose={(one) => {
          choose({ language: one });
        }}
      />
    </div>
  );
}
