"""Sender keys, and messages that are asked for again."""

import base64
from dataclasses import dataclass, field

from tests.client.second.basics import (
    Draw,
    Given,
    Refused,
    holds,
    ids,
    mac,
    open_once,
    padded,
    raw,
    seal_once,
    sign,
    signer,
    unpadded,
)
from tests.client.second.devices import Keys
from tests.client.second.payloads import check_said, read_body, read_payload

INFO = b"messenger-group-1"
SIGNATURE = b"messenger-group-signature-1\0"


@dataclass
class Sending:
    """An own chain."""

    bound: bytes
    about: tuple[str, str, str]
    chain_id: bytes
    chain_key: bytes
    seed: bytes
    made: float
    iteration: int = 0
    holders: set[str] = field(default_factory=set)


@dataclass
class Chain:
    """Another's chain. Below `first` only what is in `skipped` can be read."""

    chain_id: bytes
    signature_key: bytes
    first: int
    iteration: int
    chain_key: bytes
    skipped: dict[int, bytes] = field(default_factory=dict)

    def open(self, iteration: int, ciphertext: bytes, associated: bytes, said: Given) -> str:
        chain_key, new = self.chain_key, {}
        if iteration < self.iteration:
            if iteration not in self.skipped:
                raise Refused("UnknownSenderKey" if iteration < self.first else "ReplayedMessage")
            key = self.skipped[iteration]
        else:
            if iteration - self.iteration > 10_000:
                raise Refused("TooFarAhead")
            for number in range(self.iteration, iteration):
                new[number], chain_key = mac(chain_key, b"\x01"), mac(chain_key, b"\x02")
            key = mac(chain_key, b"\x01")
        payload = unpadded(open_once(key, INFO, ciphertext, associated))
        check_said(read_payload(payload), said)
        if iteration < self.iteration:
            del self.skipped[iteration]
        else:
            self.chain_key, self.iteration = mac(chain_key, b"\x02"), iteration + 1
            kept = sorted({**self.skipped, **new}.items())
            if len(kept) > 1_000:
                self.first = max(self.first, kept[-1_001][0] + 1)
            self.skipped = dict(kept[-1_000:])
        return payload.decode()


@dataclass
class Remembered:
    """A message of one's own."""

    payload: str
    devices: set[str]
    again: dict[str, int] = field(default_factory=dict)


@dataclass
class Asked:
    """A message that was asked for."""

    said: Given
    seq: int
    at: float = 0
    times: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        return self.said["conversation_id"], self.said["sender_device_id"], self.said["client_id"]


