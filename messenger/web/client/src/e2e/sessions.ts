/**
 * The sessions with one peer device, as Signal's Sesame has them.
 *
 * Several may stand at once: both sides may write first at the same time, and a device may begin anew when it
 * could not decrypt. One is active and is written in; a message that comes in on another one makes that one
 * active, so that both sides soon write in the same. At most `MAX_SESSIONS` are kept; the one that was least
 * recently active goes, and one in which both sides have written goes last.
 *
 * Messages that can't be decrypted begin new sessions at a bounded rate (`mayRepair`): a server that sends
 * nonsense neither uses prekeys up nor pushes a working session out.
 *
 * The initiator puts the handshake before each message until it has got one in the session.
 */

import { type Of, REAL, TRUTH, list, members, text } from "../wire/codec.ts";
import type { Bundle } from "../wire/keys.ts";
import { type Peer, initiate, respond, sessionIdFor, withoutKem } from "./agreement.ts";
import {
  type Handshake,
  type RatchetMessage,
  decodeEnvelope,
  firstEnvelope,
  ratchetEnvelope,
} from "./envelope.ts";
import { IdentityKeyChanged, NoSession, ReflectedMessage, SenderMismatch } from "./errors.ts";
import { type Claimed, type Payload, openPayload, sealedForm } from "./payload.ts";
import type { DeviceKeys } from "./prekeys.ts";
import { type Random, same, systemRandom } from "./primitives.ts";
import { Ratchet } from "./ratchet.ts";
import { SESSION, type Session, associatedOf, ratchetOf, reflectionNamed } from "./session.ts";
import { dump, load } from "./state.ts";

const MAX_SESSIONS = 5;
const MAX_REPAIRS = 3; // sessions that are begun at once because something could not be decrypted ...
const REPAIR_EVERY = 3_600; // ... and seconds until another one may be
const UNANSWERED = 20 * 86_400; // seconds; by then the peer may have forgotten the prekeys of the handshake

const STATE = members({
  userId: text(),
  deviceId: text(),
  sessions: list(SESSION), // the active one first
  repairs: list(REAL),
  renew: TRUTH,
});

type State = Of<typeof STATE>;

/** A peer's device as it is known: `KnownUser` vouches for its identity key. */
export interface PeerDevice extends Peer {
  readonly identityKey: Uint8Array;
}

/**
 * A decrypted message. `missed` is how many earlier messages of the session it leapt over. `keysChanged` says
 * that a prekey was used up: the device's keys are stored with the sessions.
 */
export interface Opened {
  readonly payload: Payload;
  readonly newSession: boolean;
  readonly keysChanged: boolean;
  readonly missed: number;
}

/** All sessions with one device of a peer (or another device of the own user). What throws changes nothing. */
export class PeerSessions {
  readonly #state: State;

  private constructor(state: State) {
    this.#state = state;
  }

  /** No sessions with a device. */
  static none(userId: string, deviceId: string): PeerSessions {
    return new PeerSessions({ userId, deviceId, sessions: [], repairs: [], renew: false });
  }

  /** The sessions that `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): PeerSessions {
    return new PeerSessions(load(STATE, raw));
  }

  /** Whose device it is; empty where nobody has said. */
  get userId(): string {
    return this.#state.userId;
  }

  /** The sessions with their keys, in the clear: to be stored encrypted. */
  toBytes(): Uint8Array {
    return dump(STATE, this.#state);
  }

  /**
   * Whether a bundle has to be claimed before the next message: there is no session, none that may be used, or
   * the active one was begun `UNANSWERED` seconds ago and never answered.
   */
  needsBundle(now: number): boolean {
    const [active] = this.#state.sessions;
    if (active === undefined || this.#state.renew) return true;
    return active.handshake !== undefined && now - active.createdAt >= UNANSWERED;
  }

  /** Begin a new session before the next message: those that stand are from an older copy. */
  renew(): void {
    this.#state.renew = this.#state.sessions.length > 0;
  }

  /**
   * Whether what could not be decrypted may begin a new session, which counts as begun then: three at once, then
   * one an hour.
   */
  mayRepair(now: number): boolean {
    // Those of the future are of a clock that was wrong: they hold nothing back.
    const repairs = this.#state.repairs.filter((one) => Math.abs(now - one) < MAX_REPAIRS * REPAIR_EVERY);
    this.#state.repairs = repairs;
    if (repairs.length >= MAX_REPAIRS && repairs.some((one) => Math.abs(now - one) < REPAIR_EVERY))
      return false;
    this.#state.repairs = [...repairs, now].slice(-MAX_REPAIRS);
    return true;
  }

  /** The ids of all sessions, the active one, which is written in, first. */
  get sessionIds(): Uint8Array[] {
    return this.#state.sessions.map((one) => one.sessionId);
  }

  /**
   * Begin a session by a bundle that `KnownUser.checkBundle` took; it becomes the active one.
   *
   * Throws BadPrekeySignature, KemDowngrade, UnusableKey; SenderMismatch for another device's bundle.
   */
  start(keys: DeviceKeys, bundle: Bundle, now: number, random: Random = systemRandom): void {
    if (bundle.user_id !== this.#state.userId || bundle.device_id !== this.#state.deviceId) {
      throw new SenderMismatch("The bundle is another device's.");
    }
    const { agreed, handshake } = initiate(keys, bundle, random);
    this.#state.renew = false;
    this.#activate({
      sessionId: agreed.sessionId,
      data: agreed.data,
      identityKey: bundle.identity_key,
      createdAt: now,
      handshake,
      beginning: { secret: agreed.secret, signedPrekey: bundle.signed_prekey.public_key },
      sent: false,
      received: false,
    });
  }

