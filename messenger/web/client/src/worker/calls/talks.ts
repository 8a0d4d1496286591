/** Conversations: what is in them, what is written there, and that somebody is at it. */

import type { Message } from "../../store/messages.ts";
import type { ShownConversation, ShownMessage } from "../listing.ts";

export type { ShownConversation, ShownMessage } from "../listing.ts";

export interface TalkCalls {
  conversations: { asked: null; answer: readonly ShownConversation[] };
  /** The direct conversation with a user. */
  direct: { asked: { readonly username: string }; answer: string };
  /** The latest messages, up to 1,000, or those before one. */
  history: {
    asked: { readonly conversationId: string; readonly limit: number; readonly before?: number };
    answer: readonly ShownMessage[];
  };
  /** Write a text down to be sent. `clientId` is a new UUID for each text, so that it is written down once. */
  send: {
    asked: { readonly conversationId: string; readonly clientId: string; readonly text: string };
    answer: Message;
  };
  read: { asked: { readonly conversationId: string; readonly upTo?: number }; answer: null };
  /** The user is typing, or has stopped; it lapses after 6 s, and goes nowhere without a connection. */
  typing: { asked: { readonly conversationId: string; readonly isTyping: boolean }; answer: null };
  /** How this device wishes to be seen; goes nowhere without a connection. */
  presence: { asked: { readonly status: "online" | "away" }; answer: null };
}
