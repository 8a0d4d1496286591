/** Drafts: what is begun in a conversation and not sent. */

import { type Of, members, text, whole } from "../wire/codec.ts";
import type { Blind } from "./sealing.ts";
import { type Shape, type Table, coded } from "./table.ts";

const DRAFT = members({
  conversation_id: text(),
  text: text(),
  changed_at: whole(0, Number.MAX_SAFE_INTEGER),
});

/** What is begun, and when it was changed last, in milliseconds since 1970. */
export type Draft = Readonly<Of<typeof DRAFT>>;

export const DRAFTS: Shape<Draft> = {
  name: "drafts",
  kept: true,
  key: (one, blind) => blind("conversation", one.conversation_id),
  ...coded(DRAFT),
};

export class Drafts {
  readonly #table: Table<Draft>;
  readonly #blind: Blind;

  constructor(table: Table<Draft>, blind: Blind) {
    this.#table = table;
    this.#blind = blind;
  }

  get(conversationId: string): Promise<Draft | undefined> {
    return this.#table.get(this.#blind("conversation", conversationId));
  }

  all(): Promise<Draft[]> {
    return this.#table.list();
  }

  /** Keep what is begun; nothing of it where it is empty. */
  keep(conversationId: string, said: string, now: number): void {
    if (said === "") this.#table.remove(this.#blind("conversation", conversationId));
    else this.#table.put({ conversation_id: conversationId, text: said, changed_at: now });
  }
}
