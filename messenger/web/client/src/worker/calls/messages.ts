/** Messages that are there: to be sent again, given another text, or taken away. `id` is the message's in this store. */

import type { Message } from "../../store/messages.ts";

interface Of {
  readonly id: number;
}

export interface MessageCalls {
  /** Write one that could not be sent down again, in place of it. `clientId` is a new UUID, so that it goes once. */
  retry: { asked: Of & { readonly conversationId: string; readonly clientId: string }; answer: Message };
  /** Give an own message another text, for everybody; once the server has it. */
  edit: { asked: Of & { readonly text: string }; answer: Message };
  /** Take a message away, for everybody; one that could not be sent only goes from here. */
  remove: { asked: Of; answer: null };
}
