/**
 * This device's own keys: published, topped up and renewed.
 *
 * Keys are written down before they are published. Publishing can stop anywhere, and what is missing is found by
 * asking the server (GET /keys/status) and published the next time; the signed prekey goes last, as it makes the
 * device visible.
 */

import { AccountKey } from "../e2e/account.ts";
import { same } from "../e2e/primitives.ts";
import type { DeviceKeys } from "../e2e/prekeys.ts";
import type { Api } from "../net/api.ts";
import type { Clock } from "../net/clock.ts";
import { Refused } from "../net/errors.ts";
import type { KeyStatus } from "../wire/keys.ts";
import { nextList } from "./approval.ts";
import { learn } from "./directory.ts";
import { warnOf } from "./telling.ts";
import type { Store, Vault } from "./vault.ts";

const ENOUGH = 100; // of each kind; topped up to so many
const FEW = 10; // of each kind that are made at once where a connection waits for it
const LOW = 50; // below so many there are topped up
const LIST_TRIES = 5;

/** What the next device list has more, and less, than the one that is known. */
export interface ListChange {
  /** Identity keys by device_id. */
  readonly add?: ReadonlyMap<string, Uint8Array>;
  readonly remove?: ReadonlySet<string>;
}

/** Keeps the server's copy of this device's public keys as it should be. */
export class Publishing {
  readonly #vault: Vault;
  readonly #api: Api;
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();

  constructor(vault: Vault, api: Api, clock: Clock) {
    this.#vault = vault;
    this.#api = api;
    this.#clock = clock;
  }

  /** Publish what is missing, top up, renew what is due. `few`: as many prekeys as others need at once. */
  refresh(few = false): Promise<void> {
    const done = this.#last.then(() => this.#refresh(few ? FEW : ENOUGH));
    this.#last = done.catch(() => undefined);
    return done;
  }

  #now(): number {
    return this.#clock.now() / 1_000;
  }

  async #refresh(most: number): Promise<void> {
    const status = await this.#api.keyStatus();
    const own = await this.#vault.run(async (store) => (await store.keys()).identityKey);
    if (status.identity_key === null) {
      await this.#api.putIdentity(own);
    } else if (!same(status.identity_key, own)) {
      await this.#vault.run(tellForeign);
      return;
    }
    await this.#oneTime(status, most);
    const now = this.#now();
    const due = await this.#vault.run(async (store) => (await store.keys()).signedPrekeyDue(now));
    await this.#kem(status, due, most);
    await this.#account();
    await this.#signed(status, due);
  }

  async #oneTime(status: KeyStatus, most: number): Promise<void> {
    if (status.one_time_prekeys >= LOW) return;
    const count = Math.min(most, ENOUGH - status.one_time_prekeys);
    await this.#api.postOneTimePrekeys(await this.#changed((keys) => keys.newOneTimePrekeys(count)));
  }

  async #kem(status: KeyStatus, due: boolean, most: number): Promise<void> {
    const hasKem = await this.#vault.run(async (store) => (await store.keys()).hasKem);
    const lastResort = due || !hasKem || status.signed_prekey_id === null;
    const isLow = status.kem_prekeys < LOW;
    if (!isLow && !lastResort) return;
    const count = isLow ? Math.min(most, ENOUGH - status.kem_prekeys) : 0;
    const now = this.#now();
    await this.#api.postKemPrekeys(await this.#changed((keys) => keys.newKemPrekeys(count, lastResort, now)));
  }

  /**
   * The signed device list, where this device has the account key and the list does not name it, or the server has an
   * older one than this device: it was restored from a backup.
   */
  async #account(): Promise<void> {
    const { account, me } = await this.#vault.run(async (store) => ({
      account: await store.states.get(AccountKey, "own"),
      me: await store.userId(),
    }));
    if (account === undefined) return;
    const said = await this.#api.identities(me);
    const now = this.#now();
    const given = said.device_list;
    const { isMissing, version, own } = await this.#vault.run(async (store) => {
      await learn(store, me, said, "refuse", now);
      const known = await store.known(me);
      const deviceId = await store.deviceId();
      const missing = known.listVersion === 0 || known.listed(deviceId) === undefined;
      const device = new Map([[deviceId, (await store.keys()).identityKey]]);
      return { isMissing: missing, version: known.listVersion, own: device };
    });
    const isOlder = given !== null && same(given.account_key, account.public) && given.version < version;
    if (isOlder || isMissing) await this.publishList(account, { add: own });
  }

  /**
   * Publish the next device list: the known one, changed.
   *
   * Another device of one's own may do so at the same time: then its list is read first. Refused where that does not
   * come to an end, or the account key may not be replaced.
   */
  async publishList(account: AccountKey, change: ListChange): Promise<void> {
    const { add = new Map<string, Uint8Array>(), remove = new Set<string>() } = change;
    const me = await this.#vault.run((store) => store.userId());
    let above = 0;
    for (let tries = 1; ; tries += 1) {
      const least = above;
      const given = await this.#vault.run((store) => nextList(store, account, least, add, remove));
      try {
        await this.#api.putDeviceList(given);
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 409 || tries >= LIST_TRIES) throw error;
        above = error.problem.version ?? 0;
        const said = await this.#api.identities(me);
        if (said.device_list !== null && same(said.device_list.account_key, account.public)) {
          const then = this.#now();
          await this.#vault.run((store) => learn(store, me, said, "refuse", then));
        }
        continue;
      }
      const now = this.#now();
      await this.#vault.run((store) => learn(store, me, { device_list: given, items: [] }, "refuse", now));
      return;
    }
  }

  async #signed(status: KeyStatus, due: boolean): Promise<void> {
    const now = this.#now();
    const prekey = due
      ? await this.#changed((keys) => keys.rotateSignedPrekey(now))
      : await this.#vault.run(async (store) => (await store.keys()).signedPrekey());
    if (!due && prekey.key_id === status.signed_prekey_id) return;
    try {
      await this.#api.putSignedPrekey(prekey);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 409) throw error;
      // An upload whose answer was lost: the server has it, or a later one of this device.
      await this.#api.putSignedPrekey(await this.#changed((keys) => keys.rotateSignedPrekey(now)));
    }
  }

  /** Something is made of the own keys, and written down. */
  #changed<T>(made: (keys: DeviceKeys) => T): Promise<T> {
    return this.#vault.run(async (store) => {
      const keys = await store.keys();
      const found = made(keys);
      store.states.save("own", keys);
      return found;
    });
  }
}

async function tellForeign(store: Store): Promise<void> {
  const detail = "The server says that this device has another identity key than it has.";
  const about = { user_id: await store.userId(), device_id: await store.deviceId() };
  await warnOf(store, "keys_refused", "identity_key_changed", detail, about);
}
