/** The list of conversations. */

import type { JSX, TargetedKeyboardEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { ShownConversation } from "../../worker/protocol.ts";
import { Avatar } from "../parts/avatar.tsx";
import { Button, IconButton } from "../parts/button.tsx";
import { Icon } from "../parts/icon.tsx";
import { Said } from "../parts/name.tsx";
import { Tick } from "../parts/tick.tsx";
import { isolated, lineOf } from "../rules/texts.ts";
import { momentOf, tickOf } from "../rules/timeline.ts";
import { shortTimeOf } from "../rules/times.ts";
import { status } from "../state/engine.ts";
import { go, route, routeTo, under } from "../state/router.ts";
import { keepTalks, talks } from "../state/talks.ts";
import { warningsOf } from "../state/warnings.ts";
import { locale, words } from "../words/index.ts";
import { nameOf } from "./talk/talk.tsx";

const SHOWN = 100; // more are drawn as somebody scrolls on

export function Talks(): JSX.Element {
  const said = words.value;
  useEffect(keepTalks, []);
  const isConnecting = status.value.connection === "connecting";
  return (
    <>
      <header class="bar">
        <h1>
          {said.talks.title}
          <span class="state">{isConnecting ? said.connection.connecting : ""}</span>
        </h1>
        <IconButton icon="gear" label={said.settings.title} onPress={openSettings} />
        <IconButton icon="plus" label={said.start.title} onPress={openStart} />
      </header>
      <List />
    </>
  );
}

function openSettings(): void {
  go(routeTo("settings", null), { sheet: true });
}

function openStart(): void {
  go(routeTo("start", null), { sheet: true });
}

function List(): JSX.Element | null {
  const said = words.value.talks;
  const [many, draw] = useState(SHOWN);
  const list = useRef<HTMLUListElement>(null);
  const rows = talks.value;
  if (rows === null) return null;
  if (rows.length === 0) {
    return (
      <div class="empty">
        <strong>{said.none}</strong>
        <p>{said.noneYet}</p>
        <Button kind="main" onPress={openStart}>
          {words.value.start.title}
        </Button>
      </div>
    );
  }
  // Up and down lead through the list, as in lists elsewhere.
  const moved = (event: TargetedKeyboardEvent<HTMLUListElement>): void => {
    const steps = { ArrowDown: 1, ArrowUp: -1 } as Readonly<Record<string, number>>;
    const step = steps[event.key];
    const items = [...(list.current?.querySelectorAll<HTMLElement>(".talk-link") ?? [])];
    const at = items.findIndex((one) => one === document.activeElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    items[at + step]?.focus();
  };
  return (
    <ul
      ref={list}
      class="talks"
      onKeyDown={moved}
      onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
        if (many < rows.length && scrollTop + 2 * clientHeight > scrollHeight) draw(many + SHOWN);
      }}
    >
      {rows.slice(0, many).map((row) => (
        <Item key={row.conversation_id} row={row} />
      ))}
    </ul>
  );
}

function Item({ row }: { readonly row: ShownConversation }): JSX.Element {
  const said = words.value;
  const { conversation_id, last, unread } = row;
  const name = nameOf(row);
  const ground = under.value ?? route.value;
  const isOpen = ground.screen === "talk" && ground.given.conversation === conversation_id;
  const moment = last === null ? null : momentOf(last);
  const tick = last === null ? null : tickOf(last, row);
  return (
    <li>
      <a
        class="talk-link"
        href="#talk"
        aria-current={isOpen ? "page" : undefined}
        onClick={(event) => {
          event.preventDefault();
          const isBeside = ground.screen === "talk";
          go(routeTo("talk", { conversation: conversation_id }), { replace: isBeside });
        }}
      >
        <Avatar name={name} isGroup={row.type !== "direct"} />
        <span class="talk-name">
          <Said text={name} />
        </span>
        {moment === null ? null : (
          <time class="talk-time" dateTime={new Date(moment).toISOString()}>
            {shortTimeOf(moment, Date.now(), locale.value)}
          </time>
        )}
        <span class="talk-line">
          {tick === null ? null : <Tick stage={tick} />}
          <Preview row={row} />
        </span>
        <span class="talk-marks">
          {warningsOf(conversation_id).length > 0 ? (
            <span class="talk-warning" role="img" aria-label={said.talks.warned}>
              <Icon name="alert" />
            </span>
          ) : null}
          {unread > 0 ? (
            <span class="badge">
              <span aria-hidden="true">{unread > 99 ? "99+" : unread}</span>
              <span class="hidden-text">{said.talks.unread(unread)}</span>
            </span>
          ) : null}
        </span>
      </a>
    </li>
  );
}

/** The last line. */
function Preview({ row: { last, type, unopened } }: { readonly row: ShownConversation }): JSX.Element {
  const said = words.value;
  if (unopened.length > 0) return <em>{said.talk.unopened}</em>;
  if (last === null) return <em>{said.talks.nothing}</em>;
  if (last.state === "deleted") return <em>{said.talk.deleted}</em>;
  const who = type !== "direct" && !last.outgoing ? `${isolated(last.sender)}: ` : "";
  return (
    <>
      {who}
      <Said text={lineOf(last.text)} />
    </>
  );
}
