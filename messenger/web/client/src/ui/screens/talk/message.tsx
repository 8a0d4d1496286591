/** What stands in a conversation: messages, days, and what has to be said about places. */

import type { JSX } from "preact";

import { Problem, useAction } from "../../parts/action.tsx";
import { Button } from "../../parts/button.tsx";
import { Icon } from "../../parts/icon.tsx";
import { Said } from "../../parts/name.tsx";
import { Tick } from "../../parts/tick.tsx";
import { isolated, piecesOf } from "../../rules/texts.ts";
import { type Row, momentOf, tickOf } from "../../rules/timeline.ts";
import { dayNameOf, timeOf, wholeTimeOf } from "../../rules/times.ts";
import { call } from "../../state/engine.ts";
import { locale, words } from "../../words/index.ts";
import { File } from "../files/file.tsx";

export function Day({ at }: { readonly at: number }): JSX.Element {
  return (
    <div class="day">
      <span>{dayNameOf(at, Date.now(), locale.value)}</span>
    </div>
  );
}

export function New(): JSX.Element {
  return (
    <div class="new-mark">
      <span>{words.value.talk.newMark}</span>
    </div>
  );
}

/** A place whose message can't be opened yet. */
export function Unopened({ sender }: { readonly sender: string | null }): JSX.Element {
  const said = words.value.talk;
  return (
    <div class="line first last">
      <div class="bubble closed">
        {sender === null ? null : <Said text={sender} of="sender" />}
        <p>
          <Icon name="lock" /> {said.unopened}
        </p>
        <p class="hint">{said.unopenedWhy}</p>
      </div>
    </div>
  );
}

interface LineProps {
  readonly row: Extract<Row, { kind: "message" }>;
  /** How far the others have come. */
  readonly come: { readonly delivered: number; readonly read: number };
  readonly isGroup: boolean;
}

export function Line({ row, come, isGroup }: LineProps): JSX.Element {
  const { message, isFirst, isLast } = row;
  const said = words.value.talk;
  const moment = momentOf(message);
  const tick = tickOf(message, come);
  const edges = `${isFirst ? " first" : ""}${isLast ? " last" : ""}`;
  const who = message.outgoing ? said.you : isolated(message.sender);
  return (
    <div class={`line${message.outgoing ? " own" : ""}${edges}`}>
      <div class={`bubble${tick === "failed" ? " failed" : ""}`}>
        <span class="hidden-text">{said.from(who)}</span>
        {isGroup && isFirst && !message.outgoing ? (
          <Said text={message.sender === "" ? said.nobody : message.sender} of="sender" />
        ) : null}
        <Body message={message} />
        <span class="meta">
          {message.edited > 0 ? <span>{said.edited}</span> : null}
          <time dateTime={new Date(moment).toISOString()} title={wholeTimeOf(moment, locale.value)}>
            {timeOf(moment, locale.value)}
          </time>
          {tick === null ? null : <Tick stage={tick} />}
        </span>
      </div>
      {tick === "failed" ? <Failed message={message} /> : null}
    </div>
  );
}

/** What was not sent: it is tried again, or taken away. */
function Failed({
  message: { conversation_id, id },
}: {
  readonly message: LineProps["row"]["message"];
}): JSX.Element {
  const said = words.value.talk;
  const action = useAction();
  return (
    <div class="failed-line">
      <p class="fault">{said.failed}</p>
      <div class="buttons">
        <Button
          kind="link"
          onPress={() => {
            const asked = { conversationId: conversation_id, id, clientId: crypto.randomUUID() };
            void action.run(() => call("retry", asked));
          }}
        >
          {said.again}
        </Button>
        <Button
          kind="link"
          onPress={() => {
            void action.run(() => call("remove", { id }));
          }}
        >
          {said.forget}
        </Button>
      </div>
      <Problem of={action} />
    </div>
  );
}

function Body({ message }: { readonly message: LineProps["row"]["message"] }): JSX.Element {
  const said = words.value.talk;
  if (message.state === "deleted") return <p class="taken">{said.deleted}</p>;
  const { file } = message;
  if (file !== null && message.text === "") return <File message={message} />;
  return (
    <>
      {file === null ? null : <File message={message} />}
      <p class="text" dir="auto">
        {piecesOf(message.text).map(({ text, link }, at) =>
          link === null ? (
            text
          ) : (
            <a key={at} href={link} target="_blank" rel="noreferrer noopener" dir="ltr">
              {text}
            </a>
          ),
        )}
      </p>
    </>
  );
}
