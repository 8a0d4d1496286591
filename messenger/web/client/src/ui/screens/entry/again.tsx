/** This browser's session has ended: log in once more, or begin anew where the device is gone. */

import type { JSX } from "preact";

import { status } from "../../state/engine.ts";
import { back } from "../../state/router.ts";
import { words } from "../../words/index.ts";
import { Forget } from "./forget.tsx";
import { Login } from "./login.tsx";

export function Again(): JSX.Element {
  const { username, connection } = status.value;
  const said = words.value.entry;
  if (connection === "removed") return <Forget said={said.removed} onStay={back} />;
  return (
    <div class="stack">
      <p>{said.again}</p>
      <Login as={username ?? ""} onDone={back} />
    </div>
  );
}
