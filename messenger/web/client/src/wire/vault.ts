/** Small sealed things of a user's own, for its own devices: the bodies under /vault. */

import { COUNT, bytes, items } from "./basics.ts";
import { type Of, members, text } from "./codec.ts";

const CONTENT = bytes(0, 65_536);
const NAME = text(64, 1);

/** What is to be kept under a name: opaque. */
export const VAULT_CONTENT = members({ content: CONTENT });
/** The version that a write has made. Versions of a name only rise, across deletions too. */
export const VAULT_VERSION = members({ version: COUNT });
/** What is kept under a name. */
export const VAULT_ITEM = members({ name: NAME, version: COUNT, content: CONTENT });
/** A name under which something is kept. */
export const VAULT_NAME = members({ name: NAME, version: COUNT });
export const VAULT_NAMES = items(VAULT_NAME);

export type VaultItem = Readonly<Of<typeof VAULT_ITEM>>;
export type VaultName = Readonly<Of<typeof VAULT_NAME>>;
