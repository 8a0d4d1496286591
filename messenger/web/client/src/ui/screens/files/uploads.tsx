/** What is being sent in a conversation: how far it is, giving it up, and trying it again. */

import type { JSX } from "preact";

import { IconButton } from "../../parts/button.tsx";
import { plainName } from "../../rules/files.ts";
import { isolated } from "../../rules/texts.ts";
import { type Upload, forgetUpload, sendAgain, uploadsOf } from "../../state/uploads.ts";
import { words } from "../../words/index.ts";

export function Uploads({ conversation }: { readonly conversation: string }): JSX.Element {
  const found = uploadsOf(conversation);
  return (
    <ul class="uploads">
      {found.map((one) => (
        <Item key={one.id} upload={one} />
      ))}
    </ul>
  );
}

function Item({ upload }: { readonly upload: Upload }): JSX.Element {
  const said = words.value.files;
  const { done, problem } = upload;
  const name = isolated(plainName(upload.name));
  const forget = (): void => {
    forgetUpload(upload);
  };
  if (problem !== null) {
    return (
      <li class="upload" role="alert">
        <p class="upload-text">
          <strong>{said.failed(name)}</strong> {words.value.errors[problem]}
        </p>
        <IconButton
          icon="retry"
          label={said.again(name)}
          onPress={() => {
            sendAgain(upload);
          }}
        />
        <IconButton icon="close" label={said.forget(name)} onPress={forget} />
      </li>
    );
  }
  return (
    <li class="upload">
      <label class="upload-text">
        {said.sending(name)}
        <progress max={1} value={done} />
      </label>
      <IconButton icon="close" label={said.cancel(name)} onPress={forget} />
    </li>
  );
}
