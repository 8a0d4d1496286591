/** Which screen there is: one that says what is in the way, the way in, or the frame. */

import type { JSX } from "preact";

import { Button } from "./parts/button.tsx";
import { Notice } from "./parts/notice.tsx";
import { Blocked } from "./screens/blocked.tsx";
import { Entry } from "./screens/entry.tsx";
import { Frame } from "./screens/frame.tsx";
import type { Obstacle } from "./secure.ts";
import { role, status, update } from "./state/engine.ts";
import { words } from "./words/index.ts";

export function App({ obstacle }: { readonly obstacle: Obstacle | null }): JSX.Element {
  if (obstacle !== null) return <InTheWay obstacle={obstacle} />;
  return (
    <>
      <Update />
      <Inside />
    </>
  );
}

function InTheWay({ obstacle }: { readonly obstacle: Obstacle }): JSX.Element {
  const { insecure, lacking } = words.value.blocked;
  if (obstacle.what === "insecure") {
    const lines = [insecure.cause(obstacle.here), insecure.local(obstacle.local), insecure.others];
    return <Blocked icon="lock" title={insecure.title} lines={lines} />;
  }
  return <Blocked icon="alert" title={lacking.title} lines={[lacking.cause(obstacle.names), lacking.todo]} />;
}

function Inside(): JSX.Element {
  const said = words.value.blocked;
  const reload = (
    <Button
      kind="main"
      onPress={() => {
        location.reload();
      }}
    >
      {said.reload}
    </Button>
  );
  if (role.value === "other_version") {
    return (
      <Blocked icon="alert" title={said.other_version.title} lines={said.other_version.lines}>
        {reload}
      </Blocked>
    );
  }
  const { profile, code } = status.value;
  switch (profile) {
    case "opening":
      return <main class="single opening">{words.value.common.opening}</main>;
    case "none":
    case "locked":
      return <Entry isLocked={profile === "locked"} />;
    case "failed": {
      const isKnown = Object.hasOwn(said.failed, code);
      const { title, lines } = isKnown ? said.failed[code as keyof typeof said.failed] : said.unknown;
      return (
        <Blocked icon="alert" title={title} lines={lines}>
          {reload}
        </Blocked>
      );
    }
    case "open":
      return <Frame />;
  }
}

function Update(): JSX.Element | null {
  const load = update.value;
  if (load === null) return null;
  const said = words.value.update;
  return (
    <div role="status">
      <Notice icon="retry" actions={<Button onPress={load}>{said.load}</Button>}>
        {said.said}
      </Notice>
    </div>
  );
}
