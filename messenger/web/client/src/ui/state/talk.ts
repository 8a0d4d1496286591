/** One conversation that is open: its messages as far as they were asked for, and what is done in it. */

import { signal } from "@preact/signals";

import type { Event } from "../../engine/events.ts";
import type { ShownMessage } from "../../worker/protocol.ts";
import { merged, retold } from "../rules/timeline.ts";
import { call, listen } from "./engine.ts";
import { spaced } from "./spaced.ts";
import { refresh } from "./talks.ts";

const FIRST = 60; // messages
const MORE = 200;

export class OpenTalk {
  readonly conversation: string;
  /** Null until they are here. */
  readonly messages = signal<readonly ShownMessage[] | null>(null);
  /** Whether nothing lies before the first of them. */
  readonly isWhole = signal(false);
  #isAsking = false;
  #isEnded = false;
  /** Have the last messages as they are now. */
  readonly #tail = spaced(() => this.#askTail());

  constructor(conversation: string) {
    this.conversation = conversation;
  }

  /** Hear what happens in it; until what this gives is called. */
  open(): () => void {
    this.#isEnded = false;
    this.#tail();
    const deaf = listen((event) => {
      this.#hear(event);
    });
    return () => {
      this.#isEnded = true;
      deaf();
    };
  }

  /** Ask for what lies before the first message. */
  async older(): Promise<void> {
    const known = this.messages.value;
    const first = known?.[0];
    if (known === null || first === undefined || this.#isAsking || this.isWhole.value) return;
    this.#isAsking = true;
    try {
      const asked = { conversationId: this.conversation, limit: MORE, before: first.id };
      const found = await call("history", asked);
      if (found.length < MORE) this.isWhole.value = true;
      this.messages.value = merged(this.messages.value ?? [], found);
    } catch {
      // Whoever scrolls on asks again.
    } finally {
      this.#isAsking = false;
    }
  }

  /** Write a text down to be sent. CallFailed. */
  async send(text: string): Promise<void> {
    const asked = { conversationId: this.conversation, clientId: crypto.randomUUID(), text };
    const message = await call("send", asked);
    // The name stands at no own message.
    this.messages.value = merged(this.messages.value ?? [], [{ ...message, sender: "" }]);
    refresh();
  }

  /** All up to this place was read. */
  async read(upTo: number): Promise<void> {
    await call("read", { conversationId: this.conversation, upTo });
    refresh();
  }

  #hear(event: Event): void {
    const known = this.messages.value;
    const said = "message" in event ? event.message : undefined;
    const conversation = said?.conversation_id ?? ("conversation_id" in event ? event.conversation_id : null);
    if (conversation !== this.conversation) return;
    if (known === null) {
      this.#tail(); // what is being asked for may have been read before
    } else if (event.event === "message_deleted") {
      const { message_id } = event;
      this.messages.value = known.map((one) =>
        one.id === message_id ? { ...one, state: "deleted", text: "", file: null } : one,
      );
    } else if (event.event === "history_changed") {
      this.#tail();
    } else if (said !== undefined) {
      const there = known.find((one) => one.id === said.id);
      // One that stands before what is here comes when that is asked for.
      if (there !== undefined) this.messages.value = merged(known, [{ ...said, sender: there.sender }]);
      else this.#tail();
    }
  }

  async #askTail(): Promise<void> {
    const found = await call("history", { conversationId: this.conversation, limit: FIRST });
    if (this.#isEnded) return;
    const known = this.messages.value;
    if (known === null || !overlaps(known, found)) {
      this.messages.value = found;
      this.isWhole.value = found.length < FIRST;
    } else {
      this.messages.value = retold(known, found);
    }
  }
}

/** Whether nothing is missing between what is known and these last ones. */
function overlaps(known: readonly ShownMessage[], tail: readonly ShownMessage[]): boolean {
  return tail.length < FIRST || tail.some((one) => known.some((other) => other.id === one.id));
}
