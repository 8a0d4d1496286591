/** Files: what is known of an encrypted blob. */

import { COUNT, OPAQUE, TIME, bytes } from "./basics.ts";
import { ID, type Of, list, members, orNull } from "./codec.ts";

/** A stored blob. `size` is in bytes, `sha256` is of the blob as stored. */
export const FILE = members({
  file_id: ID,
  size: COUNT,
  sha256: bytes(32),
  metadata: orNull(OPAQUE),
  conversation_ids: list(ID, 100_000),
  created_at: TIME,
  expires_at: orNull(TIME),
});

export type StoredFile = Readonly<Of<typeof FILE>>;
