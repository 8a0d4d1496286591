/**
 * What waits in the outbox goes to the server, conversation by conversation, one message of each at a time.
 *
 * Only the server's answer ends a message: until then the same draft goes out again, under the same client_id, over
 * as many connections as it takes. `devices_changed` has the devices and their keys read again and the message
 * encrypted anew.
 */

import { EncryptionError, PayloadTooLarge } from "../e2e/errors.ts";
import { SentMessage } from "../e2e/resend.ts";
import { Backoff } from "../net/backoff.ts";
import { orAborted, pause } from "../net/clock.ts";
import {
  Busy,
  FrameTooLong,
  NetError,
  NotConnected,
  Refused,
  SessionEnded,
  Unanswered,
} from "../net/errors.ts";
import type { Connection } from "../net/socket.ts";
import { decode } from "../wire/codec.ts";
import { DRAFT } from "../wire/conversations.ts";
import type { ErrorFrame } from "../wire/frames.ts";
import { Drafting, type DraftingSettings } from "./drafting.ts";
import { ClientError } from "./errors.ts";
import { Gate } from "./gate.ts";
import { Waits } from "./sealing.ts";
import { fail } from "./settling.ts";
import type { Store, Vault } from "./vault.ts";

const LANES = 16; // conversations that are served at a time
const ROUNDS = 8; // of encrypting one message anew, before it is given up
const ANSWER = 60_000; // milliseconds that an answer is waited for
const AGAIN: readonly string[] = [
  "rate_limited",
  "unavailable",
  "internal",
  "bad_gateway",
  "gateway_timeout",
];

/** The connection went away before the answer. */
class Gone extends Error {
  override name = "Gone";
}

export interface SendingSettings extends DraftingSettings {
  readonly ask: Connection["ask"];
  /** A bug, or a store that can't be written. */
  readonly failed: (error: unknown) => void;
}

/** Of one conversation while it is served. */
interface Lane {
  readonly conversationId: string;
  readonly backoff: Backoff;
  readonly rounds: Map<string, number>;
  readonly signal: AbortSignal;
}

/** The lanes. */
export class Sending {
  readonly #given: SendingSettings;
  readonly #vault: Vault;
  readonly #drafting: Drafting;
  readonly #online = new Gate();
  readonly #changed = new Gate();
  readonly #lanes = new Set<string>();
  readonly #waiting = new Set<string>();
  readonly #committing = new Map<
    string,
    { readonly resolve: () => void; readonly reject: (error: Gone) => void }
  >();
  #stopped = new AbortController();

  constructor(given: SendingSettings) {
    this.#given = given;
    this.#vault = given.vault;
    this.#drafting = new Drafting(given);
  }

  // the connection

