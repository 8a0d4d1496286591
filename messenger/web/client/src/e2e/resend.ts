/**
 * Asking for a message again, and sending one again.
 *
 * A device that can't decrypt a message begins a new session with the sender's device and asks, in a control
 * payload, for the message by its client_id. The sender looks the message up among those that it remembers and
 * sends its payload again, in a control payload of the new session, if the asking device was among those that
 * the message was for. The payload is the old one, so that everything in it is checked as it would have been.
 *
 * Both sides are bounded: a sender sends a message at most twice again to one device; a receiver asks at most
 * three times for one message and has at most `MAX_PENDING` questions open, at most `MAX_PENDING_OF_DEVICE` to
 * one device. What is not answered within a day, or not asked for, is lost, and named so.
 */

import { type Of, REAL, binary, list, members, orNull, pair, text, whole } from "../wire/codec.ts";
import { BIGGEST, type Body, type ResendRequest, type Resent } from "./bodies.ts";
import { NotResent } from "./errors.ts";
import { padded } from "./padding.ts";
import { type Claimed, type Payload, bodyOf, decodePayload, encodePayload, openPayload } from "./payload.ts";
import { dump, load } from "./state.ts";

/** Seconds that a sent message is remembered, and how many are. */
export const RESEND_KEPT = 7 * 86_400;
export const RESEND_MESSAGES = 1_000;
const MAX_RESENDS = 2; // of one message to one device
const MAX_ASKED = 3; // times that one message is asked for
const ANSWER_WITHIN = 86_400; // seconds after the last time that it was asked for
const MAX_PENDING = 200;
const MAX_PENDING_OF_DEVICE = 50;
const MAX_RESENT_PAYLOAD = 45_000; // bytes; a longer one does not fit, in base64, into another payload

const COUNT = whole(0, BIGGEST);

const SENT = members({
  clientId: text(),
  conversationId: text(),
  payload: binary(0, Number.POSITIVE_INFINITY),
  devices: list(text()),
  resends: list(pair(text(), COUNT)), // device, times
});

const CLAIMED = members({
  conversation_id: text(),
  sender_id: orNull(text()),
  sender_device_id: text(),
  client_id: text(),
  kind: text(),
});

const ASKED = members({ said: CLAIMED, seq: COUNT, times: COUNT, askedAt: REAL });
const STATE = members({ asked: list(ASKED) });

type Asked = Of<typeof ASKED>;

/** A question: what the server said of the message, and its place. */
export interface Question {
  readonly said: Claimed;
  readonly seq: number;
}

/** A sent message as it is remembered: its payload, and the devices that it was for. */
export class SentMessage {
  readonly #state: Of<typeof SENT>;

  private constructor(state: Of<typeof SENT>) {
    this.#state = state;
  }

  /** What to remember of a payload that was sent to these devices. */
  static of(payload: Payload, devices: Iterable<string>): SentMessage {
    return new SentMessage({
      clientId: payload.client_id,
      conversationId: payload.conversation_id,
      payload: encodePayload(payload),
      devices: [...new Set(devices)],
      resends: [],
    });
  }

