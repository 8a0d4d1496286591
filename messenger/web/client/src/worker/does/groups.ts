/** Groups. */

import { ROLE } from "../../e2e/bodies.ts";
import { MAX_MEMBERS } from "../../e2e/roster.ts";
import type { Engine } from "../../engine/core.ts";
import { Group } from "../../engine/group.ts";
import { createGroup } from "../../engine/talks.ts";
import { ID, list, members, oneOf, optional, text } from "../../wire/codec.ts";
import type { GroupCalls } from "../calls/groups.ts";
import { type Does, IN, USERNAME } from "./doing.ts";

const TITLE = text(200, 1);
const MEMBER = { conversationId: ID, username: USERNAME };

/** What a group is told to do, of which nothing comes back. */
async function tell(
  engine: Engine,
  { conversationId }: { readonly conversationId: string },
  work: (group: Group) => Promise<void>,
): Promise<null> {
  await work(new Group(engine, conversationId));
  return null;
}

export const GROUPS: Does<GroupCalls> = {
  newGroup: {
    form: members({ clientId: ID, title: TITLE, members: list(USERNAME, MAX_MEMBERS - 1) }),
    work: (engine, { clientId, title, members: usernames }) =>
      createGroup(engine, title, usernames, clientId),
  },
  rename: {
    form: members({ conversationId: ID, title: TITLE }),
    work: (engine, asked) => tell(engine, asked, (group) => group.rename(asked.title)),
  },
  members: {
    form: IN,
    work: (engine, { conversationId }) => new Group(engine, conversationId).members(),
  },
  addMember: {
    form: members({ ...MEMBER, role: optional(oneOf("admin", "member")) }),
    work: (engine, asked) => tell(engine, asked, (group) => group.add(asked.username, asked.role)),
  },
  removeMember: {
    form: members(MEMBER),
    work: (engine, asked) => tell(engine, asked, (group) => group.remove(asked.username)),
  },
  setRole: {
    form: members({ ...MEMBER, role: ROLE }),
    work: (engine, asked) => tell(engine, asked, (group) => group.setRole(asked.username, asked.role)),
  },
  confirmMember: {
    form: members(MEMBER),
    work: (engine, asked) => tell(engine, asked, (group) => group.confirm(asked.username)),
  },
  leave: { form: IN, work: (engine, asked) => tell(engine, asked, (group) => group.leave()) },
};
