/** Other users. */

import { acquaintance, block, blocks, contacts, unblock } from "../../engine/contacts.ts";
import { acceptIdentity, addContact, ownLink, safetyNumberOf, setVerified } from "../../engine/devices.ts";
import { members, orNull, text } from "../../wire/codec.ts";
import type { PeopleCalls } from "../calls/people.ts";
import { type Does, NOTHING, OF, USERNAME } from "./doing.ts";

const LINK = text(2_000);

export const PEOPLE: Does<PeopleCalls> = {
  person: { form: OF, work: (engine, { username }) => acquaintance(engine, username) },
  contacts: { form: NOTHING, work: (engine) => contacts(engine) },
  safetyNumber: {
    form: OF,
    work: async (engine, { username }) => ({
      ...(await safetyNumberOf(engine, username)),
      link: await ownLink(engine),
    }),
  },
  verify: {
    form: members({ username: USERNAME, proof: orNull(LINK) }),
    work: async (engine, { username, proof }) => {
      await setVerified(engine, username, proof);
      return null;
    },
  },
  acceptIdentity: {
    form: members({ username: USERNAME, digits: text(200) }),
    work: async (engine, { username, digits }) => {
      await acceptIdentity(engine, username, digits);
      return null;
    },
  },
  block: {
    form: OF,
    work: async (engine, { username }) => {
      await block(engine, username);
      return null;
    },
  },
  unblock: {
    form: OF,
    work: async (engine, { username }) => {
      await unblock(engine, username);
      return null;
    },
  },
  blocks: { form: NOTHING, work: (engine) => blocks(engine) },
  link: { form: NOTHING, work: (engine) => ownLink(engine) },
  addContact: {
    form: members({ link: LINK }),
    work: async (engine, { link }) => {
      const user_id = await addContact(engine, link);
      return { user_id, username: await engine.vault.run((store) => store.people.name(user_id)) };
    },
  },
};
