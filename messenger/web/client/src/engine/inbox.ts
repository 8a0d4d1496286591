/**
 * Frames from the server: the durable ones are stored and then acknowledged, the others passed on.
 *
 * Messages, changes and answers that come together are committed together. Before the rules see them, what they need
 * is asked of the server: conversations and keys that are not known, and messages in between that did not come. The
 * next frames are taken once these are through. If something can't be asked now, nothing is acknowledged, and it all
 * comes again over the next connection.
 */

import type { Api } from "../net/api.ts";
import { type Clock, pause } from "../net/clock.ts";
import { NetError } from "../net/errors.ts";
import type { ClientFrames, ServerFrame, ServerFrames } from "../wire/frames.ts";
import { type Asking, unlessNotFound } from "./asking.ts";
import { type Batch, beginBatch } from "./batch.ts";
import { Gate } from "./gate.ts";
import { Behind } from "./opening.ts";
import { Passing, type PassingSettings } from "./passing.ts";
import { giveUp } from "./receiving.ts";
import { Asked, type Durable, type Lacks, type Taken, attempt, senderName } from "./run.ts";
import type { Sending } from "./sending.ts";
import type { Store, Vault } from "./vault.ts";

const CATCH_UP = 10_000; // milliseconds
const LOOKED_AT = 200; // messages at the end of a conversation that is new here
const PAGE = 50; // messages of a gap that are fetched and stored at a time

export interface InboxSettings extends PassingSettings {
  readonly api: Api;
  readonly sending: Sending;
  readonly clock: Clock;
  readonly say: (frame: ClientFrames["ack"]) => boolean;
  readonly onApproved: () => void;
}

/** Takes frames. */
export class Inbox {
  readonly #given: InboxSettings;
  readonly #vault: Vault;
  readonly #asking: Asking;
  readonly #passing: Passing;
  /** Conversations without a known place whose end was looked at. */
  readonly #looked = new Set<string>();
  readonly #progressed = new Gate();

  constructor(given: InboxSettings) {
    this.#given = given;
    this.#vault = given.vault;
    this.#asking = given.asking;
    this.#passing = new Passing(given);
  }

  /** Take the frames of one WebSocket message. NetError where asking failed. */
  async take(found: readonly ServerFrame[]): Promise<void> {
    let run: Durable[] = [];
    for (const frame of found) {
      if (frame.type === "sent" || frame.type === "message" || frame.type === "change") {
        run.push(frame);
        continue;
      }
      await this.#takeRun(run);
      run = [];
      await this.#passing.take(frame);
    }
    await this.#takeRun(run);
  }

  // durable

  /**
   * Take a run in by one transaction, unless something has to be asked of the server first.
   *
   * In the conversation `filled` nothing more is fetched: what is missing there is told.
   */
  async #takeRun(given: readonly Durable[], filled?: string): Promise<void> {
    let asked = new Asked(filled === undefined ? [] : [filled]);
    let run = given;
    while (run.length > 0) {
      const batch = beginBatch(this.#given.clock.now(), new Set(asked.users));
      const found = await this.#attempt(batch, run, asked);
      if (found === undefined) continue;
      if (!found.done) {
        await this.#ask(found, run, asked);
        continue;
      }
      this.#committed(batch, found);
      run = found.rest;
      if (run.length > 0) {
        await this.#asking.learn(await this.#vault.run((store) => store.userId()));
        asked = new Asked(asked.filled);
      }
    }
  }

