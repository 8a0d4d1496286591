/** What the store keeps of the session and of how the password is derived. */

import type { Kdf } from "../e2e/password.ts";
import { BadState } from "../e2e/errors.ts";
import { dump, load } from "../e2e/state.ts";
import type { Tokens } from "../net/tokens.ts";
import { StoreCorrupt } from "../store/errors.ts";
import { type Codec, REAL, binary, members, text, whole } from "../wire/codec.ts";
import type { Store } from "./vault.ts";

const TOKENS = members({ access: text(), refresh: text(), expiresAt: REAL });
const COUNT = whole(0, Number.MAX_SAFE_INTEGER);
const KDF = members({
  algorithm: text(),
  memory_kib: COUNT,
  passes: COUNT,
  lanes: COUNT,
  salt: binary(0, 1_024),
});

async function kept<T>(store: Store, name: string, codec: Codec<T>): Promise<T | null> {
  const raw = await store.account.raw(name);
  if (raw === undefined) return null;
  try {
    return load(codec, raw);
  } catch (error) {
    throw error instanceof BadState ? new StoreCorrupt(`What is kept of the ${name} can't be read.`) : error;
  }
}

/** The session's tokens; null where there is no session. */
export function keptTokens(store: Store): Promise<Tokens | null> {
  return kept(store, "tokens", TOKENS);
}

export function keepTokens(store: Store, tokens: Tokens | null): void {
  store.account.set("tokens", tokens === null ? null : dump(TOKENS, tokens));
}

/** How this profile's password was derived last; null where it never was. */
export function keptKdf(store: Store): Promise<Kdf | null> {
  return kept(store, "kdf", KDF);
}

/** Keep how the password is derived; that it once was is never forgotten. */
export function keepKdf(store: Store, kdf: Kdf | null): void {
  if (kdf !== null) store.account.set("kdf", dump(KDF, kdf));
}