class Groups:
    """Verbs of groups and resends."""

    draw: Draw
    devices: dict[str, Keys]

    def __init__(self) -> None:
        super().__init__()
        self.chains: dict[str, Sending] = {}
        self.received: dict[tuple[str, str, str], list[Chain]] = {}
        self.sent: dict[str, Remembered] = {}
        self.asked: dict[str, list[Asked]] = {}

    def do_chain(self, chain: str, device: str, conversation_id: str, now: float) -> Given:
        keys = self.devices[device]
        bound = ids(conversation_id) + keys.about
        about = (conversation_id, keys.user_id, keys.device_id)
        made = Sending(bound, about, self.draw(16), self.draw(32), self.draw(32), now)
        self.chains[chain] = made
        return {"chain_id": made.chain_id.hex(), "signature_key": signer(made.seed).hex()}

    def do_distribute(self, chain: str, number: int) -> Given:
        there = self.chains[chain]
        return {
            "chain_id": there.chain_id.hex(),
            "iteration": there.iteration,
            "chain_key": there.chain_key.hex(),
            "signature_key": signer(there.seed).hex(),
            "number": number,
        }

    def do_chain_given(self, chain: str, devices: list[str], now: float, give: bool) -> Given:
        there = self.chains[chain]
        if give:
            there.holders |= set(devices)
        gone = there.holders - set(devices)
        old = now - there.made >= 7 * 86_400 or there.iteration >= 2_000
        lacking = [one for one in devices if one not in there.holders and one != there.about[2]]
        return {"anew": bool(gone) or old, "lacking": lacking}

    def do_group_seal(self, chain: str, device: str, payload: str) -> Given:
        there, keys, said = self.chains[chain], self.devices[device], read_payload(payload.encode())
        author = (said["sender_id"], said["sender_device_id"])
        if author != (keys.user_id, keys.device_id) or author != there.about[1:]:
            raise Refused("SenderMismatch")
        if said["conversation_id"] != there.about[0]:
            raise Refused("ConversationMismatch")
        head = b"\x01\x03" + there.chain_id + there.iteration.to_bytes(4, "big")
        key = mac(there.chain_key, b"\x01")
        content = head + seal_once(key, INFO, padded(payload.encode()), there.bound + head)
        there.chain_key, there.iteration = mac(there.chain_key, b"\x02"), there.iteration + 1
        return {"content": (content + sign(there.seed, SIGNATURE + there.bound + content)).hex()}

    def do_group_lose(self, chain: str, count: int) -> Given:
        there = self.chains[chain]
        for _ in range(count):
            there.chain_key, there.iteration = mac(there.chain_key, b"\x02"), there.iteration + 1
        return {"iteration": there.iteration}

    def _received(self, device: str, of: Given) -> list[Chain]:
        return self.received.setdefault((device, of["conversation_id"], of["device_id"]), [])

    def do_take_chain(self, device: str, of: Given, sender_key: Given, payload: str, member: bool) -> Given:
        said, there = read_payload(payload.encode()), self._received(device, of)
        if (said["sender_id"], said["sender_device_id"]) != (of["user_id"], of["device_id"]):
            raise Refused("SenderMismatch")
        if said["conversation_id"] != of["conversation_id"]:
            raise Refused("ConversationMismatch")
        if not member:
            raise Refused("SenderKeyRefused")
        chain_id, signature_key = raw(sender_key["chain_id"]), raw(sender_key["signature_key"])
        known = next((one for one in there if one.chain_id == chain_id), None)
        if known is None:
            iteration = sender_key["iteration"]
            new = Chain(chain_id, signature_key, iteration, iteration, raw(sender_key["chain_key"]))
            there.insert(0, new)
            del there[5:]
        elif known.signature_key != signature_key:
            raise Refused("SenderKeyRefused")
        return {"chain_ids": [one.chain_id.hex() for one in there]}

    def do_group_open(self, device: str, of: Given, content: str, said: Given) -> Given:
        if said["sender_device_id"] == self.devices[device].device_id:
            raise Refused("ReflectedMessage")
        if said["sender_device_id"] != of["device_id"] or said["sender_id"] not in (None, of["user_id"]):
            raise Refused("SenderMismatch")
        if said["conversation_id"] != of["conversation_id"]:
            raise Refused("ConversationMismatch")
        whole = raw(content)
        if len(whole) >= 2 and whole[0] != 1:
            raise Refused("UnsupportedVersion")
        if len(whole) < 22 + 16 + 64 or whole[1] != 3:
            raise Refused("Malformed")
        head, ciphertext, signature = whole[:22], whole[22:-64], whole[-64:]
        chain = next((one for one in self._received(device, of) if one.chain_id == head[2:18]), None)
        if chain is None:
            raise Refused("UnknownSenderKey")
        bound = ids(of["conversation_id"], of["user_id"], of["device_id"])
        if not holds(chain.signature_key, signature, SIGNATURE + bound + head + ciphertext):
            raise Refused("BadSenderSignature")
        iteration = int.from_bytes(head[18:], "big")
        return {"payload": chain.open(iteration, ciphertext, bound + head, said)}

    # a message again

    def do_sent(self, name: str, payload: str, devices: list[str]) -> Given:
        self.sent[name] = Remembered(payload, set(devices))
        return {}

    def do_send_again(self, name: str, device_id: str, conversation_id: str) -> Given:
        there = self.sent[name]
        was_here = read_payload(there.payload.encode())["conversation_id"] == conversation_id
        if device_id not in there.devices or not was_here:
            raise Refused("NotResent")
        if there.again.get(device_id, 0) >= 2 or len(there.payload.encode()) > 45_000:
            raise Refused("NotResent")
        there.again[device_id] = there.again.get(device_id, 0) + 1
        return {"payload": there.payload}

    def do_ask_again(self, device: str, said: Given, seq: int, now: float) -> Given:
        there, new = self.asked.setdefault(device, []), Asked(said, seq)
        found = next((one for one in there if one.key == new.key), None)
        if found is None:
            of_device = sum(one.key[1] == new.key[1] for one in there)
            if len(there) >= 200 or of_device >= 50:
                return {"asks": False}
            found = new
            there.append(found)
        if found.times == 3:
            there.remove(found)
            return {"asks": False}
        found.times, found.at = found.times + 1, now
        return {"asks": True}

    def do_asked(self, device: str, now: float) -> Given:
        there = self.asked.setdefault(device, [])
        lost = [one.seq for one in there if now - one.at >= 86_400]
        there[:] = [one for one in there if now - one.at < 86_400]
        return {"lost": lost, "open": [one.seq for one in there]}

    def do_answered(self, device: str, answer: str) -> Given:
        outer = read_payload(answer.encode())
        body = read_body(outer["body"])
        if body["type"] != "resent":
            raise Refused("NotResent")
        inner = base64.b64decode(body["payload"])
        again = read_payload(inner)
        key = (outer["conversation_id"], outer["sender_device_id"], again["client_id"])
        there = self.asked.setdefault(device, [])
        found = next((one for one in there if one.key == key), None)
        if found is None:
            raise Refused("NotResent")
        padded(inner)
        check_said(again, found.said)
        there.remove(found)
        return {"payload": inner.decode(), "seq": found.seq}