  /** What `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): SentMessage {
    return new SentMessage(load(SENT, raw));
  }

  /** All of it, in the clear: to be stored encrypted. */
  toBytes(): Uint8Array {
    return dump(SENT, this.#state);
  }

  get clientId(): string {
    return this.#state.clientId;
  }

  /** When it was written, RFC 3339. Malformed. */
  get sentAt(): string {
    return decodePayload(this.#state.payload).sent_at;
  }

  /** What it says. Malformed. */
  body(): Body {
    return bodyOf(decodePayload(this.#state.payload));
  }

  /**
   * The body that answers a request which came from this device in this conversation.
   *
   * NotResent where the message was not for the device, or was sent to it again too often, or is too long.
   */
  again(deviceId: string, conversationId: string): Resent {
    const state = this.#state;
    if (!state.devices.includes(deviceId) || conversationId !== state.conversationId) {
      throw new NotResent("A message was asked for by a device that it was not for.");
    }
    const resends = new Map(state.resends);
    const times = resends.get(deviceId) ?? 0;
    if (times >= MAX_RESENDS) {
      throw new NotResent(`A message was sent ${String(MAX_RESENDS)} times again to one device.`);
    }
    if (state.payload.length > MAX_RESENT_PAYLOAD)
      throw new NotResent("A message is too long to be sent again.");
    state.resends = [...resends.set(deviceId, times + 1)];
    return { type: "resent", payload: state.payload };
  }
}

/** What this device has asked for and not got yet. */
export class ResendRequests {
  #asked: Asked[];

  private constructor(asked: Asked[]) {
    this.#asked = asked;
  }

  /** Nothing is asked for. */
  static none(): ResendRequests {
    return new ResendRequests([]);
  }

  /** What `toBytes` wrote; BadState for anything else. */
  static fromBytes(raw: Uint8Array): ResendRequests {
    return new ResendRequests(load(STATE, raw).asked);
  }

  /** What is open. */
  toBytes(): Uint8Array {
    return dump(STATE, { asked: this.#asked });
  }

  /** The messages that were asked for. */
  get pending(): readonly Question[] {
    return this.#asked;
  }

  /** Whether a message of this device in this conversation is asked for. */
  openTo(conversationId: string, deviceId: string): boolean {
    return this.#asked.some(
      ({ said }) => said.conversation_id === conversationId && said.sender_device_id === deviceId,
    );
  }

  /** Whether this message is asked for. */
  asksFor(conversationId: string, deviceId: string, clientId: string): boolean {
    return this.#find(conversationId, deviceId, clientId) !== undefined;
  }

  /** A message is asked for no more: it was taken away. */
  forget(conversationId: string, deviceId: string, clientId: string): void {
    this.#remove(this.#find(conversationId, deviceId, clientId));
  }

  /** Whether a message below this place of this conversation is asked for. */
  openBelow(conversationId: string, seq: number): boolean {
    return this.#asked.some((one) => one.said.conversation_id === conversationId && one.seq < seq);
  }

  /**
   * The body that asks for a message; `undefined` where it was asked for too often, or too much is open: then the
   * message is lost.
   */
  ask(said: Claimed, seq: number, now: number): ResendRequest | undefined {
    const known = this.#find(said.conversation_id, said.sender_device_id, said.client_id);
    const found = known ?? { said: { ...said }, seq, times: 0, askedAt: 0 };
    if (known === undefined) {
      const ofDevice = this.#asked.filter(
        (one) => one.said.sender_device_id === said.sender_device_id,
      ).length;
      if (this.#asked.length >= MAX_PENDING || ofDevice >= MAX_PENDING_OF_DEVICE) return undefined;
      this.#asked.push(found);
    }
    if (found.times >= MAX_ASKED) {
      this.#remove(found);
      return undefined;
    }
    found.times += 1;
    found.askedAt = now;
    return { type: "resend_request", client_id: said.client_id };
  }

  /** The messages that were asked for a day ago: lost, and asked for no more. */
  unanswered(now: number): readonly Question[] {
    const lost = this.#asked.filter((one) => now - one.askedAt >= ANSWER_WITHIN);
    this.#asked = this.#asked.filter((one) => !lost.includes(one));
    return lost;
  }

  /**
   * The payload that an answer brings, checked against the message that was asked for, and its place.
   *
   * `answer` was decrypted in a session with the sender's device. NotResent for what was not asked for; Refiled
   * where the payload is not the message's.
   */
  fulfil(answer: Payload): { readonly payload: Payload; readonly seq: number } {
    const body = bodyOf(answer);
    if (body.type !== "resent") throw new NotResent("The payload brings no message.");
    const again = decodePayload(body.payload);
    const found = this.#find(answer.conversation_id, answer.sender_device_id, again.client_id);
    if (found === undefined) throw new NotResent("A message is sent again that was not asked for.");
    const payload = openPayload(padded(body.payload), found.said);
    this.#remove(found);
    return { payload, seq: found.seq };
  }

  #find(conversationId: string, deviceId: string, clientId: string): Asked | undefined {
    return this.#asked.find(
      ({ said }) =>
        said.conversation_id === conversationId &&
        said.sender_device_id === deviceId &&
        said.client_id === clientId,
    );
  }

  #remove(found: Asked | undefined): void {
    this.#asked = this.#asked.filter((one) => one !== found);
  }
}
