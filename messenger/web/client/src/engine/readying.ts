/** Before anything of a connection is taken: own keys published, conversations known, devices asked for anew. */

import { ownConversationId } from "../e2e/account.ts";
import type { Api } from "../net/api.ts";
import type { Clock } from "../net/clock.ts";
import type { Http } from "../net/http.ts";
import type { Asking } from "./asking.ts";
import { begin, isKnown } from "./history.ts";
import { settle } from "./locking.ts";
import type { Publishing } from "./publishing.ts";
import type { Vault } from "./vault.ts";

/** Who and where this device is. */
export interface Facts {
  readonly server: string;
  readonly userId: string;
  readonly username: string;
  readonly deviceId: string;
}

export interface ReadyingSettings {
  readonly vault: Vault;
  readonly http: Http;
  readonly api: Api;
  readonly clock: Clock;
  readonly asking: Asking;
  readonly publishing: Publishing;
  readonly facts: Facts;
}

export class Readying {
  readonly #given: ReadyingSettings;

  constructor(given: ReadyingSettings) {
    this.#given = given;
  }

  /** The last place of each conversation, as the server says whose history has this epoch. NetError. */
  async ready(epoch: string, isApproved: boolean): Promise<ReadonlyMap<string, number>> {
    const { vault, http, asking, publishing, clock, facts } = this.#given;
    await settle(vault, http, facts.username);
    asking.forgetViews();
    await asking.names([facts.userId]);
    await publishing.refresh(true);
    await this.ownConversation();
    if (isApproved) await asking.learn(facts.userId);
    const said = await asking.conversations();
    const standing = said.filter((one) => one.ended_at === null);
    const now = clock.now() / 1_000;
    await vault.run(async (store) => {
      if (await isKnown(store, epoch, now)) return;
      const ends = standing.map(
        (one) => [one.conversation_id, { seq: one.last_seq, change: one.last_change }] as const,
      );
      await begin(store, epoch, new Map(ends), now);
    });
    await asking.takeStale(said);
    return new Map(standing.map((one) => [one.conversation_id, one.last_seq]));
  }

  /**
   * The conversation in which one's own devices speak to each other: one for all of them, made once.
   *
   * Whatever the server makes of it, only one's own listed devices are encrypted to in it.
   */
  async ownConversation(): Promise<string> {
    const { vault, api, asking, facts } = this.#given;
    const known = await vault.run((store) => store.account.get("own_conversation"));
    if (known !== undefined) return known;
    const client_id = ownConversationId(facts.userId);
    const said = await api.createConversation({ type: "group", members: [], client_id });
    await asking.take(said, { own: true });
    await vault.run((store) => {
      store.account.set("own_conversation", said.conversation_id);
    });
    return said.conversation_id;
  }
}
