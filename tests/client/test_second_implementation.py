"""The vectors, opened by what docs/encryption.md says and nothing of the client's own code.

A second implementation of the receiving side, out of `cryptography`'s primitives alone: neither the packages
X3DH and DoubleRatchet nor a module of ours is used. It fails where the page leaves something out.
"""

import base64
import hashlib
import hmac
import json
import struct
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FOLDER = Path(__file__).parents[2] / "docs" / "vectors"
P = 2**255 - 19
raw = bytes.fromhex


def stored(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def hkdf(secret: bytes, info: bytes, length: int = 32, salt: bytes = bytes(32)) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def ids(*texts: str) -> bytes:
    return b"".join(UUID(text).bytes for text in texts)


def montgomery(ed25519_public: bytes) -> bytes:
    """RFC 7748 section 4.1: u = (1 + y) / (1 - y)."""
    y = int.from_bytes(ed25519_public, "little") & (2**255 - 1)
    return ((1 + y) * pow(1 - y, -1, P) % P).to_bytes(32, "little")


def dh(private: bytes, public: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def open_once(key: bytes, info: bytes, ciphertext: bytes, associated: bytes) -> bytes:
    material = hkdf(key, info, 44)
    return AESGCMSIV(material[:32]).decrypt(material[32:], ciphertext, associated)


def unpadded(padded: bytes) -> bytes:
    return padded.rstrip(b"\0")[:-1]


@pytest.mark.parametrize("name", ["pqxdh", "pqxdh_without_one_time_prekey"])
def test_a_session_opens_by_what_the_page_says(name: str) -> None:
    vector = stored("sessions")[name]
    private, bundle, first = vector["private"], vector["responder"], vector["initiator"]
    envelope = raw(vector["messages"][0]["envelope"])
    assert envelope[:2] == b"\x01\x02"
    identity, ephemeral, _, one_time_id, kem_id = struct.unpack(">32s32sIII", envelope[2:78])
    assert kem_id == bundle["kem_prekey"]["key_id"]
    kem_ciphertext = envelope[78 : 78 + 1568]
    handshake, rest = envelope[2 : 78 + len(kem_ciphertext)], envelope[78 + len(kem_ciphertext) :]

    # X3DH
    signed = raw(private["signed_prekey_private"])
    own = hashlib.sha512(raw(private["responder_identity_seed"])).digest()[:32]
    secrets = b"\xff" * 32 + dh(signed, montgomery(identity)) + dh(own, ephemeral) + dh(signed, ephemeral)
    if one_time_id != 0xFFFFFFFF:
        secrets += dh(raw(private["one_time_prekey_private"]), ephemeral)
    secret = hkdf(secrets, b"messenger-x3dh-1")

    # PQXDH
    kem = MLKEM1024PrivateKey.from_seed_bytes(raw(private["kem_prekey_seed"]))
    secret += kem.decapsulate(kem_ciphertext)
    kem_public = kem.public_key().public_bytes_raw()
    data = identity + raw(bundle["identity_key"])
    data += ids(first["user_id"], first["device_id"], bundle["user_id"], bundle["device_id"])
    transcript = hashlib.sha256(b"messenger-transcript-1\0" + data + handshake + kem_public).digest()
    root = hkdf(secret, b"messenger-session-1", salt=transcript)
    session_id = hashlib.sha256(b"messenger-session-id-1\0" + data + handshake).digest()[:16]
    assert (data.hex(), session_id.hex()) == (vector["data"], vector["session_id"])
    assert root.hex() == vector["secret"]

    # the first chain of the Double Ratchet
    ratchet_key = rest[:32]
    chain_key = hkdf(dh(signed, ratchet_key), b"messenger-root-1", 64, salt=root)[32:]
    for number, message in enumerate(vector["messages"][:2]):
        body = raw(message["envelope"])[2 + len(handshake) :]
        assert body[:40] == ratchet_key + struct.pack(">II", 0, number)
        associated = b"messenger-pairwise-1\0" + session_id + data + body[:40]
        plaintext = open_once(mac(chain_key, b"\x01"), b"messenger-ratchet-1", body[40:], associated)
        assert unpadded(plaintext).decode() == message["payload"]
        chain_key = mac(chain_key, b"\x02")


def test_group_content_opens_by_what_the_page_says() -> None:
    vector = stored("groups")
    key = vector["sender_key"]
    chain_key, verify = raw(key["chain_key"]), Ed25519PublicKey.from_public_bytes(raw(key["signature_key"]))
    bound = ids(vector["conversation_id"], vector["user_id"], vector["device_id"])
    for iteration, message in enumerate(vector["messages"]):
        content = raw(message["content"])
        head, ciphertext, signature = content[:22], content[22:-64], content[-64:]
        assert head == b"\x01\x03" + raw(key["chain_id"]) + struct.pack(">I", iteration)
        verify.verify(signature, b"messenger-group-signature-1\0" + bound + head + ciphertext)
        plaintext = open_once(mac(chain_key, b"\x01"), b"messenger-group-1", ciphertext, bound + head)
        assert unpadded(plaintext).decode() == message["payload"]
        chain_key = mac(chain_key, b"\x02")


def test_files_and_metadata_open_by_what_the_page_says() -> None:
    vector = stored("files")
    for file in vector["files"]:
        data = bytes(index % 251 for index in range(file["size"]))
        whole = data + bytes(file["stored_size"] - 2 - file["size"])
        cipher = AESGCMSIV(hkdf(raw(file["key"]), b"messenger-file-1\x01\x00"))
        blob, number, left = b"\x01\x00", 0, file["stored_size"] - 2
        while left:
            size = min(left, 65_536 + 16) - 16
            left -= size + 16
            nonce = bytes(7) + struct.pack(">IB", number, not left)
            blob += cipher.encrypt(nonce, whole[number * 65_536 :][:size], None)
            number += 1
        assert hashlib.sha256(blob).hexdigest() == file["sha256"]
    for name in ("file", "conversation"):
        sealed = raw(vector[f"{name}_metadata"]["sealed"])
        key = hkdf(raw(vector[f"{name}_metadata"]["key"]), f"messenger-{name}-metadata-1".encode())
        opened = AESGCMSIV(key).decrypt(sealed[1:13], sealed[13:], sealed[:1])
        assert json.loads(unpadded(opened))["name"] == vector[f"{name}_metadata"]["name"]


def test_account_values_are_what_the_page_says() -> None:
    vector = stored("account")
    made = vector["device_list"]
    signed = b"messenger-device-list-1\0" + ids(made["user_id"]) + struct.pack(">Q", made["version"])
    for one in sorted(made["devices"], key=lambda one: one["device_id"]):
        signed += ids(one["device_id"]) + raw(one["identity_key"])
    Ed25519PublicKey.from_public_bytes(raw(made["account_key"])).verify(raw(made["signature"]), signed)

    link = vector["contact_link"]
    server, _, fragment = link["link"].partition("/#contact=")
    fingerprint = hashlib.sha256(b"messenger-contact-1\0" + ids(link["user_id"]) + raw(link["account_key"]))
    told = b"\x01" + ids(link["user_id"]) + fingerprint.digest()[:20] + link["username"].encode()
    assert (server, base64.urlsafe_b64decode(fragment + "==")) == (link["server"], told)

    own = hashlib.sha256(b"messenger-own-conversation-1\0" + ids(vector["own_conversation"]["user_id"]))
    number = int.from_bytes(own.digest()[:16], "big") & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    assert str(UUID(int=number)) == vector["own_conversation"]["client_id"]

    number, halves = vector["safety_number"], []
    for who in ("a", "b"):
        key = raw(number[f"account_key_{who}"])
        digest = b"\0\0" + key + ids(number[f"user_{who}"])
        for _ in range(5_200):
            digest = hashlib.sha512(digest + key).digest()
        groups = [int.from_bytes(digest[at : at + 5], "big") % 100_000 for at in range(0, 30, 5)]
        halves.append("".join(f"{group:05d}" for group in groups))
    assert "".join(sorted(halves)) == number["safety_number"].replace(" ", "")

    code = vector["device_code"]
    about = ids(code["user_id"], code["device_id"]) + raw(code["identity_key"])
    tag = mac(raw(code["secret"]), b"messenger-device-code-1\0" + about)[:5]
    assert base64.b32decode(code["code"].replace("-", "")) == raw(code["secret"]) + tag
    proof = mac(raw(code["secret"]), b"messenger-account-grant-1\0" + raw(code["account_key"]) + about)
    assert proof.hex() == code["proof"]
