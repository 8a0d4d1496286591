/** What is to be sent: frames that were said together go as one array, and repeats of one kind as the last of them. */

import { utf8 } from "../wire/bytes.ts";
import { type ClientFrame, MAX_FRAME, writeFrame } from "../wire/frames.ts";
import { FrameTooLong } from "./errors.ts";

/** Characters that wait at most. */
export const MAX_WAITING = 4 * 1_048_576;
/** Characters and frames of one array. */
const ARRAY = 524_288;
const FRAMES = 100;

interface Waiting {
  readonly frame: ClientFrame;
  readonly text: string;
}

export class Outgoing {
  readonly #first: string[] = [];
  /** By conversation and kind where the last one stands for all, else by a number. */
  readonly #waiting = new Map<string, Waiting>();
  #size = 0;
  #count = 0;
  #held = 0;

  /** A frame that goes before all others, and is not held back. */
  addFirst(frame: ClientFrame): void {
    this.#first.push(writeFrame(frame));
  }

  /** False where too much waits already; FrameTooLong where it could never be sent. */
  add(frame: ClientFrame): boolean {
    const key = keyOf(frame) ?? `#${String(this.#count)}`;
    const standing = this.#waiting.get(key);
    const all = standing === undefined ? frame : joined(standing.frame, frame);
    const text = writeFrame(all);
    if (3 * text.length > MAX_FRAME && utf8(text).length > MAX_FRAME)
      throw new FrameTooLong("This is too long for one frame.");
    const size = this.#size + text.length - (standing?.text.length ?? 0);
    if (size > MAX_WAITING) return false;
    this.#count += 1;
    this.#size = size;
    this.#waiting.set(key, { frame: all, text });
    return true;
  }

  /** The server has had too many: nothing more before that. */
  hold(until: number): void {
    this.#held = Math.max(this.#held, until);
  }

  /** When what is held back may go; infinite where nothing is. */
  heldUntil(now: number): number {
    return this.#waiting.size > 0 && this.#held > now ? this.#held : Number.POSITIVE_INFINITY;
  }

  /** WebSocket messages, as long as there is room for a character more. */
  *messages(room: number, now: number): Generator<string, void> {
    let left = room;
    while (left > 0) {
      const batch = this.#first.splice(0);
      let size = batch.reduce((sum, text) => sum + text.length, 0);
      if (this.#held <= now) {
        for (const [key, { text }] of this.#waiting) {
          if (batch.length > 0 && (size + text.length > ARRAY || batch.length >= FRAMES)) break;
          this.#waiting.delete(key);
          this.#size -= text.length;
          size += text.length;
          batch.push(text);
        }
      }
      const [only] = batch;
      if (only === undefined) return;
      left -= size;
      yield batch.length === 1 ? only : `[${batch.join(",")}]`;
    }
  }

  /** The connection is gone, and what waited with it. */
  clear(): void {
    this.#first.length = 0;
    this.#waiting.clear();
    this.#size = 0;
    this.#held = 0;
  }
}

function keyOf(frame: ClientFrame): string | undefined {
  switch (frame.type) {
    case "ack":
    case "read":
    case "typing":
      return `${frame.type} ${frame.conversation_id}`;
    default:
      return undefined;
  }
}

/** What two frames of one kind and conversation say together: places only rise. */
function joined(one: ClientFrame, other: ClientFrame): ClientFrame {
  if (one.type === "read" && other.type === "read") return { ...other, seq: Math.max(one.seq, other.seq) };
  if (one.type !== "ack" || other.type !== "ack") return other;
  const seq = higher(one.seq, other.seq);
  const change = higher(one.change, other.change);
  return {
    type: "ack",
    conversation_id: other.conversation_id,
    ...(seq === undefined ? {} : { seq }),
    ...(change === undefined ? {} : { change }),
  };
}

function higher(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.max(one, other);
}