  /** What became of it; `undefined` where a user's keys were asked for first. */
  async #attempt(batch: Batch, run: readonly Durable[], asked: Asked): Promise<Lacks | Taken | undefined> {
    try {
      return await this.#vault.run((store) => attempt(store, batch, run, asked));
    } catch (error) {
      if (!(error instanceof Behind)) throw error;
      asked.users.add(error.userId);
      await this.#asking.learn(error.userId);
      return undefined;
    }
  }

  async #ask(lacks: Lacks, run: readonly Durable[], asked: Asked): Promise<void> {
    for (const conversationId of lacks.conversations) {
      asked.conversations.add(conversationId);
      await unlessNotFound(this.#asking.conversation(conversationId));
    }
    if (lacks.users.length > 0) {
      for (const one of lacks.users) asked.names.add(one);
      await this.#asking.names(lacks.users);
    }
    if (lacks.senders.length > 0) {
      for (const one of lacks.senders) asked.senders.add(senderName(one));
      await this.#asking.learnSenders(lacks.senders);
    }
    for (const [conversationId, holes] of lacks.holes) {
      asked.filled.add(conversationId);
      await this.#fill(conversationId, holes, run);
    }
  }

  /** Fetch what lies between what is stored and what comes now; it is stored before. */
  async #fill(conversationId: string, given: readonly number[], run: readonly Durable[]): Promise<void> {
    const there = run.filter((one) => one.type !== "change" && one.conversation_id === conversationId);
    const seqs = there.flatMap((one) => (one.type === "change" ? [] : [one.seq]));
    const top = seqs.length > 0 ? Math.max(...seqs) : (given.at(-1) ?? 0) + 1;
    let holes = given;
    for (let [first] = holes; first !== undefined; [first] = holes) {
      const after = first - 1;
      const found = await this.#given.api.messages(conversationId, { after, limit: PAGE });
      const page = found.filter(
        (one) => one.conversation_id === conversationId && after < one.seq && one.seq < top,
      );
      const last = page.length > 0 ? Math.max(...page.map((one) => one.seq)) : (holes.at(-1) ?? first);
      const wanted = new Set(holes);
      const merged = page
        .filter((one) => wanted.has(one.seq))
        .map((one): ServerFrames["message"] => ({ type: "message", ...one }));
      // What came with a lower seq goes before; when its turn comes again it is no news.
      for (const one of there) if (one.type === "message" && one.seq < last) merged.push(one);
      merged.sort((one, other) => one.seq - other.seq);
      await this.#takeRun(merged, conversationId);
      holes = holes.filter((seq) => seq > last);
    }
  }

  #committed(batch: Batch, taken: Taken): void {
    const { sending, say, onApproved } = this.#given;
    for (const frame of taken.frames) if (frame.type === "sent") sending.committed(frame.ref);
    for (const [conversation_id, seq] of batch.acks) say({ type: "ack", conversation_id, seq });
    for (const [conversation_id, change] of taken.changes) {
      say({ type: "ack", conversation_id, change });
      this.#asking.forgetView(conversation_id);
    }
    for (const conversationId of batch.wake) sending.wake(conversationId);
    if (batch.approved) onApproved();
    this.#progressed.pulse();
  }

  /** Fetch what is missing up to a place, the last one of the conversation as the server says. */
  async fetch(conversationId: string, lastSeq: number): Promise<void> {
    let holes = await this.#vault.run((store) => missing(store, conversationId, lastSeq));
    if (holes.length === 0 && lastSeq > 0 && !this.#looked.has(conversationId)) {
      this.#looked.add(conversationId);
      holes = await this.#unknown(conversationId, lastSeq);
    }
    if (holes.length > 0) await this.#fill(conversationId, holes, []);
  }

  /** Tell what nobody has sent again for a day, and judge what has waited for it. */
  async giveUp(): Promise<void> {
    const asked = new Set<string>();
    for (;;) {
      const batch = beginBatch(this.#given.clock.now(), new Set(asked));
      try {
        await this.#vault.run((store) => giveUp(store, batch));
      } catch (error) {
        if (!(error instanceof Behind)) throw error;
        asked.add(error.userId);
        try {
          await this.#asking.learn(error.userId);
        } catch (unasked) {
          if (unasked instanceof NetError) return; // what waits can't be judged now
          throw unasked;
        }
        continue;
      }
      for (const conversationId of batch.wake) this.#given.sending.wake(conversationId);
      return;
    }
  }

  /**
   * The last places of a conversation of which this profile knows none, where they hold messages of this very device:
   * then it was restored from a copy that is older than the conversation.
   */
  async #unknown(conversationId: string, lastSeq: number): Promise<number[]> {
    const { own, row } = await this.#vault.run(async (store) => ({
      own: await store.deviceId(),
      row: await store.conversations.get(conversationId),
    }));
    if (row?.place !== null || row.ended) return [];
    const after = Math.max(0, lastSeq - LOOKED_AT);
    const page = await this.#given.api.messages(conversationId, { after, limit: LOOKED_AT });
    const seqs = page
      .filter((one) => one.sender_device_id === own && one.seq <= lastSeq)
      .map((one) => one.seq);
    if (seqs.length === 0) return [];
    const first = Math.min(...seqs);
    return Array.from({ length: lastSeq - first + 1 }, (_, at) => first + at);
  }

  /** Returns once this place of a conversation is here, or after ten seconds: it may be held back. */
  async reached(conversationId: string, seq: number): Promise<void> {
    const over = new AbortController();
    const late = pause(this.#given.clock, CATCH_UP, over.signal).then(
      () => {
        over.abort();
      },
      () => undefined,
    );
    try {
      for (;;) {
        const progressed = this.#progressed.wait(over.signal).catch(() => undefined);
        const row = await this.#vault.run((store) => store.conversations.get(conversationId));
        const place = row?.place ?? null;
        if (place === null || place >= seq || over.signal.aborted) return;
        await progressed;
      }
    } finally {
      over.abort();
      await late;
    }
  }
}

/**
 * The places of a conversation that are not known, or are in doubt, up to the one that the server says is its last.
 */
async function missing(store: Store, conversationId: string, lastSeq: number): Promise<number[]> {
  const row = await store.conversations.get(conversationId);
  if (row === undefined || row.place === null || row.ended) return [];
  const doubted = await store.history.doubted(conversationId, Math.min(row.place, lastSeq));
  if (row.place >= lastSeq) return doubted;
  return [...doubted, ...(await store.places.holes(conversationId, row.place, lastSeq + 1))];
}
