/** Whom the user has met, and from whom nothing more is heard. */

import type { Engine } from "./core.ts";
import { UnknownUser } from "./errors.ts";

/** A user who was met and has an identity. */
export interface Contact {
  readonly user_id: string;
  readonly username: string;
  readonly verified: boolean;
  /** The identity has changed and was not accepted. */
  readonly changed: boolean;
}

/** A user by name. */
export interface Person {
  readonly user_id: string;
  readonly username: string;
}

/** A user whom one asks about, as far as known. */
export interface Acquaintance extends Contact {
  /** Whether there is an account key here. */
  readonly known: boolean;
  /** The direct conversation with them, where there is one. */
  readonly conversation_id: string | null;
}

/** A user by name; nobody new is pinned by that. UnknownUser, NetError. */
export async function acquaintance({ vault, api }: Engine, name: string): Promise<Acquaintance> {
  const username = name.trim().toLowerCase();
  const met = await vault.run((store) => store.people.userNamed(username));
  const found = met === undefined ? await api.userNamed(username) : { user_id: met, username };
  if (found?.username !== username) throw new UnknownUser(username);
  const { user_id } = found;
  return vault.run(async (store) => {
    const { accountKey, verified, refused } = await store.known(user_id);
    const rows = await store.conversations.all();
    const talk = rows.find((one) => one.type === "direct" && !one.ended && one.peer_id === user_id);
    return {
      ...{ user_id, username, verified: verified && !refused, changed: refused },
      known: accountKey !== null,
      conversation_id: talk?.conversation_id ?? null,
    };
  });
}

/** The users that were met and have an identity, by name. */
export function contacts({ vault, facts }: Engine): Promise<Contact[]> {
  return vault.run(async (store) => {
    const found: Contact[] = [];
    for (const { user_id, username } of await store.people.all()) {
      if (user_id === facts.userId) continue;
      const { accountKey, verified, refused } = await store.known(user_id);
      if (accountKey !== null) {
        found.push({ user_id, username, verified: verified && !refused, changed: refused });
      }
    }
    return found.sort((one, other) => (one.username < other.username ? -1 : 1));
  });
}

/** Hear no more from a user in the direct conversation, nor write to them. UnknownUser, NetError. */
export async function block(engine: Engine, username: string): Promise<void> {
  await engine.api.block(await engine.asking.user(username), true);
}

/** Take a block away. UnknownUser, NetError. */
export async function unblock(engine: Engine, username: string): Promise<void> {
  await engine.api.block(await engine.asking.user(username), false);
}

/** Who is blocked. NetError. */
export async function blocks({ api, asking, vault }: Engine): Promise<Person[]> {
  const blocked = await api.blocks();
  await asking.names(blocked);
  return vault.run(async (store) =>
    Promise.all(blocked.map(async (user_id) => ({ user_id, username: await store.people.name(user_id) }))),
  );
}
