/** Who waits until the server has answered for an own message. */

import type { ClientError } from "./errors.ts";
import { SendingFailed } from "./errors.ts";
import type { Settled, Vault } from "./vault.ts";

interface Waiter {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: ClientError) => void;
}

export class Answers {
  readonly #vault: Vault;
  readonly #waiters = new Map<string, Waiter>();

  constructor(vault: Vault) {
    this.#vault = vault;
    vault.onSettled = (settled) => {
      this.#settled(settled);
    };
  }

  /**
   * Returns true once the server has answered for what was queued under this client_id; false where nothing is.
   * SendingFailed; what `giveUp` was given, and what `over` throws where nothing will come.
   */
  async taken(clientId: string, over: () => void): Promise<boolean> {
    let waiter = this.#waiters.get(clientId);
    if (waiter === undefined) {
      waiter = newWaiter();
      this.#waiters.set(clientId, waiter);
      const queued = await this.#vault.run((store) => store.outbox.get(clientId));
      if (queued === undefined && this.#waiters.get(clientId) === waiter) {
        this.#waiters.delete(clientId);
        return false;
      }
    }
    over();
    await waiter.promise;
    return true;
  }

  /** Nobody waits for answers any more; what is queued stays queued. */
  giveUp(error: ClientError): void {
    for (const { reject } of this.#waiters.values()) reject(error);
    this.#waiters.clear();
  }

  #settled({ clientId, code, detail = "" }: Settled): void {
    const waiter = this.#waiters.get(clientId);
    this.#waiters.delete(clientId);
    if (code === undefined) waiter?.resolve();
    else waiter?.reject(new SendingFailed(detail, code));
  }
}

function newWaiter(): Waiter {
  let resolve: () => void = () => undefined;
  let reject: (error: ClientError) => void = () => undefined;
  const promise = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  promise.catch(() => undefined); // nobody may be waiting
  return { promise, resolve, reject };
}
