"""Sender keys, and messages that are asked for again."""

from typing import Any

from messenger.client.e2e import (
    DeviceKeys,
    ReceivedChains,
    ResendRequests,
    SenderKey,
    SendingChain,
    SentMessage,
)
from messenger.client.e2e.groups import _next
from messenger.client.e2e.payload import decode_payload, encode_payload
from tests.client.scenarios.core_sessions import claimed_of
from tests.client.scenarios.running import Draw

raw = bytes.fromhex
Given = dict[str, Any]


class Groups:
    """Verbs of groups and resends."""

    draw: Draw
    devices: dict[str, DeviceKeys]

    def __init__(self) -> None:
        super().__init__()
        self.chains: dict[str, SendingChain] = {}
        self.received: dict[tuple[str, str, str], ReceivedChains] = {}
        self.sent: dict[str, SentMessage] = {}
        self.asked: dict[str, ResendRequests] = {}

    def do_chain(self, chain: str, device: str, conversation_id: str, now: float) -> Given:
        keys = self.devices[device]
        made = SendingChain.create(keys, conversation_id, now=now, random=self.draw)
        self.chains[chain] = SendingChain.from_bytes(made.to_bytes())
        return {"chain_id": made.chain_id.hex(), "signature_key": made.distribution(1).signature_key.hex()}

    def do_distribute(self, chain: str, number: int) -> Given:
        made = self.chains[chain].distribution(number)
        return {
            "chain_id": made.chain_id.hex(),
            "iteration": made.iteration,
            "chain_key": made.chain_key.hex(),
            "signature_key": made.signature_key.hex(),
            "number": made.number,
        }

    def do_chain_given(self, chain: str, devices: list[str], now: float, give: bool) -> Given:
        """Whether it must be made anew before a message to these devices, and who of them lacks it."""
        there = self.chains[chain]
        if give:
            there.give(devices)
            self.chains[chain] = there = SendingChain.from_bytes(there.to_bytes())
        return {"anew": there.must_rotate(devices, now), "lacking": there.lacking(devices)}

    def do_group_seal(self, chain: str, device: str, payload: str) -> Given:
        there = self.chains[chain]
        content = there.seal(self.devices[device], decode_payload(payload.encode()))
        self.chains[chain] = SendingChain.from_bytes(there.to_bytes())
        return {"content": content.hex()}

    def do_group_lose(self, chain: str, count: int) -> Given:
        """So many messages are sealed that nobody gets: the chain goes on by as many."""
        state = self.chains[chain]._state
        for _ in range(count):
            state.chain_key, state.iteration = _next(state.chain_key), state.iteration + 1
        return {"iteration": state.iteration}

    def _received(self, device: str, of: Given) -> tuple[tuple[str, str, str], ReceivedChains]:
        key = (device, of["conversation_id"], of["device_id"])
        found = self.received.get(key)
        return key, found or ReceivedChains(of["conversation_id"], of["user_id"], of["device_id"])

    def do_take_chain(self, device: str, of: Given, sender_key: Given, payload: str, member: bool) -> Given:
        key, there = self._received(device, of)
        body = SenderKey(
            chain_id=raw(sender_key["chain_id"]),
            iteration=sender_key["iteration"],
            chain_key=raw(sender_key["chain_key"]),
            signature_key=raw(sender_key["signature_key"]),
            number=sender_key["number"],
        )
        there.accept(body, decode_payload(payload.encode()), is_member=member)
        self.received[key] = ReceivedChains.from_bytes(there.to_bytes())
        return {"chain_ids": [one.hex() for one in there.chain_ids]}

    def do_group_open(self, device: str, of: Given, content: str, said: Given) -> Given:
        key, there = self._received(device, of)
        payload = there.open(self.devices[device], raw(content), claimed_of(said))
        self.received[key] = ReceivedChains.from_bytes(there.to_bytes())
        return {"payload": encode_payload(payload).decode()}

    # a message again

    def do_sent(self, name: str, payload: str, devices: list[str]) -> Given:
        self.sent[name] = SentMessage.of(decode_payload(payload.encode()), devices)
        return {}

    def do_send_again(self, name: str, device_id: str, conversation_id: str) -> Given:
        there = self.sent[name]
        body = there.again(device_id, conversation_id)
        self.sent[name] = SentMessage.from_bytes(there.to_bytes())
        return {"payload": body.payload.decode()}

    def _asking(self, device: str) -> ResendRequests:
        found = ResendRequests.from_bytes(self.asked.get(device, ResendRequests()).to_bytes())
        self.asked[device] = found
        return found

    def do_ask_again(self, device: str, said: Given, seq: int, now: float) -> Given:
        return {"asks": self._asking(device).ask(claimed_of(said), seq, now=now) is not None}

    def do_asked(self, device: str, now: float) -> Given:
        """What is lost by now, and what is still asked for: places."""
        there = self._asking(device)
        lost = [seq for _, seq in there.unanswered(now)]
        return {"lost": lost, "open": [seq for _, seq in there.pending]}

    def do_answered(self, device: str, answer: str) -> Given:
        payload, seq = self._asking(device).fulfil(decode_payload(answer.encode()))
        return {"payload": encode_payload(payload).decode(), "seq": seq}
