/** What stands until the user has dealt with it, and dealing with it. */

import type { Standing } from "../store/standing.ts";
import type { Engine } from "./core.ts";
import { StillStands } from "./errors.ts";

/** A warning that stands, with the name of whom it is about. */
export interface ShownWarning extends Standing {
  readonly username: string | null;
  /** Whether nothing goes to that user before something is decided. */
  readonly refuses: boolean;
}

/** All that stand, the oldest first; of one conversation, where that is named: of it, or of whom it is with. */
export function warnings({ vault }: Pick<Engine, "vault">, conversationId?: string): Promise<ShownWarning[]> {
  return vault.run(async (shelf) => {
    const here = new Set<string>();
    if (conversationId !== undefined) {
      const peer = (await shelf.conversations.get(conversationId))?.peer_id ?? null;
      if (peer !== null) here.add(peer);
      for (const one of await shelf.conversations.members(conversationId)) here.add(one.user_id);
    }
    const found: ShownWarning[] = [];
    for (const one of await shelf.warnings.all()) {
      const isOfThem = one.conversation_id === null && one.user_id !== null && here.has(one.user_id);
      if (conversationId !== undefined && one.conversation_id !== conversationId && !isOfThem) continue;
      const refuses =
        one.event === "identity_changed" && one.user_id !== null && (await shelf.known(one.user_id)).refused;
      const username = one.user_id === null ? null : await shelf.people.name(one.user_id);
      found.push({ ...one, username, refuses });
    }
    return found;
  });
}

/** The user has dealt with a warning; nothing where it stands no more. StillStands for an identity that is refused. */
export async function settleWarning({ vault }: Pick<Engine, "vault">, id: number): Promise<void> {
  await vault.run(async (shelf) => {
    const found = await shelf.warnings.get(id);
    if (found === undefined) return;
    if (found.event === "identity_changed" && found.user_id !== null) {
      const { refused } = await shelf.known(found.user_id);
      if (refused) throw new StillStands("Accept the new identity or leave it: until then nothing is sent.");
    }
    shelf.warnings.settle(id);
  });
}
