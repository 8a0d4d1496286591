/** Messages that are there. */

import { Authoring } from "../../engine/authoring.ts";
import type { Engine } from "../../engine/core.ts";
import { UnknownMessage } from "../../engine/errors.ts";
import type { Message } from "../../store/messages.ts";
import { ID, members } from "../../wire/codec.ts";
import type { MessageCalls } from "../calls/messages.ts";
import { type Does, NUMBER, TEXT } from "./doing.ts";

/** A message that is in the store, and what its author can do in its conversation. UnknownMessage. */
export async function found(engine: Engine, id: number): Promise<[message: Message, authoring: Authoring]> {
  const message = await engine.vault.run((store) => store.messages.get(id));
  if (message === undefined) throw new UnknownMessage();
  return [message, new Authoring(engine, message.conversation_id)];
}

/** Have all tabs know that there is something else to be seen. */
export function changed(engine: Engine, { conversation_id }: Pick<Message, "conversation_id">): void {
  engine.feed.tell({ event: "history_changed", conversation_id });
}

export const MESSAGES: Does<MessageCalls> = {
  retry: {
    form: members({ conversationId: ID, id: NUMBER, clientId: ID }),
    work: async (engine, { conversationId, id, clientId }) => {
      const message = await new Authoring(engine, conversationId).again(id, clientId);
      changed(engine, message);
      return message;
    },
  },
  edit: {
    form: members({ id: NUMBER, text: TEXT }),
    work: async (engine, { id, text }) => {
      const [message, authoring] = await found(engine, id);
      const edited = await authoring.edit(message, text);
      changed(engine, message);
      return edited;
    },
  },
  remove: {
    form: members({ id: NUMBER }),
    work: async (engine, { id }) => {
      const [message, authoring] = await found(engine, id);
      await authoring.remove(message);
      changed(engine, message);
      return null;
    },
  },
};
