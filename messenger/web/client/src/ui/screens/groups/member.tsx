/** A member of a group: role, what is to be said of them, and what may be done about them. */

import type { JSX } from "preact";
import { useRef } from "preact/hooks";

import { Avatar } from "../../parts/avatar.tsx";
import { Button } from "../../parts/button.tsx";
import { Icon } from "../../parts/icon.tsx";
import { Said } from "../../parts/name.tsx";
import { type May, doubtOf } from "../../rules/groups.ts";
import { isolated } from "../../rules/texts.ts";
import { call } from "../../state/engine.ts";
import { go, routeTo } from "../../state/router.ts";
import { words } from "../../words/index.ts";
import type { Listed } from "./group.tsx";

interface Given {
  readonly conversation: string;
  readonly member: Listed;
  readonly isOwn: boolean;
  readonly may: May;
  readonly decide: (work: () => Promise<unknown>) => void;
}

export function Member(given: Given): JSX.Element {
  const said = words.value.group;
  const { member, isOwn } = given;
  const { username, verified } = member;
  const doubt = doubtOf(member);
  return (
    <div class="stack tight">
      <div class="who">
        <Avatar name={username} />
        <strong>
          <Said text={username} />
          {isOwn ? ` (${said.you})` : ""}
        </strong>
        <span class="hint">
          {doubt === "unvouched" ? "" : roleName(member.role)}
          {verified && !isOwn ? `, ${said.verified}` : ""}
        </span>
      </div>
      {doubt === null ? null : (
        <p class="state-line danger">
          <Icon name="alert" /> {said[doubt]}
        </p>
      )}
      {isOwn ? null : <Menu {...given} />}
    </div>
  );
}

function roleName(role: string): string {
  const { owner, admin, member } = words.value.group;
  return role === "owner" ? owner : role === "admin" ? admin : member;
}

function Menu({ conversation, member, may, decide }: Given): JSX.Element {
  const said = words.value.group;
  const { username, role } = member;
  const doubt = doubtOf(member);
  const menu = useRef<HTMLDetailsElement>(null);
  const asked = { conversationId: conversation, username };
  const button = (
    label: string,
    work: () => Promise<unknown>,
    kind: "plain" | "danger" = "plain",
  ): JSX.Element => (
    <Button
      kind={kind}
      onPress={() => {
        if (menu.current !== null) menu.current.open = false;
        decide(work);
      }}
    >
      {label}
    </Button>
  );
  const setRole = (as: "owner" | "admin" | "member") => () => call("setRole", { ...asked, role: as });
  const isIn = doubt !== "unvouched";
  return (
    <details class="menu" ref={menu}>
      <summary aria-label={said.menu(isolated(username))}>…</summary>
      <div class="buttons">
        <Button
          onPress={() => {
            go(routeTo("person", { username }), { sheet: true });
          }}
        >
          {said.compare}
        </Button>
        {may.leads && doubt === "unconfirmed"
          ? button(said.confirm, () => call("confirmMember", asked))
          : null}
        {may.owns && isIn && role === "member" ? button(said.makeAdmin, setRole("admin")) : null}
        {may.owns && isIn && role === "admin" ? button(said.makeMember, setRole("member")) : null}
        {may.owns && isIn ? button(said.makeOwner, setRole("owner")) : null}
        {may.leads && role !== "owner"
          ? button(said.remove, () => call("removeMember", asked), "danger")
          : null}
      </div>
    </details>
  );
}
