"""The Double Ratchet (Signal's specification, revision 4 of 2025 in its classical part) by DoubleRatchet.

Curve 25519; the root chain by HKDF-SHA-256 (salt: the root key, input: the shared secret, info
`messenger-root-1`, 64 bytes: root key, chain key); sending and receiving chains by HMAC-SHA-256 (message key
from the byte 0x01, next chain key from 0x02). A message key seals one message: AES-256-GCM-SIV, key and nonce
by HKDF-SHA-256 with the info `messenger-ratchet-1`. The associated data is the session's, then the ratchet's
header in the form in which it travels (`envelope.py`).
"""

import struct
import warnings

import doubleratchet
from doubleratchet import aead
from doubleratchet.models import (
    DiffieHellmanRatchetModel,
    DoubleRatchetModel,
    KDFChainModel,
    SkippedMessageKeyModel,
    SymmetricKeyRatchetModel,
)
from doubleratchet.recommended import (
    HashFunction,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)
from msgspec import Struct

from messenger.client.e2e.driving import done
from messenger.client.e2e.envelope import RatchetMessage
from messenger.client.e2e.errors import AuthenticationFailed, ReplayedMessage, TooFarAhead
from messenger.client.e2e.primitives import open_once, seal_once, x25519_public

ROOT_INFO = b"messenger-root-1"
MESSAGE_INFO = b"messenger-ratchet-1"
CHAIN_CONSTANT = b"\x02\x01"  # the library takes the next chain key first, then the message key
MAX_SKIPPED = 1_000  # message keys of a session; also how far ahead one message may be

_HEADER = struct.Struct(">32sII")


class _Aead(aead.AEAD):
    @staticmethod
    async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
        return seal_once(key, MESSAGE_INFO, plaintext, associated_data)

    @staticmethod
    async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
        return open_once(key, MESSAGE_INFO, ciphertext, associated_data)


