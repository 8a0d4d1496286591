/** Drafts. */

import { conversation } from "../../engine/talks.ts";
import { ID, members } from "../../wire/codec.ts";
import type { DraftCalls } from "../calls/drafts.ts";
import { type Does, IN, NOTHING, TEXT } from "./doing.ts";

export const DRAFTS: Does<DraftCalls> = {
  drafts: { form: NOTHING, work: (engine) => engine.vault.run((shelf) => shelf.drafts.all()) },
  draft: {
    form: IN,
    work: (engine, { conversationId }) =>
      engine.vault.run(async (shelf) => (await shelf.drafts.get(conversationId))?.text ?? ""),
  },
  keepDraft: {
    form: members({ conversationId: ID, text: TEXT }),
    work: async (engine, { conversationId, text }) => {
      await conversation(engine, conversationId);
      await engine.vault.run((shelf) => {
        shelf.drafts.keep(conversationId, text, shelf.now);
      });
      return null;
    },
  },
};
