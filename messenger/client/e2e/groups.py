"""Sender keys: one ciphertext for a whole group.

A sender makes a chain for a conversation and gives it, pairwise, to each device of the members. The chain
key goes forward by HMAC-SHA-256 (message key from the byte 0x01, next chain key from 0x02), so that whoever
gets it late can't read what was before. A message key seals one message (AES-256-GCM-SIV, key and nonce by
HKDF-SHA-256 with the info `messenger-group-1`). The chain's own Ed25519 key signs
`messenger-group-signature-1`, a zero byte, what the content is bound to and the content up to the
signature, so that no member can write as another:

    bound = conversation_id, sender's user_id and device_id (16 bytes each)

`bound` and the content's head are the associated data as well. A chain ends when a device that has it goes,
after a week, or after `MAX_MESSAGES`; a new one is made and given to all.
"""

import os
from collections.abc import Collection, Iterable

from msgspec import Struct, field

from messenger.client.e2e.bodies import SenderKey
from messenger.client.e2e.envelope import GroupContent, decode_group, group_head
from messenger.client.e2e.errors import (
    BadSenderSignature,
    ConversationMismatch,
    ReflectedMessage,
    ReplayedMessage,
    SenderKeyRefused,
    SenderMismatch,
    TooFarAhead,
    UnknownSenderKey,
)
from messenger.client.e2e.payload import Claimed, Payload, Sender, open_payload, sealed_form
from messenger.client.e2e.primitives import (
    Random,
    ed25519_holds,
    ed25519_public,
    ed25519_sign,
    hmac_sha256,
    id_bytes,
    open_once,
    seal_once,
)
from messenger.client.e2e.state import dump, load

MESSAGE_INFO = b"messenger-group-1"
SIGNATURE_LABEL = b"messenger-group-signature-1\0"
MAX_AGE = 7 * 86_400  # seconds
MAX_MESSAGES = 2_000  # of one chain
MAX_CHAINS = 5  # kept of one sender in one conversation
MAX_SKIPPED = 1_000  # message keys kept of one chain
MAX_AHEAD = 10_000  # messages that one message may leap over


def _message_key(chain_key: bytes) -> bytes:
    return hmac_sha256(chain_key, b"\x01")


def _next(chain_key: bytes) -> bytes:
    return hmac_sha256(chain_key, b"\x02")


def _bound(conversation_id: str, user_id: str, device_id: str) -> bytes:
    return id_bytes(conversation_id) + id_bytes(user_id) + id_bytes(device_id)


class _Sending(Struct):
    conversation_id: str
    user_id: str
    device_id: str
    chain_id: bytes
    chain_key: bytes
    signing_seed: bytes
    created_at: float
    iteration: int = 0
    holders: set[str] = field(default_factory=set)


