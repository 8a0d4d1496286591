/**
 * The Double Ratchet (Signal's specification, revision 4 of 2025 in its classical part).
 *
 * Curve 25519; the root chain by HKDF-SHA-256 (salt: the root key, input: the shared secret, info
 * `messenger-root-1`, 64 bytes: root key, chain key); sending and receiving chains by HMAC-SHA-256 (message key
 * from the byte 0x01, next chain key from 0x02). A message key seals one message: AES-256-GCM-SIV, key and nonce
 * by HKDF-SHA-256 with the info `messenger-ratchet-1`. The associated data is the session's, then the ratchet's
 * header in the form in which it travels (`envelope.ts`).
 */

import { concat, utf8 } from "../wire/bytes.ts";
import { type Of, list, members, optional, whole } from "../wire/codec.ts";
import { KEY } from "./bodies.ts";
import { type RatchetMessage, ratchetHeader } from "./envelope.ts";
import { AuthenticationFailed, ReplayedMessage, TooFarAhead } from "./errors.ts";
import {
  type Random,
  hkdf,
  hmacSha256,
  openOnce,
  same,
  sealOnce,
  x25519Public,
  x25519Shared,
} from "./primitives.ts";

const ROOT_INFO = utf8("messenger-root-1");
const MESSAGE_INFO = utf8("messenger-ratchet-1");
const MESSAGE_KEY = Uint8Array.of(1);
const NEXT_KEY = Uint8Array.of(2);
/** Message keys of a session that are kept; also how far ahead one message may be. */
const MAX_SKIPPED = 1_000;

const COUNT = whole(0, 2 ** 32);
const CHAIN = members({ key: KEY, number: COUNT });
const SKIPPED = members({ ratchetKey: KEY, number: COUNT, key: KEY });

/** A ratchet at rest. `number` is how many messages a chain has given; of `skipped` the oldest come first. */
export const RATCHET = members({
  private: KEY,
  public: KEY, // of `private`: worked out once, and not for each message
  peer: KEY,
  root: KEY,
  sending: CHAIN,
  receiving: optional(CHAIN),
  previous: COUNT,
  skipped: list(SKIPPED),
});

export type RatchetState = Readonly<Of<typeof RATCHET>>;
type Chain = Readonly<Of<typeof CHAIN>>;
type Skipped = Readonly<Of<typeof SKIPPED>>;

/** The message key of a chain key. */
export function messageKey(chainKey: Uint8Array): Uint8Array {
  return hmacSha256(chainKey, MESSAGE_KEY);
}

/** The chain key after a chain key. */
export function nextChainKey(chainKey: Uint8Array): Uint8Array {
  return hmacSha256(chainKey, NEXT_KEY);
}

/** One session's ratchet. It never changes: what is done to one gives another. */
export class Ratchet {
  readonly state: RatchetState;

  constructor(state: RatchetState) {
    this.state = state;
  }

  /** The initiator's; `peer` is the responder's signed prekey. */
  static initiator(secret: Uint8Array, peer: Uint8Array, random: Random): Ratchet {
    const own = random(32);
    const { root, chain } = turned(secret, own, peer);
    const pair = { private: own, public: x25519Public(own) };
    return new Ratchet({ ...pair, peer, root, sending: chain, previous: 0, skipped: [] });
  }

  /** The responder's, by the first message's ratchet key; AuthenticationFailed for one that is none. */
  static responder(secret: Uint8Array, signedPrekey: Uint8Array, peer: Uint8Array, random: Random): Ratchet {
    const receiving = turned(secret, signedPrekey, peer);
    const own = random(32);
    const { root, chain } = turned(receiving.root, own, peer);
    return new Ratchet({
      private: own,
      public: x25519Public(own),
      peer,
      root,
      sending: chain,
      receiving: receiving.chain,
      previous: 0,
      skipped: [],
    });
  }

  /** The next message, and the ratchet after it. */
  seal(
    plaintext: Uint8Array,
    data: Uint8Array,
  ): { readonly ratchet: Ratchet; readonly message: RatchetMessage } {
    const { sending, previous } = this.state;
    const ratchetKey = this.ownKey();
    const header = ratchetHeader(ratchetKey, previous, sending.number);
    const ciphertext = sealOnce(messageKey(sending.key), MESSAGE_INFO, plaintext, concat(data, header));
    const ratchet = new Ratchet({ ...this.state, sending: after(sending) });
    return { ratchet, message: { ratchetKey, previous, number: sending.number, ciphertext } };
  }

