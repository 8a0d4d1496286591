/**
 * Sender keys: one ciphertext for a whole group.
 *
 * A sender makes a chain for a conversation and gives it, pairwise, to each device of the members. The chain
 * key goes forward by HMAC-SHA-256 (message key from the byte 0x01, next chain key from 0x02), so that whoever
 * gets it late can't read what was before. A message key seals one message (AES-256-GCM-SIV, key and nonce by
 * HKDF-SHA-256 with the info `messenger-group-1`). The chain's own Ed25519 key signs
 * `messenger-group-signature-1`, a zero byte, what the content is bound to and the content up to the
 * signature, so that no member can write as another:
 *
 *     bound = conversation_id, sender's user_id and device_id (16 bytes each)
 *
 * `bound` and the content's head are the associated data as well. A chain ends when a device that has it goes,
 * after a week, or after `MAX_MESSAGES`; a new one is made and given to all.
 */

import { concat, utf8 } from "../wire/bytes.ts";
import { type Of, REAL, binary, list, members, text, whole } from "../wire/codec.ts";
import { KEY, type SenderKey } from "./bodies.ts";
import { groupHead } from "./envelope.ts";
import { ConversationMismatch, SenderMismatch } from "./errors.ts";
import { type Payload, type Sender, sealedForm } from "./payload.ts";
import {
  type Random,
  ed25519Public,
  ed25519Sign,
  idBytes,
  label,
  sealOnce,
  systemRandom,
} from "./primitives.ts";
import { messageKey, nextChainKey } from "./ratchet.ts";
import { dump, load } from "./state.ts";

export const MESSAGE_INFO = utf8("messenger-group-1");
export const SIGNATURE_LABEL = label("messenger-group-signature-1");
const MAX_AGE = 7 * 86_400; // seconds
const MAX_MESSAGES = 2_000; // of one chain

export const CHAIN_ID = binary(16);
export const ITERATION = whole(0, 2 ** 32);

const SENDING = members({
  conversationId: text(),
  userId: text(),
  deviceId: text(),
  chainId: CHAIN_ID,
  chainKey: KEY,
  signingSeed: KEY,
  createdAt: REAL,
  iteration: ITERATION,
  holders: list(text()),
});

type Sending = Of<typeof SENDING>;

/** Whose chains, in which conversation. */
interface Owner {
  readonly conversationId: string;
  readonly userId: string;
  readonly deviceId: string;
}

/** The own chain in a conversation. */
export class SendingChain {
  readonly #state: Sending;
  readonly #holders: Set<string>;

  private constructor(state: Sending) {
    this.#state = state;
    this.#holders = new Set(state.holders);
  }

  /** A new chain, which nobody has yet; `now` in seconds since 1970. */
  static create(
    keys: Sender,
    conversationId: string,
    now: number,
    random: Random = systemRandom,
  ): SendingChain {
    return new SendingChain({
      conversationId: conversationId.toLowerCase(),
      userId: keys.userId,
      deviceId: keys.deviceId,
      chainId: random(16),
      chainKey: random(32),
      signingSeed: random(32),
      createdAt: now,
      iteration: 0,
      holders: [],
    });
  }

  /** The chain that `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): SendingChain {
    return new SendingChain(load(SENDING, raw));
  }

  /** The chain with its keys, in the clear: to be stored encrypted. */
  toBytes(): Uint8Array {
    return dump(SENDING, { ...this.#state, holders: [...this.#holders] });
  }

  /** The chain's id, 16 bytes. */
  get chainId(): Uint8Array {
    return this.#state.chainId;
  }

  /** The devices that were given the chain. */
  get holders(): ReadonlySet<string> {
    return this.#holders;
  }

  /** Whether a new chain has to be made before the next message to these devices. */
  mustRotate(devices: Iterable<string>, now: number): boolean {
    const there = new Set(devices);
    const gone = [...this.#holders].some((one) => !there.has(one));
    return gone || now - this.#state.createdAt >= MAX_AGE || this.#state.iteration >= MAX_MESSAGES;
  }

  /** Those of these devices that have to be given the chain; never the own one. */
  lacking(devices: Iterable<string>): string[] {
    return [...devices].filter((one) => !this.#holders.has(one) && one !== this.#state.deviceId);
  }

  /** What a device is given: the chain from here on. `nextNumber` is what the next message will bear. */
  distribution(nextNumber: number): SenderKey {
    const { chainId, iteration, chainKey, signingSeed } = this.#state;
    return {
      type: "sender_key",
      chain_id: chainId,
      iteration,
      chain_key: chainKey,
      signature_key: ed25519Public(signingSeed),
      number: nextNumber,
    };
  }

  /** These devices have been given the chain. */
  give(deviceIds: Iterable<string>): void {
    for (const one of deviceIds) this.#holders.add(one);
  }

  /**
   * The content of a message to all holders. PayloadTooLarge; SenderMismatch and ConversationMismatch for a
   * payload that is not this chain's.
   */
  seal(keys: Sender, payload: Payload): Uint8Array {
    const state = this.#state;
    if (payload.sender_id !== keys.userId || payload.sender_device_id !== keys.deviceId) {
      throw new SenderMismatch("A payload names another sender than this device.");
    }
    if (keys.userId !== state.userId || keys.deviceId !== state.deviceId) {
      throw new SenderMismatch("The chain is another device's.");
    }
    if (payload.conversation_id !== state.conversationId) {
      throw new ConversationMismatch("A payload names another conversation than the chain's.");
    }
    const plaintext = sealedForm(payload);
    const bound = boundTo(state);
    const head = groupHead(state.chainId, state.iteration);
    const ciphertext = sealOnce(messageKey(state.chainKey), MESSAGE_INFO, plaintext, concat(bound, head));
    state.chainKey = nextChainKey(state.chainKey);
    state.iteration += 1;
    const signature = ed25519Sign(state.signingSeed, concat(SIGNATURE_LABEL, bound, head, ciphertext));
    return concat(head, ciphertext, signature);
  }
}

/** What content of a chain is bound to. */
export function boundTo(owner: Owner): Uint8Array {
  return concat(idBytes(owner.conversationId), idBytes(owner.userId), idBytes(owner.deviceId));
}
