/** Sender keys, and messages that are asked for again. */

import {
  type Claimed,
  ReceivedChains,
  ResendRequests,
  SendingChain,
  SentMessage,
  decodePayload,
  encodePayload,
} from "../../../messenger/web/client/src/e2e/index.ts";
import { nextChainKey } from "../../../messenger/web/client/src/e2e/ratchet.ts";
import { base64, base64Bytes, concat, hex, utf8 } from "../../../messenger/web/client/src/wire/bytes.ts";
import { raw } from "./running.ts";
import { type Devices, stateOf, textOf } from "./sessions.ts";

interface Owner {
  readonly conversation_id: string;
  readonly user_id: string;
  readonly device_id: string;
}

interface SenderKeyGiven {
  readonly chain_id: string;
  readonly iteration: number;
  readonly chain_key: string;
  readonly signature_key: string;
  readonly number: number;
}

export function groupVerbs(devices: Devices) {
  const chains = new Map<string, SendingChain>();
  const received = new Map<string, ReceivedChains>();
  const sent = new Map<string, SentMessage>();
  const asked = new Map<string, ResendRequests>();

  function chainOf(name: string): SendingChain {
    const found = chains.get(name);
    if (found === undefined) throw new Error(`no chain ${name}`);
    return found;
  }

  function store(name: string, chain: SendingChain): void {
    chains.set(name, SendingChain.fromBytes(chain.toBytes()));
  }

  function withChains<T>(device: string, of: Owner, done: (there: ReceivedChains) => T): T {
    const key = `${device} ${of.conversation_id} ${of.device_id}`;
    const there = received.get(key) ?? ReceivedChains.none(of.conversation_id, of.user_id, of.device_id);
    const found = done(there);
    received.set(key, ReceivedChains.fromBytes(there.toBytes()));
    return found;
  }

  function asking(device: string): ResendRequests {
    const found = ResendRequests.fromBytes((asked.get(device) ?? ResendRequests.none()).toBytes());
    asked.set(device, found);
    return found;
  }

  return {
    chain: (given: { chain: string; device: string; conversation_id: string; now: number }) => {
      const made = SendingChain.create(
        devices.keys(given.device),
        given.conversation_id,
        given.now,
        devices.draw,
      );
      store(given.chain, made);
      return {
        chain_id: hex(made.chainId),
        signature_key: hex(made.distribution(1).signature_key),
      };
    },

    distribute: (given: { chain: string; number: number }) => {
      const made = chainOf(given.chain).distribution(given.number);
      return {
        chain_id: hex(made.chain_id),
        iteration: made.iteration,
        chain_key: hex(made.chain_key),
        signature_key: hex(made.signature_key),
        number: made.number,
      };
    },

    chain_given: (given: { chain: string; devices: string[]; now: number; give: boolean }) => {
      const there = chainOf(given.chain);
      if (given.give) there.give(given.devices);
      store(given.chain, there);
      return {
        anew: there.mustRotate(given.devices, given.now),
        lacking: there.lacking(given.devices),
      };
    },

    group_seal: (given: { chain: string; device: string; payload: string }) => {
      const there = chainOf(given.chain);
      const content = there.seal(devices.keys(given.device), decodePayload(utf8(given.payload)));
      store(given.chain, there);
      return { content: hex(content) };
    },

    group_lose: (given: { chain: string; count: number }) => {
      const bytes = chainOf(given.chain).toBytes();
      const state = stateOf(bytes) as { chainKey: string; iteration: number };
      let key = base64Bytes(state.chainKey) ?? new Uint8Array();
      for (let count = 0; count < given.count; count += 1) key = nextChainKey(key);
      const iteration = state.iteration + given.count;
      const lost = utf8(JSON.stringify({ ...state, chainKey: base64(key), iteration }));
      chains.set(given.chain, SendingChain.fromBytes(concat(bytes.subarray(0, 1), lost)));
      return { iteration };
    },

    take_chain: (given: {
      device: string;
      of: Owner;
      sender_key: SenderKeyGiven;
      payload: string;
      member: boolean;
    }) =>
      withChains(given.device, given.of, (there) => {
        const { chain_id, iteration, chain_key, signature_key, number } = given.sender_key;
        const body = {
          type: "sender_key",
          chain_id: raw(chain_id),
          iteration,
          chain_key: raw(chain_key),
          signature_key: raw(signature_key),
          number,
        } as const;
        there.accept(body, decodePayload(utf8(given.payload)), given.member);
        return { chain_ids: there.chainIds.map(hex) };
      }),

    group_open: (given: { device: string; of: Owner; content: string; said: Claimed }) =>
      withChains(given.device, given.of, (there) => {
        const payload = there.open(devices.keys(given.device), raw(given.content), given.said);
        return { payload: textOf(encodePayload(payload)) };
      }),

    // a message again

    sent: (given: { name: string; payload: string; devices: string[] }) => {
      sent.set(given.name, SentMessage.of(decodePayload(utf8(given.payload)), given.devices));
      return {};
    },

    send_again: (given: { name: string; device_id: string; conversation_id: string }) => {
      const there = sent.get(given.name);
      if (there === undefined) throw new Error(`no message ${given.name}`);
      const body = there.again(given.device_id, given.conversation_id);
      sent.set(given.name, SentMessage.fromBytes(there.toBytes()));
      return { payload: textOf(body.payload) };
    },

    ask_again: (given: { device: string; said: Claimed; seq: number; now: number }) => ({
      asks: asking(given.device).ask(given.said, given.seq, given.now) !== undefined,
    }),

    asked: (given: { device: string; now: number }) => {
      const there = asking(given.device);
      const lost = there.unanswered(given.now).map((one) => one.seq);
      return { lost, open: there.pending.map((one) => one.seq) };
    },

    answered: (given: { device: string; answer: string }) => {
      const { payload, seq } = asking(given.device).fulfil(decodePayload(utf8(given.answer)));
      return { payload: textOf(encodePayload(payload)), seq };
    },
  };
}
