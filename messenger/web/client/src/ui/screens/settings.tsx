/** Settings: how the page looks, the way to devices and the contact link, and logging out. */

import type { JSX } from "preact";

import { Problem, useAction } from "../parts/action.tsx";
import { Button } from "../parts/button.tsx";
import { Choice } from "../parts/choice.tsx";
import { Said } from "../parts/name.tsx";
import { Sure } from "../parts/sure.tsx";
import { call, status } from "../state/engine.ts";
import { choose, look } from "../state/look.ts";
import { back, go, routeTo } from "../state/router.ts";
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
      <Leave />
      <p>
        <a href="/about">{words.value.common.about}</a>
      </p>
    </div>
  );
}

/** Logging out; on a machine that others use, too, with all that is kept here deleted. */
function Leave(): JSX.Element {
  const said = words.value.settings;
  const action = useAction();
  const leave = (isErased: boolean): void => {
    void action.run(async () => {
      if (status.value.connection !== "session_ended") await call("logout", null);
      if (isErased) await call("forget", null);
      else back();
    });
  };
  return (
    <div class="stack">
      <Problem of={action} />
      <Sure
        label={said.logout}
        what={said.logoutWhat}
        sure={said.logout}
        onSure={() => {
          leave(false);
        }}
      />
      <Sure
        label={said.erase}
        what={said.eraseWhat}
        sure={said.eraseSure}
        onSure={() => {
          leave(true);
        }}
      />
    </div>
  );
}