class _RootKdf(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return ROOT_INFO


class _ChainKdf(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class Curve(diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet):
    """X25519; a class of our own so that test vectors can fix its keys."""


class _DoubleRatchet(doubleratchet.DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: doubleratchet.Header) -> bytes:
        numbers = header.previous_sending_chain_length, header.sending_chain_length
        return associated_data + _HEADER.pack(header.ratchet_pub, *numbers)


class State(Struct, frozen=True, array_like=True):
    """A ratchet at rest. A chain is (key, length), a skipped key (ratchet key, number, message key)."""

    private: bytes
    peer: bytes
    root: tuple[bytes, int]
    sending: tuple[bytes, int] | None
    receiving: tuple[bytes, int] | None
    previous: int | None
    skipped: list[tuple[bytes, int, bytes]]


class Ratchet:
    """One session's ratchet. What raises leaves it as it was."""

    def __init__(self, ratchet: _DoubleRatchet) -> None:
        self._ratchet = ratchet

    @classmethod
    def begun(
        cls, secret: bytes, peer: bytes, plaintext: bytes, data: bytes
    ) -> tuple["Ratchet", RatchetMessage]:
        """The initiator's ratchet and its first message; `peer` is the responder's signed prekey."""
        ratchet, message = done(
            _DoubleRatchet.encrypt_initial_message(
                diffie_hellman_ratchet_class=Curve,
                root_chain_kdf=_RootKdf,
                message_chain_kdf=_ChainKdf,
                message_chain_constant=CHAIN_CONSTANT,
                dos_protection_threshold=MAX_SKIPPED,
                max_num_skipped_message_keys=MAX_SKIPPED,
                aead=_Aead,
                shared_secret=secret,
                recipient_ratchet_pub=peer,
                message=plaintext,
                associated_data=data,
            )
        )
        return cls(ratchet), _message(message)

    @classmethod
    def answering(
        cls, secret: bytes, private: bytes, message: RatchetMessage, data: bytes
    ) -> tuple["Ratchet", bytes]:
        """The responder's ratchet and the first plaintext; `private` is the signed prekey's."""
        try:
            ratchet, plaintext = done(
                _DoubleRatchet.decrypt_initial_message(
                    diffie_hellman_ratchet_class=Curve,
                    root_chain_kdf=_RootKdf,
                    message_chain_kdf=_ChainKdf,
                    message_chain_constant=CHAIN_CONSTANT,
                    dos_protection_threshold=MAX_SKIPPED,
                    max_num_skipped_message_keys=MAX_SKIPPED,
                    aead=_Aead,
                    shared_secret=secret,
                    own_ratchet_priv=private,
                    message=_encrypted(message),
                    associated_data=data,
                )
            )
        except doubleratchet.DoSProtectionException:
            raise _too_far() from None
        except ValueError:
            raise _unusable() from None
        return cls(ratchet), plaintext

    def seal(self, plaintext: bytes, data: bytes) -> RatchetMessage:
        """The next message."""
        return _message(done(self._ratchet.encrypt_message(plaintext, data)))

    def open(self, message: RatchetMessage, data: bytes) -> bytes:
        """The plaintext. AuthenticationFailed, ReplayedMessage, TooFarAhead."""
        # Before the peer's first answer nothing can come under the key that the session was begun with.
        if self._ratchet.receiving_chain_length is None and message.ratchet_key == self._peer():
            raise _unusable()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a tampered header is our error, not a warning to the user
                return done(self._ratchet.decrypt_message(_encrypted(message), data))
        except doubleratchet.DuplicateMessageException:
            raise ReplayedMessage("The server presents a message for the second time.") from None
        except doubleratchet.DoSProtectionException:
            raise _too_far() from None
        except ValueError:
            raise _unusable() from None

    def own_key(self) -> bytes:
        """The public ratchet key that the next message will bear."""
        return x25519_public(self._ratchet.model.diffie_hellman_ratchet.own_ratchet_priv)

    def _peer(self) -> bytes:
        return self._ratchet.model.diffie_hellman_ratchet.other_ratchet_pub

    def state(self) -> State:
        """The ratchet at rest."""
        model = self._ratchet.model
        inner = model.diffie_hellman_ratchet
        chains = inner.symmetric_key_ratchet
        return State(
            inner.own_ratchet_priv,
            inner.other_ratchet_pub,
            (inner.root_chain.key, inner.root_chain.length),
            _chain(chains.sending_chain),
            _chain(chains.receiving_chain),
            chains.previous_sending_chain_length,
            [(one.ratchet_pub, one.index, one.message_key) for one in model.skipped_message_keys],
        )

    @classmethod
    def from_state(cls, state: State) -> "Ratchet":
        """A ratchet that was at rest."""
        model = DoubleRatchetModel(
            diffie_hellman_ratchet=DiffieHellmanRatchetModel(
                own_ratchet_priv=state.private,
                other_ratchet_pub=state.peer,
                root_chain=KDFChainModel(key=state.root[0], length=state.root[1]),
                symmetric_key_ratchet=SymmetricKeyRatchetModel(
                    receiving_chain=_chain_model(state.receiving),
                    sending_chain=_chain_model(state.sending),
                    previous_sending_chain_length=state.previous,
                ),
            ),
            skipped_message_keys=[
                SkippedMessageKeyModel(ratchet_pub=key, index=number, message_key=secret)
                for key, number, secret in state.skipped
            ],
        )
        return cls(
            _DoubleRatchet.from_model(
                model,
                diffie_hellman_ratchet_class=Curve,
                root_chain_kdf=_RootKdf,
                message_chain_kdf=_ChainKdf,
                message_chain_constant=CHAIN_CONSTANT,
                dos_protection_threshold=MAX_SKIPPED,
                max_num_skipped_message_keys=MAX_SKIPPED,
                aead=_Aead,
            )
        )


def _chain(model: KDFChainModel | None) -> tuple[bytes, int] | None:
    return None if model is None else (model.key, model.length)


def _chain_model(chain: tuple[bytes, int] | None) -> KDFChainModel | None:
    return None if chain is None else KDFChainModel(key=chain[0], length=chain[1])


def _message(encrypted: doubleratchet.EncryptedMessage) -> RatchetMessage:
    return RatchetMessage(*encrypted.header, encrypted.ciphertext)


def _encrypted(message: RatchetMessage) -> doubleratchet.EncryptedMessage:
    header = doubleratchet.Header(message.ratchet_key, message.previous, message.number)
    return doubleratchet.EncryptedMessage(header, message.ciphertext)


def _too_far() -> TooFarAhead:
    return TooFarAhead(f"Over {MAX_SKIPPED:,} messages of the session are missing.")


def _unusable() -> AuthenticationFailed:
    return AuthenticationFailed("The message was changed: its ratchet key can't be worked with.")
