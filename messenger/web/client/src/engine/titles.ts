/** The names of groups, which the server has as ciphertext. */

import { EncryptionError } from "../e2e/errors.ts";
import { openConversationMetadata } from "../e2e/metadata.ts";
import { tell } from "./telling.ts";
import type { Store } from "./vault.ts";

/** Read a group's name with a key; whether that worked. Then the key is kept. */
export async function retitle(
  store: Store,
  conversationId: string,
  metadata: Uint8Array | null,
  key: Uint8Array | null,
): Promise<boolean> {
  if (metadata === null || key === null) return false;
  let title: string;
  try {
    title = openConversationMetadata(key, metadata).name;
  } catch (error) {
    if (error instanceof EncryptionError) return false;
    throw error;
  }
  const row = await store.conversations.get(conversationId);
  await store.conversations.set(conversationId, { metadata, metadata_key: key, title });
  if (row !== undefined && row.title !== title) {
    await tell(store, { event: "conversation_updated", conversation_id: conversationId, title });
  }
  return true;
}
