/** Drafts. */

import { conversation } from "../../engine/talks.ts";
import { ID, members } from "../../wire/codec.ts";
import type { DraftCalls } from "../calls/drafts.ts";
import { type Does, IN, NOTHING, TEXT } from "./doing.ts";

export const DRAFTS: Does<DraftCalls> = {
  drafts: { form: NOTHING, work: (engine) => engine.vault.run((store) => store.drafts.all()) },
  draft: {
    form: IN,
    work: (engine, { conversationId }) =>
      engine.vault.run(async (store) => (await store.drafts.get(conversationId))?.text ?? ""),
  },
  keepDraft: {
    form: members({ conversationId: ID, text: TEXT }),
    work: async (engine, { conversationId, text }) => {
      await conversation(engine, conversationId);
      await engine.vault.run((store) => {
        store.drafts.keep(conversationId, text, store.now);
      });
      return null;
    },
  },
};
