/** Warnings that stand. */

import { settleWarning, warnings } from "../../engine/standing.ts";
import { ID, members, orNull } from "../../wire/codec.ts";
import type { WarningCalls } from "../calls/warnings.ts";
import { type Does, NUMBER } from "./doing.ts";

export const WARNINGS: Does<WarningCalls> = {
  warnings: {
    form: members({ conversationId: orNull(ID) }),
    work: (engine, { conversationId }) => warnings(engine, conversationId ?? undefined),
  },
  settle: {
    form: members({ id: NUMBER }),
    work: async (engine, { id }) => {
      await settleWarning(engine, id);
      return null;
    },
  },
};
