/** A message's draft, with all that has to be asked of the server for it. */

import type { Api } from "../net/api.ts";
import type { Clock } from "../net/clock.ts";
import { NetError } from "../net/errors.ts";
import type { Bundle } from "../wire/keys.ts";
import type { Asking } from "./asking.ts";
import { usersOf } from "./audience.ts";
import { beginBatch } from "./batch.ts";
import { Refusal, beginSessions, tellRefusal } from "./directory.ts";
import { IdentityRefused } from "./errors.ts";
import { askForRoster, currentRoster, leadersDevices } from "./rosters.ts";
import { Needs, seal } from "./sealing.ts";
import type { Store, Vault } from "./vault.ts";

const CLAIMED = 200; // devices of one claim

export interface DraftingSettings {
  readonly vault: Vault;
  readonly api: Api;
  readonly asking: Asking;
  readonly clock: Clock;
  /** Returns once this place of the conversation is here, or some seconds have passed. */
  readonly reached: (conversationId: string, seq: number) => Promise<void>;
}

export class Drafting {
  readonly #given: DraftingSettings;
  readonly #vault: Vault;

  constructor(given: DraftingSettings) {
    this.#given = given;
    this.#vault = given.vault;
  }

  /** A message's draft; `undefined` where something else goes first, or nothing is to be sent. Waits. */
  async sealed(conversationId: string, clientId: string): Promise<Uint8Array | undefined> {
    const { asking, clock } = this.#given;
    const asked = new Set<string>();
    const claimed = new Set<string>();
    for (;;) {
      const queued = await this.#vault.run((store) => store.outbox.get(clientId));
      const draft = queued?.draft;
      if (draft !== null) return draft;
      const view = await asking.view(conversationId);
      await asking.ensureFresh(await this.#vault.run((store) => wantedOf(store, conversationId)));
      const batch = beginBatch(clock.now(), new Set(asked));
      try {
        return await this.#vault.run((store) => seal(store, batch, clientId, view));
      } catch (error) {
        if (!(error instanceof Needs)) throw error;
        if (error.users.length > 0) await this.#catchUp(conversationId, error.users);
        for (const one of error.users) asked.add(one);
        await this.#claim(conversationId, clientId, error.devices, claimed);
      }
    }
  }

  /**
   * Have what the server says of these users and of the conversation's members, and what was written in it so far: a
   * device that is not known may be one that was added a moment ago.
   */
  async #catchUp(conversationId: string, users: readonly string[]): Promise<void> {
    const { asking, api, reached } = this.#given;
    await asking.members(conversationId);
    for (const userId of users) await asking.learn(userId);
    await reached(conversationId, (await api.conversation(conversationId)).last_seq);
  }

  /** Ask who leads the group for its roster; false where that was done before. */
  async askForRoster(conversationId: string): Promise<boolean> {
    const { asking, clock } = this.#given;
    await asking.ensureFresh(await this.#vault.run((store) => store.conversations.leaders(conversationId)));
    const batch = beginBatch(clock.now());
    await this.#vault.run(async (store) => {
      if ((await store.conversations.get(conversationId)) === undefined) return;
      await askForRoster(store, batch, conversationId, await leadersDevices(store, conversationId));
    });
    return batch.wake.size > 0;
  }

  async #claim(
    conversationId: string,
    clientId: string,
    devices: readonly string[],
    claimed: Set<string>,
  ): Promise<void> {
    const { asking, api, clock } = this.#given;
    const wanted = devices.filter((one) => !claimed.has(one));
    if (devices.length > 0 && wanted.length === 0) {
      // The server names a device whose bundle it does not give: not published any more.
      asking.forgetView(conversationId);
      throw new NetError("The server gives no bundle for a device that it names.");
    }
    for (let start = 0; start < wanted.length; start += CLAIMED) {
      const some = wanted.slice(start, start + CLAIMED).sort();
      const bundles = (await api.claim(some)).filter((one) => some.includes(one.device_id));
      await this.#lookAgain(bundles);
      try {
        await this.#vault.run(async (store) => {
          await beginSessions(store, bundles, clock.now() / 1_000);
          await store.outbox.begun(clientId);
        });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        await this.#vault.run((store) => tellRefusal(store, error));
        throw new IdentityRefused(error.message, error.code);
      }
    }
    for (const one of wanted) claimed.add(one);
  }

  /** A bundle that speaks of a newer device list than is known has its user's keys asked for again. */
  async #lookAgain(bundles: readonly Bundle[]): Promise<void> {
    const behind = await this.#vault.run(async (store) => {
      const found = new Set<string>();
      for (const { user_id, list_version } of bundles) {
        if ((list_version ?? 0) > (await store.known(user_id)).listVersion) found.add(user_id);
      }
      return found;
    });
    for (const userId of behind) await this.#given.asking.learn(userId);
  }
}

/** The users whose keys are to be known before a message is made; in a group all whom its roster names. */
async function wantedOf(store: Store, conversationId: string): Promise<string[]> {
  const row = await store.conversations.get(conversationId);
  if (row === undefined) return [];
  const found = await usersOf(store, row);
  if (row.type === "group") {
    for (const one of (await currentRoster(store, conversationId))?.members ?? []) found.add(one.user_id);
  }
  return [...found].sort();
}
