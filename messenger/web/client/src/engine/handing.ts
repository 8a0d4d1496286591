/** What an approved device hands to a new one of its user's: rosters and names of groups. */

import type { Target } from "../store/outbox.ts";
import type { Batch } from "./batch.ts";
import { queue } from "./queueing.ts";
import { currentRoster } from "./rosters.ts";
import type { Store } from "./vault.ts";

/** Queue the roster and the key of the name of each group for a device of one's own. */
export async function handGroups(store: Store, batch: Batch, device: Target): Promise<void> {
  for (const row of await store.conversations.all()) {
    if (row.type !== "group" || row.ended) continue;
    const { conversation_id, metadata_key: key } = row;
    const standing = await currentRoster(store, conversation_id);
    if (standing !== undefined && standing.version > 0) {
      await queue(store, batch, conversation_id, standing.body(), [device]);
    }
    if (key !== null) await queue(store, batch, conversation_id, { type: "metadata_key", key }, [device]);
  }
}
