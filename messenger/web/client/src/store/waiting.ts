/**
 * Small states of the engine's own: what waits for something else, and who was told where numbers stand.
 *
 * They lie among the states of the encryption, and are written by the same codecs.
 */

import { dump, load } from "../e2e/state.ts";
import { type Of, list, members, text, whole } from "../wire/codec.ts";
import { MESSAGE, type Message } from "../wire/conversations.ts";

const MOST_STARTED = 200; // devices; the first ones are forgotten, and told once more
const MOST_PARKED = 100; // messages of a group that wait for its roster

const STARTED = members({ devices: list(text()) });
const PARKED = members({ messages: list(MESSAGE) });
const EARLY = members({ senderId: text(), text: text(), seq: whole(0, Number.MAX_SAFE_INTEGER) });

/** Devices that count this device's messages in a conversation, each with its account key's beginning. */
export class Started {
  #devices: readonly string[];

  constructor(devices: readonly string[] = []) {
    this.#devices = devices;
  }

  static fromBytes(raw: Uint8Array): Started {
    return new Started(load(STARTED, raw).devices);
  }

  toBytes(): Uint8Array {
    return dump(STARTED, { devices: [...this.#devices] });
  }

  has(device: string): boolean {
    return this.#devices.includes(device);
  }

  add(devices: readonly string[]): void {
    this.#devices = [...this.#devices, ...devices].slice(-MOST_STARTED);
  }
}

/** Messages that came before the roster by which they are judged, as the server gave them. */
export class Parked {
  readonly messages: Message[];

  constructor(messages: Message[] = []) {
    this.messages = messages;
  }

  static fromBytes(raw: Uint8Array): Parked {
    return new Parked(load(PARKED, raw).messages);
  }

  toBytes(): Uint8Array {
    return dump(PARKED, { messages: this.messages });
  }

  /** One more; false where too many wait. */
  add(message: Message): boolean {
    if (this.messages.length >= MOST_PARKED) return false;
    this.messages.push(message);
    return true;
  }
}

/** Another text for a message that is asked for again, by an edit at this place. */
export class Early {
  readonly said: Readonly<Of<typeof EARLY>>;

  constructor(said: Readonly<Of<typeof EARLY>>) {
    this.said = said;
  }

  static fromBytes(raw: Uint8Array): Early {
    return new Early(load(EARLY, raw));
  }

  toBytes(): Uint8Array {
    return dump(EARLY, this.said);
  }
}