class SendingChain:
    """The own chain in a conversation."""

    def __init__(self, state: _Sending) -> None:
        self._state = state

    @classmethod
    def create(
        cls, keys: Sender, conversation_id: str, *, now: float, random: Random = os.urandom
    ) -> "SendingChain":
        """A new chain, which nobody has yet; `now` in seconds since 1970."""
        return cls(
            _Sending(
                conversation_id=conversation_id.lower(),
                user_id=keys.user_id,
                device_id=keys.device_id,
                chain_id=random(16),
                chain_key=random(32),
                signing_seed=random(32),
                created_at=now,
            )
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> "SendingChain":
        """The chain that `to_bytes` wrote; BadState for anything else."""
        return cls(load(raw, _Sending))

    def to_bytes(self) -> bytes:
        """The chain with its keys, in the clear: to be stored encrypted."""
        return dump(self._state)

    @property
    def chain_id(self) -> bytes:
        """The chain's id, 16 bytes."""
        return self._state.chain_id

    @property
    def holders(self) -> frozenset[str]:
        """The devices that were given the chain."""
        return frozenset(self._state.holders)

    def must_rotate(self, devices: Collection[str], now: float) -> bool:
        """Whether a new chain has to be made before the next message to these devices."""
        state = self._state
        return (
            not state.holders <= set(devices)
            or now - state.created_at >= MAX_AGE
            or state.iteration >= MAX_MESSAGES
        )

    def lacking(self, devices: Iterable[str]) -> list[str]:
        """Those of these devices that have to be given the chain; never the own one."""
        state = self._state
        return [one for one in devices if one not in state.holders and one != state.device_id]

    def distribution(self, next_number: int) -> SenderKey:
        """The distribution for a device: the chain from here on. `next_number` is what the next message will
        bear."""
        state = self._state
        return SenderKey(
            chain_id=state.chain_id,
            iteration=state.iteration,
            chain_key=state.chain_key,
            signature_key=ed25519_public(state.signing_seed),
            number=next_number,
        )

    def give(self, device_ids: Iterable[str]) -> None:
        """These devices have been given the chain."""
        self._state.holders.update(device_ids)

    def seal(self, keys: Sender, payload: Payload) -> bytes:
        """The content of a message to all holders. PayloadTooLarge; SenderMismatch and ConversationMismatch
        for a payload that is not this chain's."""
        state = self._state
        if (payload.sender_id, payload.sender_device_id) != (keys.user_id, keys.device_id):
            raise SenderMismatch("A payload names another sender than this device.")
        if (keys.user_id, keys.device_id) != (state.user_id, state.device_id):
            raise SenderMismatch("The chain is another device's.")
        if payload.conversation_id != state.conversation_id:
            raise ConversationMismatch("A payload names another conversation than the chain's.")
        plaintext = sealed_form(payload)
        bound = _bound(state.conversation_id, state.user_id, state.device_id)
        head = group_head(state.chain_id, state.iteration)
        key = _message_key(state.chain_key)
        signed = head + seal_once(key, MESSAGE_INFO, plaintext, bound + head)
        state.chain_key = _next(state.chain_key)
        state.iteration += 1
        return signed + ed25519_sign(state.signing_seed, SIGNATURE_LABEL + bound + signed)


class _Chain(Struct):
    chain_id: bytes
    signature_key: bytes
    first: int  # below this, a message is either among `skipped` or can't be read
    iteration: int  # of `chain_key`
    chain_key: bytes
    skipped: dict[int, bytes] = field(default_factory=dict)


class _Received(Struct):
    conversation_id: str
    user_id: str
    device_id: str
    chains: list[_Chain] = field(default_factory=list)  # the newest first


class ReceivedChains:
    """The chains that one device of a peer has given for one conversation. What raises changes nothing."""

    def __init__(self, conversation_id: str, user_id: str, device_id: str) -> None:
        self._state = _Received(conversation_id.lower(), user_id, device_id)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "ReceivedChains":
        """The chains that `to_bytes` wrote; BadState for anything else."""
        state = load(raw, _Received)
        made = cls(state.conversation_id, state.user_id, state.device_id)
        made._state = state
        return made

    def to_bytes(self) -> bytes:
        """The chains with their keys, in the clear: to be stored encrypted."""
        return dump(self._state)

    @property
    def chain_ids(self) -> list[bytes]:
        """The ids of all chains, the newest first."""
        return [one.chain_id for one in self._state.chains]

    def accept(self, body: SenderKey, payload: Payload, *, is_member: bool) -> None:
        """Take a chain that came in `payload`, which a session with the sender's device has decrypted.

        Given again (to a device that missed it), it changes nothing: a chain never goes back.
        SenderKeyRefused where the sender is no member, or gives another chain under the same id;
        SenderMismatch and ConversationMismatch where the payload is not this sender's for this
        conversation.
        """
        state = self._state
        if (payload.sender_id, payload.sender_device_id) != (state.user_id, state.device_id):
            raise SenderMismatch("A sender key comes from another device than its chain's.")
        if payload.conversation_id != state.conversation_id:
            raise ConversationMismatch("A sender key is for another conversation.")
        if not is_member:
            raise SenderKeyRefused("A sender key comes from somebody who is no member of the conversation.")
        for chain in state.chains:
            if chain.chain_id == body.chain_id:
                if chain.signature_key != body.signature_key:
                    raise SenderKeyRefused("A sender key has the id of another one of its sender's.")
                return
        chain = _Chain(body.chain_id, body.signature_key, body.iteration, body.iteration, body.chain_key)
        state.chains = [chain, *state.chains][:MAX_CHAINS]

    def open(self, keys: Sender, content: bytes, said: Claimed) -> Payload:
        """The payload of group content, checked against what the server said of the message.

        Raises Malformed, UnknownSenderKey, BadSenderSignature, AuthenticationFailed, TooFarAhead,
        ReplayedMessage, ReflectedMessage, Refiled.
        """
        state = self._state
        if said.sender_device_id == keys.device_id:
            raise ReflectedMessage("The server presents an own message as one to be decrypted.")
        if said.sender_device_id != state.device_id or said.sender_id not in (None, state.user_id):
            raise SenderMismatch("The content is presented as another device's.")
        if said.conversation_id != state.conversation_id:
            raise ConversationMismatch("The content is presented in another conversation.")
        found = decode_group(content)
        chain = next((one for one in state.chains if one.chain_id == found.chain_id), None)
        if chain is None:
            raise UnknownSenderKey("The message is under a sender key that this device was not given.")
        bound = _bound(state.conversation_id, state.user_id, state.device_id)
        if not ed25519_holds(chain.signature_key, found.signature, SIGNATURE_LABEL + bound + found.signed):
            raise BadSenderSignature("The message was not signed by its sender's chain.")
        return self._open_in(chain, found, bound + found.head, said)

    def _open_in(self, chain: _Chain, found: GroupContent, associated: bytes, said: Claimed) -> Payload:
        number, skipped, chain_key = found.iteration, {}, chain.chain_key
        if number < chain.iteration:
            key = chain.skipped.get(number)
            if key is None and number < chain.first:
                raise UnknownSenderKey("The message is older than what this device has keys for.")
            if key is None:
                raise ReplayedMessage("The server presents a message for the second time.")
        else:
            if number - chain.iteration > MAX_AHEAD:
                raise TooFarAhead(f"Over {MAX_AHEAD:,} messages of the sender are missing.")
            for iteration in range(chain.iteration, number):
                if number - iteration <= MAX_SKIPPED:
                    skipped[iteration] = _message_key(chain_key)
                chain_key = _next(chain_key)
            key = _message_key(chain_key)
        payload = open_payload(open_once(key, MESSAGE_INFO, found.ciphertext, associated), said)
        if number < chain.iteration:
            del chain.skipped[number]
        else:
            if number - chain.iteration > MAX_SKIPPED:
                chain.first = number - MAX_SKIPPED
            chain.chain_key, chain.iteration = _next(chain_key), number + 1
            chain.skipped.update(skipped)
            for old in sorted(chain.skipped)[: len(chain.skipped) - MAX_SKIPPED]:
                del chain.skipped[old]
                chain.first = max(chain.first, old + 1)
        return payload
