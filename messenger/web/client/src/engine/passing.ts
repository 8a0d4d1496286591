/** Frames that are not stored: how far others have come, what they are doing, whose keys may have changed. */

import type { ServerFrame, ServerFrames } from "../wire/frames.ts";
import type { Asking } from "./asking.ts";
import type { Ephemeral } from "./events.ts";
import type { Durable } from "./run.ts";
import type { Vault } from "./vault.ts";

export interface PassingSettings {
  readonly vault: Vault;
  readonly asking: Asking;
  readonly tell: (event: Ephemeral) => void;
  readonly onPrekeys: () => void;
  readonly onSynced: () => void;
}

/** Passes them on. */
export class Passing {
  readonly #given: PassingSettings;
  readonly #vault: Vault;
  readonly #asking: Asking;

  constructor(given: PassingSettings) {
    this.#given = given;
    this.#vault = given.vault;
    this.#asking = given.asking;
  }

  /** Take one. NetError where asking failed. */
  async take(frame: Exclude<ServerFrame, Durable>): Promise<void> {
    const { tell, onSynced, onPrekeys } = this.#given;
    switch (frame.type) {
      case "synced":
        onSynced();
        break;
      case "receipt":
        await this.#takeReceipt(frame);
        break;
      case "typing": {
        const { conversation_id, user_id, is_typing } = frame;
        const username = await this.#name(user_id);
        tell({ event: "typing_changed", conversation_id, user_id, username, is_typing });
        break;
      }
      case "presence": {
        const { user_id, status, last_seen_at } = frame;
        tell({
          event: "presence_changed",
          user_id,
          username: await this.#name(user_id),
          status,
          last_seen_at,
        });
        break;
      }
      case "device":
        await this.#takeDevice(frame.user_id);
        break;
      case "prekeys":
        onPrekeys();
        break;
      default: // answers to nobody
    }
  }

  async #takeReceipt({ conversation_id, user_id, kind, seq }: ServerFrames["receipt"]): Promise<void> {
    const { isNews, username } = await this.#vault.run(async (store) => {
      const news = await store.conversations.receipt(conversation_id, user_id, kind, seq);
      const row = await store.conversations.get(conversation_id);
      if (row !== undefined && kind === "read" && user_id === (await store.userId())) {
        await store.conversations.set(conversation_id, { read_seq: Math.max(row.read_seq, seq) });
      }
      return { isNews: news, username: await store.people.name(user_id) };
    });
    if (isNews)
      this.#given.tell({ event: "receipt_received", conversation_id, user_id, username, kind, seq });
  }

  async #takeDevice(userId: string): Promise<void> {
    for (const one of await this.#vault.run((store) => store.conversations.withMember(userId))) {
      this.#asking.forgetView(one);
    }
    this.#asking.stale(userId);
    await this.#asking.learn(userId);
  }

  async #name(userId: string): Promise<string> {
    await this.#asking.names([userId]);
    return this.#vault.run((store) => store.people.name(userId));
  }
}
