/** What stands until the user has dealt with it, and dealing with it. */

import type { Standing } from "../store/standing.ts";
import type { Engine } from "./core.ts";
import { StillStands } from "./errors.ts";

/** A warning that stands, with the name of whom it is about. */
export interface ShownWarning extends Standing {
  readonly username: string | null;
  /** The conversation where it matters: its own, or the direct one with that user; null where there is none. */
  readonly talk: string | null;
  /** Whether nothing goes to that user before something is decided. */
  readonly refuses: boolean;
}

/** All that stand, the oldest first; with `conversationId` those that matter there, of its members too. */
export function warnings({ vault }: Pick<Engine, "vault">, conversationId?: string): Promise<ShownWarning[]> {
  return vault.run(async (store) => {
    const here =
      conversationId === undefined
        ? undefined
        : new Set((await store.conversations.members(conversationId)).map((one) => one.user_id));
    const rows = await store.conversations.all();
    const found: ShownWarning[] = [];
    for (const one of await store.warnings.all()) {
      const { user_id, conversation_id } = one;
      const direct = rows.find((row) => row.type === "direct" && user_id !== null && row.peer_id === user_id);
      const talk = conversation_id ?? direct?.conversation_id ?? null;
      const isOfThem = conversation_id === null && user_id !== null && here?.has(user_id) === true;
      if (conversationId !== undefined && talk !== conversationId && !isOfThem) continue;
      const isChanged = one.event === "identity_changed" && user_id !== null;
      const refuses = isChanged && (await store.known(user_id)).refused;
      const username = user_id === null ? null : await store.people.name(user_id);
      found.push({ ...one, username, talk, refuses });
    }
    return found;
  });
}

/** The user has dealt with a warning; nothing where it stands no more. StillStands for an identity that is refused. */
export async function settleWarning({ vault }: Pick<Engine, "vault">, id: number): Promise<void> {
  await vault.run(async (store) => {
    const found = await store.warnings.get(id);
    if (found === undefined) return;
    if (found.event === "identity_changed" && found.user_id !== null) {
      const { refused } = await store.known(found.user_id);
      if (refused) throw new StillStands("Accept the new identity or leave it: until then nothing is sent.");
    }
    store.warnings.settle(id);
  });
}
