"""Asking for a message again, and sending one again.

A device that can't decrypt a message begins a new session with the sender's device and asks, in a control
payload, for the message by its client_id. The sender looks the message up among those that it remembers and
sends its payload again, in a control payload of the new session, if the asking device was among those that
the message was for. The payload is the old one, so that everything in it is checked as it would have been.

Both sides are bounded: a sender sends a message at most twice again to one device; a receiver asks at most
three times for one message and has at most `MAX_PENDING` questions open, at most `MAX_PENDING_OF_DEVICE` to
one device. What is not answered within a day, or not asked for, is lost, and named so.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from messenger.client.e2e.bodies import Body, ResendRequest, Resent
from messenger.client.e2e.errors import NotResent
from messenger.client.e2e.padding import padded
from messenger.client.e2e.payload import (
    Claimed,
    Payload,
    body_of,
    decode_payload,
    encode_payload,
    open_payload,
)
from messenger.client.e2e.state import Stored, dump, load

RESEND_KEPT = 7 * 86_400  # seconds that a sent message is remembered
RESEND_MESSAGES = 1_000  # how many are remembered
MAX_RESENDS = 2  # of one message to one device
MAX_ASKED = 3  # times that one message is asked for
ANSWER_WITHIN = 86_400  # seconds after the last time that it was asked for
MAX_PENDING = 200
MAX_PENDING_OF_DEVICE = 50
MAX_RESENT_PAYLOAD = 45_000  # bytes; a longer one does not fit, in base64, into another payload


class SentMessage(Stored, kw_only=True):
    """A sent message as it is remembered: its payload, and the devices that it was for."""

    client_id: str
    conversation_id: str
    payload: bytes
    devices: set[str]
    resends: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, payload: Payload, devices: Iterable[str]) -> "SentMessage":
        """A record of a payload that was sent to these devices."""
        return cls(
            client_id=payload.client_id,
            conversation_id=payload.conversation_id,
            payload=encode_payload(payload),
            devices=set(devices),
        )

    def body(self) -> Body:
        """Decode the payload. Malformed."""
        return body_of(decode_payload(self.payload))

    def again(self, device_id: str, conversation_id: str) -> Resent:
        """The body that answers a request which came from this device in this conversation.

        NotResent where the message was not for the device, or was sent to it again too often, or is too long.
        """
        if device_id not in self.devices or conversation_id != self.conversation_id:
            raise NotResent("A message was asked for by a device that it was not for.")
        if self.resends.get(device_id, 0) >= MAX_RESENDS:
            raise NotResent(f"A message was sent {MAX_RESENDS} times again to one device.")
        if len(self.payload) > MAX_RESENT_PAYLOAD:
            raise NotResent("A message is too long to be sent again.")
        self.resends[device_id] = self.resends.get(device_id, 0) + 1
        return Resent(payload=self.payload)


class _Asked(Struct):
    said: Claimed
    seq: int
    times: int = 0
    asked_at: float = 0.0


class _State(Struct):
    asked: list[_Asked] = field(default_factory=list)


class ResendRequests:
    """This device's requests that are not answered yet."""

    def __init__(self) -> None:
        self._state = _State()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "ResendRequests":
        """Decode what `to_bytes` wrote; BadState for anything else."""
        made = cls()
        made._state = load(raw, _State)
        return made

    def to_bytes(self) -> bytes:
        """The open requests."""
        return dump(self._state)

    @property
    def pending(self) -> list[tuple[Claimed, int]]:
        """The messages that were asked for, with their seq."""
        return [(one.said, one.seq) for one in self._state.asked]

    def open_to(self, conversation_id: str, device_id: str) -> bool:
        """Whether a message of this device in this conversation is asked for."""
        key = (conversation_id, device_id)
        return any((one.said.conversation_id, one.said.sender_device_id) == key for one in self._state.asked)

    def asks_for(self, conversation_id: str, device_id: str, client_id: str) -> bool:
        """Whether this message is asked for."""
        return self._find(conversation_id, device_id, client_id) is not None

    def forget(self, conversation_id: str, device_id: str, client_id: str) -> None:
        """A message is asked for no more: it was taken away."""
        found = self._find(conversation_id, device_id, client_id)
        if found is not None:
            self._state.asked.remove(found)

    def open_below(self, conversation_id: str, seq: int) -> bool:
        """Whether a message below this place of this conversation is asked for."""
        return any(one.said.conversation_id == conversation_id and one.seq < seq for one in self._state.asked)

    def ask(self, said: Claimed, seq: int, *, now: float) -> ResendRequest | None:
        """The body that asks for a message; None where it was asked for too often, or too much is open: then
        the message is lost."""
        asked = self._state.asked
        found = self._find(said.conversation_id, said.sender_device_id, said.client_id)
        if found is None:
            of_device = sum(one.said.sender_device_id == said.sender_device_id for one in asked)
            if len(asked) >= MAX_PENDING or of_device >= MAX_PENDING_OF_DEVICE:
                return None
            found = _Asked(said, seq)
            asked.append(found)
        if found.times >= MAX_ASKED:
            asked.remove(found)
            return None
        found.times += 1
        found.asked_at = now
        return ResendRequest(client_id=said.client_id)

    def unanswered(self, now: float) -> list[tuple[Claimed, int]]:
        """The messages that were asked for a day ago, with their seq: lost, and asked for no more."""
        lost = [one for one in self._state.asked if now - one.asked_at >= ANSWER_WITHIN]
        self._state.asked = [one for one in self._state.asked if now - one.asked_at < ANSWER_WITHIN]
        return [(one.said, one.seq) for one in lost]

    def fulfil(self, answer: Payload) -> tuple[Payload, int]:
        """The payload that an answer brings, checked against the message that was asked for, and its seq.

        `answer` was decrypted in a session with the sender's device. NotResent for what was not asked for;
        Refiled where the payload is not the message's.
        """
        body = body_of(answer)
        if not isinstance(body, Resent):
            raise NotResent("The payload brings no message.")
        again = decode_payload(body.payload)
        found = self._find(answer.conversation_id, answer.sender_device_id, again.client_id)
        if found is None:
            raise NotResent("A message is sent again that was not asked for.")
        payload = open_payload(padded(body.payload), found.said)
        self._state.asked.remove(found)
        return payload, found.seq

    def _find(self, conversation_id: str, device_id: str, client_id: str) -> _Asked | None:
        key = (conversation_id, device_id, client_id)
        for one in self._state.asked:
            if (one.said.conversation_id, one.said.sender_device_id, one.said.client_id) == key:
                return one
        return None