  /** A connection stands, and all that came before is here; everything that waits may go. */
  async connected(): Promise<void> {
    this.#online.open();
    for (const one of await this.#vault.run((store) => store.outbox.conversations())) this.wake(one);
  }

  /** It is gone; what is unanswered goes out again on the next one. */
  disconnected(): void {
    this.#online.shut();
    for (const { reject } of this.#committing.values()) reject(new Gone());
    this.#committing.clear();
  }

  /** An own message has its place, in the store, too. */
  committed(clientId: string): void {
    this.#committing.get(clientId)?.resolve();
    this.#committing.delete(clientId);
  }

  /** Ask who leads the group for its roster; false where that was done before. */
  askForRoster(conversationId: string): Promise<boolean> {
    return this.#drafting.askForRoster(conversationId);
  }

  // lanes

  /** Something new waits in a conversation. */
  wake(conversationId: string): void {
    this.#waiting.add(conversationId);
    this.#openLanes();
  }

  /** Returns once nothing is being sent and nothing waits for a lane. */
  async idle(signal?: AbortSignal): Promise<void> {
    while (this.#lanes.size > 0 || this.#waiting.size > 0) await this.#changed.wait(signal);
  }

  /** Stop all lanes; what waits stays in the outbox. */
  stop(): void {
    this.#waiting.clear();
    this.#stopped.abort();
    this.#stopped = new AbortController();
    this.disconnected();
  }

  #openLanes(): void {
    for (const conversationId of this.#waiting) {
      if (this.#lanes.size >= LANES) return;
      if (this.#lanes.has(conversationId)) continue;
      this.#waiting.delete(conversationId);
      this.#lanes.add(conversationId);
      void this.#serve(conversationId, this.#stopped.signal);
    }
  }

  async #serve(conversationId: string, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(() => this.#given.clock.draw());
    const lane = { conversationId, backoff, rounds: new Map<string, number>(), signal };
    try {
      while (await this.#next(lane)) signal.throwIfAborted();
    } catch (error) {
      if (!signal.aborted) this.#given.failed(error);
    } finally {
      this.#lanes.delete(conversationId);
      if (!signal.aborted) this.#openLanes();
      this.#changed.pulse();
    }
  }

  /** Serve the next message of a lane; false where none waits, or none can go now. */
  async #next(lane: Lane): Promise<boolean> {
    const { conversationId, backoff, signal } = lane;
    await this.#online.wait(signal);
    const queued = await this.#vault.run((store) => store.outbox.first(conversationId));
    if (queued === undefined) return false;
    const clientId = queued.client_id;
    try {
      const draft = await this.#drafting.sealed(conversationId, clientId);
      if (draft === undefined) {
        if (this.#turn(lane, clientId) > ROUNDS) {
          await this.#fail(clientId, "devices_changed", "The devices keep changing.");
        }
        return true;
      }
      const refusal = await this.#exchange(conversationId, clientId, draft, signal);
      if (refusal === undefined) backoff.reset();
      else await this.#refused(lane, clientId, refusal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Waits) return this.#drafting.askForRoster(conversationId);
      await this.#missed(lane, clientId, error);
    }
    return true;
  }

  /** How often a message was made anew. */
  #turn({ rounds }: Lane, clientId: string): number {
    const count = (rounds.get(clientId) ?? 0) + 1;
    rounds.set(clientId, count);
    return count;
  }

  /** What becomes of a message that could not go. Throws what is a bug, or the store's. */
  async #missed({ backoff, signal }: Lane, clientId: string, error: unknown): Promise<void> {
    const { clock } = this.#given;
    if (error instanceof Gone || error instanceof NotConnected || error instanceof Unanswered) {
      if (this.#online.isOpen) await pause(clock, backoff.next(), signal);
    } else if (error instanceof SessionEnded) {
      this.#online.shut(); // until somebody logs in again
    } else if (error instanceof FrameTooLong || error instanceof PayloadTooLarge) {
      await this.#fail(clientId, "message_too_large", error.message);
    } else if (error instanceof Busy) {
      await pause(clock, backoff.next(error.retryAfter), signal);
    } else if (error instanceof Refused && error.status < 500 && error.status !== 401) {
      await this.#fail(clientId, error.code, error.message);
    } else if (error instanceof NetError) {
      await pause(clock, backoff.next(), signal);
    } else if (error instanceof ClientError || error instanceof EncryptionError) {
      await this.#fail(clientId, error instanceof ClientError ? error.code : "refused", error.message);
    } else {
      throw error;
    }
  }

  async #refused(lane: Lane, clientId: string, { problem }: ErrorFrame): Promise<void> {
    const { conversationId, backoff, signal } = lane;
    const { clock, asking } = this.#given;
    if (problem.code === "devices_changed") {
      const turn = this.#turn(lane, clientId);
      if (turn > ROUNDS) {
        await this.#fail(clientId, problem.code, "The devices keep changing.");
        return;
      }
      if (turn > 1) await pause(clock, backoff.next(), signal);
      asking.forgetView(conversationId);
      await this.#vault.run((store) => unseal(store, clientId));
    } else if (AGAIN.includes(problem.code)) {
      await pause(clock, backoff.next(1_000 * (problem.retryAfter ?? 0)), signal);
    } else {
      await this.#fail(clientId, problem.code, problem.detail);
    }
  }

  async #fail(clientId: string, code: string, detail: string): Promise<void> {
    await this.#vault.run(async (store) => {
      const queued = await store.outbox.get(clientId);
      if (queued !== undefined) await fail(store, queued, code, detail, queued.attempts > 1);
    });
  }

  // the exchange

  /** What the server says against it; `undefined` once it has its place here, too. Gone, and what `ask` throws. */
  async #exchange(
    conversationId: string,
    clientId: string,
    draft: Uint8Array,
    signal: AbortSignal,
  ): Promise<ErrorFrame | undefined> {
    await this.#vault.run((store) => store.outbox.tried(clientId));
    if (!this.#online.isOpen) throw new Gone();
    const committed = new Promise<void>((resolve, reject) => {
      this.#committing.set(clientId, { resolve, reject });
    });
    committed.catch(() => undefined); // where a refusal comes first nobody waits for it
    try {
      const said = { ...decode(DRAFT, draft), ref: clientId, conversation_id: conversationId };
      const answer = await this.#given.ask({ type: "send", ...said }, ANSWER, signal);
      if (answer.type === "error") return answer;
      await orAborted(committed, signal);
      return undefined;
    } finally {
      this.#committing.delete(clientId);
    }
  }
}

async function unseal(store: Store, clientId: string): Promise<void> {
  const queued = await store.outbox.get(clientId);
  if (queued === undefined) return;
  if (queued.again > 0 && (await store.states.get(SentMessage, clientId)) === undefined) {
    await store.outbox.remove(clientId); // nothing says any more what it said
    store.settled.push({ clientId });
  } else {
    await store.outbox.unseal(clientId);
  }
}
