/** A conversation: its messages, and what is written next. */

import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";

import type { ShownConversation } from "../../../worker/protocol.ts";
import { Avatar } from "../../parts/avatar.tsx";
import { IconButton } from "../../parts/button.tsx";
import { Icon } from "../../parts/icon.tsx";
import { Said } from "../../parts/name.tsx";
import { type ListControl, VirtualList } from "../../parts/virtual-list.tsx";
import { Warnings } from "../../parts/warning.tsx";
import { isolated } from "../../rules/texts.ts";
import { type Row, rowsOf } from "../../rules/timeline.ts";
import { HOME } from "../../state/routes.ts";
import { go, routeTo } from "../../state/router.ts";
import { OpenTalk } from "../../state/talk.ts";
import { talkOf, talks } from "../../state/talks.ts";
import { words } from "../../words/index.ts";
import { DropPlace } from "../files/attach.tsx";
import { Uploads } from "../files/uploads.tsx";
import { Composer } from "./composer.tsx";
import { Day, Line, New, Unopened } from "./message.tsx";
import { useReading } from "./reading.ts";

/** What a conversation is called. */
export function nameOf(row: ShownConversation): string {
  return row.peer ?? (row.title === "" ? words.value.talk.untitled : row.title);
}

/** Open what there is to know of who is in it. */
function about({ type, conversation_id, peer }: ShownConversation): void {
  if (type !== "direct") go(routeTo("group", { conversation: conversation_id }), { sheet: true });
  else if (peer !== null) go(routeTo("person", { username: peer }), { sheet: true });
}

export function Talk({ conversation }: { readonly conversation: string }): JSX.Element | null {
  const row = talkOf(conversation);
  if (row === undefined) return talks.value === null ? null : <Gone />;
  return <Shown row={row} />;
}

function Gone(): JSX.Element {
  return (
    <div class="empty">
      <p>{words.value.talk.gone}</p>
    </div>
  );
}

function Shown({ row }: { readonly row: ShownConversation }): JSX.Element {
  const said = words.value.talk;
  const name = nameOf(row);
  const isGroup = row.type !== "direct";
  const talk = useMemo(() => new OpenTalk(row.conversation_id), [row.conversation_id]);
  const control = useRef<ListControl>(null);
  const isAtEnd = useSignal(true);
  // What had been read when it was opened: the mark of what is new stays there.
  const readSeq = useRef(row.unread > 0 ? row.read_seq : null);
  useEffect(() => talk.open(), [talk]);
  const unseen = useReading(talk, row, isAtEnd);
  const unopened = row.unopened;
  const rows = useMemo(
    () => rowsOf(talk.messages.value ?? [], unopened, readSeq.current),
    [talk.messages.value, unopened],
  );
  const isEmpty = useComputed(() => talk.messages.value?.length === 0);
  const draw = (one: Row): JSX.Element => {
    switch (one.kind) {
      case "day":
        return <Day at={one.at} />;
      case "new":
        return <New />;
      case "unopened":
        return <Unopened sender={isGroup ? one.sender : null} />;
      case "message":
        return <Line row={one} come={row} isGroup={isGroup} />;
    }
  };
  return (
    <>
      <header class="bar talk-bar">
        <span class="only-narrow">
          <IconButton
            icon="back"
            label={words.value.common.back}
            onPress={() => {
              go(HOME, { replace: true });
            }}
          />
        </span>
        <Avatar name={name} isGroup={isGroup} />
        <h1>
          <Said text={name} />
        </h1>
        <IconButton
          icon="people"
          label={isGroup ? words.value.group.title : words.value.people.title}
          onPress={() => {
            about(row);
          }}
        />
      </header>
      <Warnings conversation={row.conversation_id} />
      <DropPlace conversation={row.conversation_id} isOpen={!row.ended}>
        <div class="pane">
          <VirtualList
            rows={rows}
            draw={draw}
            label={said.messages(isolated(name))}
            control={control}
            onNearTop={() => void talk.older()}
            onEnd={(isThere) => {
              isAtEnd.value = isThere;
            }}
          />
          {isEmpty.value ? <p class="beginning">{said.beginning}</p> : null}
          {isAtEnd.value ? null : (
            <button
              type="button"
              class="pill"
              onClick={() => {
                control.current?.toEnd();
              }}
            >
              <Icon name="down" />
              {unseen.value > 0 ? said.fresh(unseen.value) : said.toEnd}
            </button>
          )}
        </div>
        <Heard talk={talk} />
        <Uploads conversation={row.conversation_id} />
        {row.ended ? (
          <p class="ended">{said.ended}</p>
        ) : (
          <Composer talk={talk} name={name} control={control} />
        )}
      </DropPlace>
    </>
  );
}

/** What comes is read out, whatever is drawn of the list. */
function Heard({ talk }: { readonly talk: OpenTalk }): JSX.Element {
  const last = talk.messages.value?.at(-1);
  const opened = useRef(Number.POSITIVE_INFINITY);
  if (opened.current === Number.POSITIVE_INFINITY && last !== undefined) opened.current = last.id;
  const isNew = last !== undefined && !last.outgoing && last.id > opened.current && last.state === "received";
  return (
    <div class="hidden-text" role="status">
      {isNew ? words.value.talk.heard(isolated(last.sender), isolated(last.text)) : ""}
    </div>
  );
}
