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
import { type Of, REAL, binary, list, members, pair, text, whole } from "../wire/codec.ts";
import { KEY, type SenderKey } from "./bodies.ts";
import { type GroupContent, decodeGroup, groupHead } from "./envelope.ts";
import {
  BadSenderSignature,
  ConversationMismatch,
  ReflectedMessage,
  ReplayedMessage,
  SenderKeyRefused,
  SenderMismatch,
  TooFarAhead,
  UnknownSenderKey,
} from "./errors.ts";
import { type Claimed, type Payload, type Sender, openPayload, sealedForm } from "./payload.ts";
import {
  type Random,
  ed25519Holds,
  ed25519Public,
  ed25519Sign,
  idBytes,
  label,
  openOnce,
  same,
  sealOnce,
  systemRandom,
} from "./primitives.ts";
import { messageKey, nextChainKey } from "./ratchet.ts";
import { dump, load } from "./state.ts";

const MESSAGE_INFO = utf8("messenger-group-1");
const SIGNATURE_LABEL = label("messenger-group-signature-1");
const MAX_AGE = 7 * 86_400; // seconds
const MAX_MESSAGES = 2_000; // of one chain
const MAX_CHAINS = 5; // kept of one sender in one conversation
const MAX_SKIPPED = 1_000; // message keys kept of one chain
const MAX_AHEAD = 10_000; // messages that one message may leap over

const CHAIN_ID = binary(16);
const ITERATION = whole(0, 2 ** 32);

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

/** `iteration` is that of `chainKey`. Below `first` a message is either among `skipped` or can't be read. */
const CHAIN = members({
  chainId: CHAIN_ID,
  signatureKey: KEY,
  first: ITERATION,
  iteration: ITERATION,
  chainKey: KEY,
  skipped: list(pair(ITERATION, KEY)), // by rising iteration
});

const RECEIVED = members({
  conversationId: text(),
  userId: text(),
  deviceId: text(),
  chains: list(CHAIN), // the newest first
});

type Sending = Of<typeof SENDING>;
type Chain = Of<typeof CHAIN>;
type Received = Of<typeof RECEIVED>;

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

/** The chains that one device of a peer has given for one conversation. What throws changes nothing. */
export class ReceivedChains {
  readonly #state: Received;

  private constructor(state: Received) {
    this.#state = state;
  }

  /** None yet. */
  static none(conversationId: string, userId: string, deviceId: string): ReceivedChains {
    return new ReceivedChains({ conversationId: conversationId.toLowerCase(), userId, deviceId, chains: [] });
  }

