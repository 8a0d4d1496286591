"""Real X3DH and Double Ratchet for a `Person`, as thin as it can be: what the story test encrypts with.

Signal's parameters: Ed25519 identity keys, SHA-256, HKDF; an envelope is JSON of the ratchet's header and
ciphertext, and before the first answer also the X3DH header.
"""

import asyncio
import base64
import json
from typing import Any

import doubleratchet
import x3dh
from doubleratchet.recommended import (
    HashFunction,
    aead_aes_hmac,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)

from tests.system.people import Person, b64


class State(x3dh.BaseState):
    """Prekeys are signed as their 32 raw bytes."""

    @staticmethod
    def _encode_public_key(key_format: x3dh.IdentityKeyFormat, pub: bytes) -> bytes:
        return pub


class Aead(aead_aes_hmac.AEAD):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"messenger story aead"


class RootKdf(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"messenger story root"


class MessageKdf(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class Ratchet(doubleratchet.DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: doubleratchet.Header) -> bytes:
        numbers = header.previous_sending_chain_length, header.sending_chain_length
        return associated_data + header.ratchet_pub + b"".join(n.to_bytes(8, "big") for n in numbers)


PARAMETERS: dict[str, Any] = {
    "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
    "root_chain_kdf": RootKdf,
    "message_chain_kdf": MessageKdf,
    "message_chain_constant": b"\x01\x02",
    "dos_protection_threshold": 100,
    "max_num_skipped_message_keys": 1000,
    "aead": Aead,
}


class Cipher:
    """The keys and sessions of one device. Sessions are by the peer's device id."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.state = State.create(
            x3dh.IdentityKeyFormat.ED_25519, x3dh.HashFunction.SHA_256, b"messenger story"
        )
        self.state.generate_pre_keys(50)
        self.sessions: dict[str, tuple[Any, bytes]] = {}
        self.first: dict[str, dict[str, Any]] = {}  # X3DH headers that the peer has not answered yet

    def publish(self) -> None:
        """Publish this device's bundle."""
        bundle, ok = self.state.bundle, self.person.ok
        ok("PUT", "/keys/identity", 204, json={"identity_key": b64(bundle.identity_key)})
        signed = {
            "key_id": 1,
            "public_key": b64(bundle.signed_pre_key),
            "signature": b64(bundle.signed_pre_key_sig),
        }
        ok("PUT", "/keys/signed-prekey", 204, json=signed)
        prekeys = [
            {"key_id": number, "public_key": b64(key)} for number, key in enumerate(bundle.pre_keys, 1)
        ]
        assert ok("POST", "/keys/one-time-prekeys", 200, json={"prekeys": prekeys}) == {
            "one_time_prekeys": len(prekeys)
        }

    def encrypt(self, device_id: str, plaintext: bytes) -> bytes:
        """An envelope for a peer's device; its bundle is claimed for the first one."""
        return asyncio.run(self._encrypt(device_id, plaintext))

    async def _encrypt(self, device_id: str, plaintext: bytes) -> bytes:
        if device_id not in self.sessions:
            encrypted = await self._begin(device_id, plaintext)
        else:
            ratchet, data = self.sessions[device_id]
            encrypted = await ratchet.encrypt_message(plaintext, data)
        envelope = {
            "x3dh": self.first.get(device_id),
            "ratchet_pub": b64(encrypted.header.ratchet_pub),
            "previous": encrypted.header.previous_sending_chain_length,
            "number": encrypted.header.sending_chain_length,
            "ciphertext": b64(encrypted.ciphertext),
        }
        return json.dumps(envelope).encode()

    async def _begin(self, device_id: str, plaintext: bytes) -> doubleratchet.EncryptedMessage:
        found = self.person.ok("POST", "/keys/claim", 200, json={"devices": [device_id]})["items"][0]
        prekey = found["one_time_prekey"]
        bundle = x3dh.Bundle(
            _raw(found["identity_key"]),
            _raw(found["signed_prekey"]["public_key"]),
            _raw(found["signed_prekey"]["signature"]),
            frozenset({_raw(prekey["public_key"])}),
        )
        secret, data, header = await self.state.get_shared_secret_active(bundle)
        self.first[device_id] = {
            "identity_key": b64(header.identity_key),
            "ephemeral_key": b64(header.ephemeral_key),
            "signed_pre_key": b64(header.signed_pre_key),
            "pre_key": b64(header.pre_key or b""),
        }
        ratchet, encrypted = await Ratchet.encrypt_initial_message(
            **PARAMETERS,
            shared_secret=secret,
            recipient_ratchet_pub=bundle.signed_pre_key,
            message=plaintext,
            associated_data=data,
        )
        self.sessions[device_id] = (ratchet, data)
        return encrypted

    def decrypt(self, device_id: str, envelope: bytes) -> bytes:
        """The plaintext of an envelope from a peer's device."""
        return asyncio.run(self._decrypt(device_id, json.loads(envelope)))

    async def _decrypt(self, device_id: str, envelope: dict[str, Any]) -> bytes:
        header = doubleratchet.Header(_raw(envelope["ratchet_pub"]), envelope["previous"], envelope["number"])
        encrypted = doubleratchet.EncryptedMessage(header, _raw(envelope["ciphertext"]))
        if device_id in self.sessions:
            ratchet, data = self.sessions[device_id]
            plaintext: bytes = await ratchet.decrypt_message(encrypted, data)
            self.first.pop(device_id, None)
            return plaintext
        first = {name: _raw(value) for name, value in envelope["x3dh"].items()}
        secret, data, signed = await self.state.get_shared_secret_passive(x3dh.Header(**first))
        ratchet, plaintext = await Ratchet.decrypt_initial_message(
            **PARAMETERS,
            shared_secret=secret,
            own_ratchet_priv=signed.priv,
            message=encrypted,
            associated_data=data,
        )
        self.state.delete_pre_key(first["pre_key"])
        self.sessions[device_id] = (ratchet, data)
        return plaintext


def _raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
