/** A group: its name, who is in it by the word of its members, and leaving it. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import type { Calls } from "../../../worker/protocol.ts";
import { type Action, Problem, useAction } from "../../parts/action.tsx";
import { Field } from "../../parts/field.tsx";
import { useDecisions, useLooking } from "../../parts/looking.ts";
import { Sure } from "../../parts/sure.tsx";
import { nameOf } from "../../rules/entry.ts";
import { rolesOf } from "../../rules/groups.ts";
import { call, listen, status } from "../../state/engine.ts";
import { refresh, talkOf } from "../../state/talks.ts";
import { words } from "../../words/index.ts";
import { Member } from "./member.tsx";

export type Listed = Calls["members"]["answer"][number];

const MOVED = ["roster_changed", "membership_changed", "identity_changed", "conversation_updated"];

export function Group({ conversation }: { readonly conversation: string }): JSX.Element | null {
  const said = words.value.group;
  const members = useSignal<readonly Listed[] | null>(null);
  const action = useAction();
  const row = talkOf(conversation);
  const looking = useLooking(async () => {
    members.value = await call("members", { conversationId: conversation });
  }, [conversation]);
  const decide = useDecisions(action, looking);
  useEffect(
    () =>
      listen(({ event }) => {
        if (MOVED.includes(event)) void looking.again();
      }),
    [],
  );
  if (row === undefined) return null;
  if (row.ended) return <p>{said.ended}</p>;
  const own = members.value?.find((one) => one.username === status.value.username);
  const may = rolesOf(own?.role ?? "member");
  return (
    <div class="stack">
      {may.leads ? <Rename conversation={conversation} title={row.title} /> : <h3>{row.title}</h3>}
      <Problem of={looking} />
      <Problem of={action} />
      <h3>{said.members}</h3>
      {members.value?.some((one) => one.inRoster) === false ? <p>{said.waiting}</p> : null}
      {members.value === null ? (
        <p>{words.value.common.opening}</p>
      ) : (
        <ul class="cards">
          {members.value.map((one) => (
            <li key={one.user_id}>
              <Member
                conversation={conversation}
                member={one}
                isOwn={one === own}
                may={may}
                decide={decide}
              />
            </li>
          ))}
        </ul>
      )}
      {may.leads ? <Add conversation={conversation} action={action} decide={decide} /> : null}
      {own?.role === "owner" && (members.value?.length ?? 0) > 1 ? (
        <p class="hint">{said.leaveOwner}</p>
      ) : (
        <Sure
          label={said.leave}
          what={said.leaveWhat}
          sure={said.leaveSure}
          onSure={() => {
            void action.run(async () => {
              await call("leave", { conversationId: conversation });
              refresh();
            });
          }}
        />
      )}
    </div>
  );
}

function Rename({
  conversation,
  title,
}: {
  readonly conversation: string;
  readonly title: string;
}): JSX.Element {
  const said = words.value.group;
  const typed = useSignal(title);
  const action = useAction();
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        const name = typed.value.trim();
        if (name === "" || name === title) return;
        void action.run(async () => {
          await call("rename", { conversationId: conversation, title: name });
          refresh();
        });
      }}
    >
      <Field
        name="title"
        label={said.name}
        value={typed.value}
        onType={(name) => {
          typed.value = name;
        }}
      />
      <Problem of={action} />
      <button type="submit" class="button" aria-disabled={action.isBusy.value}>
        {said.rename}
      </button>
    </form>
  );
}

function Add({
  conversation,
  action,
  decide,
}: {
  readonly conversation: string;
  readonly action: Action;
  readonly decide: (work: () => Promise<unknown>) => void;
}): JSX.Element {
  const said = words.value.group;
  const typed = useSignal("");
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        const username = nameOf(typed.value);
        if (username === "" || action.isBusy.value) return;
        decide(async () => {
          await call("addMember", { conversationId: conversation, username });
          typed.value = "";
        });
      }}
    >
      <Field
        name="username"
        label={said.byName}
        value={typed.value}
        onType={(name) => {
          typed.value = name;
        }}
      />
      <button type="submit" class="button" aria-disabled={action.isBusy.value}>
        {said.add}
      </button>
    </form>
  );
}
