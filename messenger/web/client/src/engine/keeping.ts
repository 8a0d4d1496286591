/** What time brings: own keys are looked after, what has expired leaves, what was never answered is told. */

import { type Clock, pause } from "../net/clock.ts";
import { NetError } from "../net/errors.ts";
import { Gate } from "./gate.ts";
import { stillSeen } from "./history.ts";
import type { Inbox } from "./inbox.ts";
import type { Publishing } from "./publishing.ts";
import { forgetOldSent } from "./resends.ts";
import { currentRoster, parkedIn } from "./rosters.ts";
import type { Sending } from "./sending.ts";
import type { Vault } from "./vault.ts";

const EXPIRE_EVERY = 60_000; // milliseconds between two looks for expired messages
const KEYS_EVERY = 6 * 3_600_000; // milliseconds between two looks at the own keys

export interface KeepingSettings {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly inbox: Inbox;
  readonly sending: Sending;
  readonly publishing: Publishing;
  /** Whether the connection stands. */
  readonly isUp: () => boolean;
}

export class Keeping {
  readonly #given: KeepingSettings;
  readonly #wanted = new Gate();

  constructor(given: KeepingSettings) {
    this.#given = given;
  }

  /** Look at the own keys now. */
  wantKeys(): void {
    this.#wanted.open();
  }

  /** Keep the own keys as they should be, until the signal is aborted. */
  async keys(signal: AbortSignal): Promise<void> {
    const { vault, clock, publishing } = this.#given;
    for (;;) {
      await this.#wanted.wait(signal);
      this.#wanted.shut();
      await tolerant(publishing.refresh());
      await vault.run((store) => forgetOldSent(store, clock.now() / 1_000));
    }
  }

  /** Have what has expired leave the store while nothing else happens, and tell of what nobody has sent again. */
  async expire(signal: AbortSignal): Promise<void> {
    const { vault, clock, inbox, isUp } = this.#given;
    let looked = clock.now();
    for (;;) {
      await inbox.giveUp();
      for (const conversationId of await vault.run((store) => parkedIn(store))) {
        const standing = await vault.run((store) => currentRoster(store, conversationId));
        if (standing === undefined) await tolerant(this.#askForRoster(conversationId));
      }
      const now = clock.now();
      if (isUp()) await vault.run((store) => stillSeen(store, now / 1_000));
      if (now - looked >= KEYS_EVERY) {
        looked = now;
        this.wantKeys();
      }
      await pause(clock, EXPIRE_EVERY, signal);
    }
  }

  /** Messages wait for a roster that should have come with them. */
  async #askForRoster(conversationId: string): Promise<void> {
    const { sending } = this.#given;
    if (await sending.askForRoster(conversationId)) sending.wake(conversationId);
  }
}

/** Do what is as well left undone, or done later, where the server can't be asked now. */
export async function tolerant(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
  }
}