  /**
   * The envelope of a payload, for this device alone. NoSession where a bundle has to be claimed first,
   * PayloadTooLarge, SenderMismatch for a payload that is not the own device's.
   */
  seal(keys: DeviceKeys, payload: Payload, random: Random = systemRandom): Uint8Array {
    if (payload.sender_id !== keys.userId || payload.sender_device_id !== keys.deviceId) {
      throw new SenderMismatch("A payload names another sender than this device.");
    }
    const [active] = this.#state.sessions;
    if (active === undefined) throw new NoSession("There is no session with the device yet.");
    const plaintext = sealedForm(payload);
    const { ratchet, message } = ratchetOf(active, random).seal(plaintext, associatedOf(active));
    const { beginning: _, ...rest } = active;
    this.#state.sessions[0] = { ...rest, ratchet: ratchet.state, sent: true };
    return active.handshake === undefined
      ? ratchetEnvelope(active.sessionId, message)
      : firstEnvelope(active.handshake, message);
  }

  /**
   * The payload of an envelope from `peer`, checked against what the server said of the message.
   *
   * Throws Malformed, Undecryptable, Replayed, Refiled, ReflectedMessage, ReplayMemoryFull, IdentityKeyChanged,
   * KemDowngrade, UnusableKey.
   */
  open(
    keys: DeviceKeys,
    peer: PeerDevice,
    envelope: Uint8Array,
    said: Claimed,
    now: number,
    random: Random = systemRandom,
  ): Opened {
    const { userId, deviceId } = this.#state;
    if (said.sender_device_id === keys.deviceId) {
      throw new ReflectedMessage("The server presents an own message as one to be decrypted.");
    }
    if (peer.userId !== userId || peer.deviceId !== deviceId || said.sender_device_id !== deviceId) {
      throw new SenderMismatch("The envelope is presented as another device's.");
    }
    if (said.sender_id !== null && said.sender_id !== userId) {
      throw new SenderMismatch("The envelope is presented as another user's.");
    }
    const { handshake, sessionId: named, message } = decodeEnvelope(envelope);
    if (handshake !== null) checkIdentity(keys, peer, handshake);
    const sessionId = handshake === null ? named : sessionIdFor(keys, peer, handshake);
    const session = this.#state.sessions.find((one) => same(one.sessionId, sessionId));
    if (session !== undefined) return this.#openIn(session, peer, message, said, random);
    if (handshake === null) {
      throw new NoSession("The message belongs to a session that this device does not have.");
    }
    return this.#openFirst(keys, sessionId, handshake, message, said, now, random);
  }

  #openIn(
    session: Session,
    peer: PeerDevice,
    message: RatchetMessage,
    said: Claimed,
    random: Random,
  ): Opened {
    if (!same(session.identityKey, peer.identityKey)) {
      throw new IdentityKeyChanged(`The identity key of device ${peer.deviceId} has changed.`);
    }
    if (session.ratchet === undefined) {
      throw new NoSession("The peer answers in a session in which nothing was written.");
    }
    const before = new Ratchet(session.ratchet);
    const { ratchet, plaintext, missed } = reflectionNamed(before, message, () =>
      before.open(message, associatedOf(session), random),
    );
    const payload = openPayload(plaintext, said);
    const { handshake: _, ...rest } = session; // the peer has it
    this.#activate({ ...rest, ratchet: ratchet.state, received: true });
    return { payload, newSession: false, keysChanged: false, missed };
  }

  #openFirst(
    keys: DeviceKeys,
    sessionId: Uint8Array,
    handshake: Handshake,
    message: RatchetMessage,
    said: Claimed,
    now: number,
    random: Random,
  ): Opened {
    const { deviceId } = this.#state;
    const { signedPrekeyId, oneTimePrekeyId, kemPrekeyId } = handshake;
    if (kemPrekeyId === null) throw withoutKem();
    const spends = oneTimePrekeyId !== null || keys.kemSeed(kemPrekeyId).oneTime;
    if (!spends) keys.checkFirst(sessionId, deviceId);
    const { agreed, signedPrekey } = respond(keys, this.#state, handshake);
    const session: Session = {
      sessionId,
      data: agreed.data,
      identityKey: handshake.identityKey,
      createdAt: now,
      sent: false,
      received: true,
    };
    const first = Ratchet.responder(agreed.secret, signedPrekey, message.ratchetKey, random);
    const { ratchet, plaintext, missed } = first.open(message, associatedOf(session), random);
    const payload = openPayload(plaintext, said);
    keys.use(sessionId, deviceId, signedPrekeyId, oneTimePrekeyId, kemPrekeyId);
    this.#activate({ ...session, ratchet: ratchet.state });
    return { payload, newSession: true, keysChanged: true, missed };
  }

  /** Put a session first, in the place of the one with its id or as a new one. */
  #activate(session: Session): void {
    const others = this.#state.sessions.filter((one) => !same(one.sessionId, session.sessionId));
    if (others.length >= MAX_SESSIONS) {
      const idle = others.filter((one) => !(one.sent && one.received));
      const lost = (idle.length > 0 ? idle : others).at(-1);
      others.splice(
        others.findIndex((one) => one === lost),
        1,
      );
    }
    this.#state.sessions = [session, ...others];
  }
}

function checkIdentity(keys: DeviceKeys, peer: PeerDevice, handshake: Handshake): void {
  if (same(handshake.identityKey, keys.identityKey)) {
    throw new ReflectedMessage("The server presents an own message as the peer's.");
  }
  if (!same(handshake.identityKey, peer.identityKey)) {
    throw new IdentityKeyChanged(`A first message names another identity key for device ${peer.deviceId}.`);
  }
}
