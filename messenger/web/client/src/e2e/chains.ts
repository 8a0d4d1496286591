/** The sender keys that others have given to this device (groups.ts), and what they open. */

import { concat } from "../wire/bytes.ts";
import { type Of, list, members, pair, text } from "../wire/codec.ts";
import { KEY, type SenderKey } from "./bodies.ts";
import { type GroupContent, decodeGroup } from "./envelope.ts";
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
import { CHAIN_ID, ITERATION, MESSAGE_INFO, SIGNATURE_LABEL, boundTo } from "./groups.ts";
import { type Claimed, type Payload, type Sender, openPayload } from "./payload.ts";
import { ed25519Holds, openOnce, same } from "./primitives.ts";
import { messageKey, nextChainKey } from "./ratchet.ts";
import { dump, load } from "./state.ts";

const MAX_CHAINS = 5; // kept of one sender in one conversation
const MAX_SKIPPED = 1_000; // message keys kept of one chain
const MAX_AHEAD = 10_000; // messages that one message may leap over

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

type Chain = Of<typeof CHAIN>;
type Received = Of<typeof RECEIVED>;

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
