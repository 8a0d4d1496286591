/** Whom the user has met, and from whom nothing more is heard. */

import type { Engine } from "./core.ts";

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

/** The users that were met and have an identity, by name. */
export function contacts({ vault, facts }: Engine): Promise<Contact[]> {
  return vault.run(async (shelf) => {
    const found: Contact[] = [];
    for (const { user_id, username } of await shelf.people.all()) {
      if (user_id === facts.userId) continue;
      const { accountKey, verified, refused } = await shelf.known(user_id);
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
  return vault.run(async (shelf) =>
    Promise.all(blocked.map(async (user_id) => ({ user_id, username: await shelf.people.name(user_id) }))),
  );
}