  /** The chains that `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): ReceivedChains {
    return new ReceivedChains(load(RECEIVED, raw));
  }

  /** The chains with their keys, in the clear: to be stored encrypted. */
  toBytes(): Uint8Array {
    return dump(RECEIVED, this.#state);
  }

  /** The ids of all chains, the newest first. */
  get chainIds(): Uint8Array[] {
    return this.#state.chains.map((one) => one.chainId);
  }

  /**
   * Take a chain that came in `payload`, which a session with the sender's device has decrypted.
   *
   * Given again (to a device that missed it), it changes nothing: a chain never goes back. SenderKeyRefused where
   * the sender is no member, or gives another chain under the same id; SenderMismatch and ConversationMismatch
   * where the payload is not this sender's for this conversation.
   */
  accept(body: SenderKey, payload: Payload, isMember: boolean): void {
    const state = this.#state;
    if (payload.sender_id !== state.userId || payload.sender_device_id !== state.deviceId) {
      throw new SenderMismatch("A sender key comes from another device than its chain's.");
    }
    if (payload.conversation_id !== state.conversationId) {
      throw new ConversationMismatch("A sender key is for another conversation.");
    }
    if (!isMember) {
      throw new SenderKeyRefused("A sender key comes from somebody who is no member of the conversation.");
    }
    const known = state.chains.find((one) => same(one.chainId, body.chain_id));
    if (known === undefined) {
      const { chain_id: chainId, signature_key: signatureKey, iteration, chain_key: chainKey } = body;
      const chain = { chainId, signatureKey, first: iteration, iteration, chainKey, skipped: [] };
      state.chains = [chain, ...state.chains].slice(0, MAX_CHAINS);
    } else if (!same(known.signatureKey, body.signature_key)) {
      throw new SenderKeyRefused("A sender key has the id of another one of its sender's.");
    }
  }

  /**
   * The payload of group content, checked against what the server said of the message.
   *
   * Throws Malformed, UnknownSenderKey, BadSenderSignature, AuthenticationFailed, TooFarAhead, ReplayedMessage,
   * ReflectedMessage, Refiled.
   */
  open(keys: Sender, content: Uint8Array, said: Claimed): Payload {
    const state = this.#state;
    if (said.sender_device_id === keys.deviceId) {
      throw new ReflectedMessage("The server presents an own message as one to be decrypted.");
    }
    const anotherUser = said.sender_id !== null && said.sender_id !== state.userId;
    if (said.sender_device_id !== state.deviceId || anotherUser) {
      throw new SenderMismatch("The content is presented as another device's.");
    }
    if (said.conversation_id !== state.conversationId) {
      throw new ConversationMismatch("The content is presented in another conversation.");
    }
    const found = decodeGroup(content);
    const chain = state.chains.find((one) => same(one.chainId, found.chainId));
    if (chain === undefined) {
      throw new UnknownSenderKey("The message is under a sender key that this device was not given.");
    }
    const bound = boundTo(state);
    const signed = concat(SIGNATURE_LABEL, bound, found.head, found.ciphertext);
    if (!ed25519Holds(chain.signatureKey, found.signature, signed)) {
      throw new BadSenderSignature("The message was not signed by its sender's chain.");
    }
    return openIn(chain, found, concat(bound, found.head), said);
  }
}

function openIn(chain: Chain, found: GroupContent, associated: Uint8Array, said: Claimed): Payload {
  const number = found.iteration;
  if (number < chain.iteration) {
    const kept = chain.skipped.find(([iteration]) => iteration === number);
    if (kept === undefined && number < chain.first) {
      throw new UnknownSenderKey("The message is older than what this device has keys for.");
    }
    if (kept === undefined) throw new ReplayedMessage("The server presents a message for the second time.");
    const payload = openPayload(openOnce(kept[1], MESSAGE_INFO, found.ciphertext, associated), said);
    chain.skipped = chain.skipped.filter((one) => one !== kept);
    return payload;
  }
  if (number - chain.iteration > MAX_AHEAD) {
    throw new TooFarAhead(`Over ${String(MAX_AHEAD)} messages of the sender are missing.`);
  }
  const fresh: [number, Uint8Array][] = [];
  let { chainKey } = chain;
  for (let { iteration } = chain; iteration < number; iteration += 1) {
    if (number - iteration <= MAX_SKIPPED) fresh.push([iteration, messageKey(chainKey)]);
    chainKey = nextChainKey(chainKey);
  }
  const payload = openPayload(
    openOnce(messageKey(chainKey), MESSAGE_INFO, found.ciphertext, associated),
    said,
  );
  if (number - chain.iteration > MAX_SKIPPED) chain.first = number - MAX_SKIPPED;
  chain.chainKey = nextChainKey(chainKey);
  chain.iteration = number + 1;
  const kept = [...chain.skipped, ...fresh];
  const lost = kept.length - MAX_SKIPPED;
  const [last] = lost > 0 ? (kept[lost - 1] ?? []) : [];
  if (last !== undefined) chain.first = Math.max(chain.first, last + 1);
  chain.skipped = kept.slice(-MAX_SKIPPED);
  return payload;
}

function boundTo(owner: Owner): Uint8Array {
  return concat(idBytes(owner.conversationId), idBytes(owner.userId), idBytes(owner.deviceId));
}
