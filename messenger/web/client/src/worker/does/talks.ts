/** Conversations. */

import { Authoring } from "../../engine/authoring.ts";
import { direct, markRead, setPresence, typing } from "../../engine/talks.ts";
import { ID, TRUTH, members, oneOf, optional, whole } from "../../wire/codec.ts";
import type { TalkCalls } from "../calls/talks.ts";
import { named, shownConversations } from "../listing.ts";
import { type Does, NOTHING, NUMBER, OF, TEXT } from "./doing.ts";
import { changed } from "./messages.ts";

const MOST_SHOWN = 1_000;

export const TALKS: Does<TalkCalls> = {
  conversations: {
    form: NOTHING,
    work: (engine) => shownConversations(engine),
  },
  direct: { form: OF, work: (engine, { username }) => direct(engine, username) },
  history: {
    form: members({ conversationId: ID, limit: whole(1, MOST_SHOWN), before: optional(NUMBER) }),
    work: (engine, { conversationId, limit, before }) =>
      engine.vault.run(async (store) => {
        const found = await store.messages.history(conversationId, limit, before);
        return Promise.all(found.map((one) => named(store, one)));
      }),
  },
  send: {
    form: members({ conversationId: ID, clientId: ID, text: TEXT }),
    work: async (engine, { conversationId, clientId, text }) => {
      const message = await new Authoring(engine, conversationId).enqueue(text, undefined, clientId);
      changed(engine, message);
      return message;
    },
  },
  read: {
    form: members({ conversationId: ID, upTo: optional(NUMBER) }),
    work: async (engine, { conversationId, upTo }) => {
      await markRead(engine, conversationId, upTo);
      return null;
    },
  },
  typing: {
    form: members({ conversationId: ID, isTyping: TRUTH }),
    work: (engine, { conversationId, isTyping }) => {
      typing(engine, conversationId, isTyping);
      return Promise.resolve(null);
    },
  },
  presence: {
    form: members({ status: oneOf("online", "away") }),
    work: (engine, { status }) => {
      setPresence(engine, status);
      return Promise.resolve(null);
    },
  },
};