  /**
   * The plaintext, the ratchet after it, and how many message keys were skipped for it and are kept.
   *
   * AuthenticationFailed, ReplayedMessage, TooFarAhead.
   */
  open(
    message: RatchetMessage,
    data: Uint8Array,
    random: Random,
  ): { readonly ratchet: Ratchet; readonly plaintext: Uint8Array; readonly missed: number } {
    const { skipped } = this.state;
    const associated = concat(data, ratchetHeader(message.ratchetKey, message.previous, message.number));
    const kept = skipped.find(
      (one) => one.number === message.number && same(one.ratchetKey, message.ratchetKey),
    );
    if (kept !== undefined) {
      const plaintext = openOnce(kept.key, MESSAGE_INFO, message.ciphertext, associated);
      const left = skipped.filter((one) => one !== kept);
      return { ratchet: new Ratchet({ ...this.state, skipped: left }), plaintext, missed: 0 };
    }
    const fresh: Skipped[] = [];
    const state = same(message.ratchetKey, this.state.peer) ? this.state : this.#turn(message, fresh, random);
    const chain = receivingOf(state);
    if (message.number - chain.number > MAX_SKIPPED) {
      throw new TooFarAhead(`Over ${String(MAX_SKIPPED)} messages of the session are missing.`);
    }
    if (message.number < chain.number) {
      throw new ReplayedMessage("The server presents a message for the second time.");
    }
    const at = skipTo(chain, message.number, state.peer, fresh);
    const plaintext = openOnce(messageKey(at.key), MESSAGE_INFO, message.ciphertext, associated);
    const now = [...skipped, ...fresh].slice(-MAX_SKIPPED);
    const ratchet = new Ratchet({ ...state, receiving: after(at), skipped: now });
    return { ratchet, plaintext, missed: Math.min(fresh.length, now.length) };
  }

  /** The public ratchet key that the next message will bear. */
  ownKey(): Uint8Array {
    return this.state.public;
  }

  /** A turn of the Diffie-Hellman ratchet by a message's key; what it skips of the old chain goes to `fresh`. */
  #turn(message: RatchetMessage, fresh: Skipped[], random: Random): RatchetState {
    const { receiving, peer, root, sending } = this.state;
    const own = this.state.private;
    if (receiving !== undefined && message.previous - receiving.number <= MAX_SKIPPED) {
      skipTo(receiving, message.previous, peer, fresh);
    }
    const theirs = turned(root, own, message.ratchetKey);
    const next = random(32);
    const ours = turned(theirs.root, next, message.ratchetKey);
    return {
      private: next,
      public: x25519Public(next),
      peer: message.ratchetKey,
      root: ours.root,
      sending: ours.chain,
      receiving: theirs.chain,
      previous: sending.number,
      skipped: this.state.skipped,
    };
  }
}

/** The root key and the chain that a root key and a Diffie-Hellman exchange come to. */
function turned(root: Uint8Array, own: Uint8Array, peer: Uint8Array): { root: Uint8Array; chain: Chain } {
  const shared = x25519Shared(own, peer);
  if (shared === undefined) {
    throw new AuthenticationFailed("The message was changed: its ratchet key can't be worked with.");
  }
  const material = hkdf(shared, ROOT_INFO, 64, root);
  return { root: material.subarray(0, 32), chain: { key: material.subarray(32), number: 0 } };
}

function after(chain: Chain): Chain {
  return { key: nextChainKey(chain.key), number: chain.number + 1 };
}

/** The chain at a number that it has not come to; the message keys before that go to `fresh`. */
function skipTo(chain: Chain, number: number, ratchetKey: Uint8Array, fresh: Skipped[]): Chain {
  let at = chain;
  while (at.number < number) {
    fresh.push({ ratchetKey, number: at.number, key: messageKey(at.key) });
    at = after(at);
  }
  return at;
}

function receivingOf(state: RatchetState): Chain {
  // Only the initiator before the first answer has none, and an answer has another key than its peer's.
  if (state.receiving === undefined) {
    throw new AuthenticationFailed(
      "The message was changed: it bears the key of a chain that was never begun.",
    );
  }
  return state.receiving;
}
