/** The banner on the connection: what is wrong, what it means, and what to do. Nothing where all is well. */

import type { JSX } from "preact";

import { Button } from "../parts/button.tsx";
import { Notice } from "../parts/notice.tsx";
import { type Banner, bannerOf } from "../rules/connection.ts";
import { nudge, status } from "../state/engine.ts";
import { onLine } from "../state/network.ts";
import { go, routeTo } from "../state/router.ts";
import { useSeconds } from "../state/now.ts";
import { words } from "../words/index.ts";

export function Connection(): JSX.Element {
  const now = useSeconds(status.value.connection === "offline");
  const banner = bannerOf(status.value, onLine.value, now);
  // The place is always there, so that what comes into it is read out.
  return <div role="status">{banner === null ? null : <Shown banner={banner} />}</div>;
}

function Shown({ banner }: { readonly banner: Banner }): JSX.Element {
  const said = words.value.connection;
  if (banner.say === "offline" || banner.say === "away") {
    return (
      <Notice icon="offline" actions={<Button onPress={nudge}>{said.now}</Button>}>
        <strong>{said[banner.say].happened}</strong> {said[banner.say].means}{" "}
        {banner.seconds === null ? null : (
          // Not each second is to be read out.
          <span aria-live="off">{said.again(banner.seconds)}</span>
        )}
      </Notice>
    );
  }
  const { happened, means, todo } = said[banner.say];
  return (
    <Notice icon="alert" kind="warning" actions={<Remedy say={banner.say} />}>
      <strong>{happened}</strong> {means} {todo}
    </Notice>
  );
}

function Remedy({ say }: { readonly say: "session_ended" | "taken_over" | "removed" }): JSX.Element {
  const said = words.value.connection;
  if (say === "taken_over") return <Button onPress={nudge}>{said.taken_over.here}</Button>;
  return (
    <Button
      onPress={() => {
        go(routeTo("again", null), { sheet: true });
      }}
    >
      {said[say].remedy}
    </Button>
  );
}
