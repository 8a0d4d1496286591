"""Makes the test vectors: `python -m tests.client.vectors` writes docs/vectors/*.json.

Every derived value of docs/encryption.md, from fixed keys, so that another implementation can hold itself
to them. Binary values are lower-case hex, ids are UUIDs. A test makes them again and compares, and opens
with the client's own code what is meant to be opened.

What draws randomness inside a library (X3DH's ephemeral keys, the ratchet's keys, ML-KEM's encapsulation) is
fixed here by putting a seeded source in its place, or is worked out from the receiving side.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PublicKey

from messenger.client.e2e import (
    AccountKey,
    ConversationMetadata,
    DeviceCode,
    DeviceKeys,
    FileEncryptor,
    FileMetadata,
    KnownDevice,
    PeerSessions,
    SendingChain,
    Text,
    contact_link,
    grant,
    new_payload,
    safety_number,
    seal_conversation_metadata,
    seal_file_metadata,
)
from messenger.client.e2e.account import own_conversation_id
from messenger.client.e2e.agreement import respond
from messenger.client.e2e.envelope import decode_envelope
from messenger.client.e2e.files import CHUNK
from messenger.client.e2e.padding import padded, padded_file_size
from messenger.client.e2e.password import Kdf, derive
from messenger.client.e2e.payload import encode_payload
from messenger.client.e2e.ratchet import Curve
from messenger.wire.codec import base64_text
from messenger.wire.keys import (
    Bundle,
    BundleKemPrekey,
    BundleOneTimePrekey,
    BundleSignedPrekey,
    PendingDevice,
)
from tests.client.e2e_world import NOW, SENT_AT, fixed_id, fixed_random, said_of
from tests.client.signatures import signature_vectors

FOLDER = Path(__file__).parents[2] / "docs" / "vectors"
CONVERSATION = fixed_id(1)
ALICE, ALICE_DEVICE, BOB, BOB_DEVICE = (fixed_id(number) for number in range(2, 6))


class _FixedEncapsulation:
    """ML-KEM's encapsulation can't be seeded from outside: the vectors keep what was once drawn."""

    def __init__(self, kept: dict[str, str]) -> None:
        self._kept = kept

    def from_public_bytes(self, public: bytes) -> "_FixedEncapsulation":
        self._public = public
        return self

    def encapsulate(self) -> tuple[bytes, bytes]:
        if not self._kept:
            secret, ciphertext = MLKEM1024PublicKey.from_public_bytes(self._public).encapsulate()
            self._kept.update(secret=secret.hex(), ciphertext=ciphertext.hex())
        return bytes.fromhex(self._kept["secret"]), bytes.fromhex(self._kept["ciphertext"])


@contextmanager
def fixed_keys(seed: int, kept: dict[str, str]) -> Iterator[None]:
    """The libraries draw their keys from a seeded source."""
    source = fixed_random(seed)
    kem = _FixedEncapsulation(kept)
    with (
        patch("x3dh.base_state.secrets.token_bytes", source),
        patch.object(Curve, "_generate_priv", staticmethod(lambda: source(32))),
        patch("messenger.client.e2e.agreement.MLKEM1024PublicKey", kem),
    ):
        yield


def keys_of(user_id: str, device_id: str, seed: int) -> DeviceKeys:
    return DeviceKeys.create(user_id, device_id, now=NOW, random=fixed_random(seed))


def account_vectors() -> dict[str, Any]:
    alice, bob = AccountKey.create(fixed_random(10)), AccountKey.create(fixed_random(11))
    keys = keys_of(ALICE, ALICE_DEVICE, 12)
    code = DeviceCode.create(keys, now=NOW, random=fixed_random(13))
    other = keys_of(ALICE, BOB_DEVICE, 14)
    named = {ALICE_DEVICE: keys.identity_key, BOB_DEVICE: other.identity_key}
    signed = alice.sign_list(ALICE, 7, named)
    device = PendingDevice(
        device_id=ALICE_DEVICE, identity_key=keys.identity_key, device_name=None, created_at=SENT_AT
    )
    return {
        "device_list": {
            "account_seed": alice.seed.hex(),
            "account_key": alice.public.hex(),
            "user_id": ALICE,
            "version": signed.version,
            "devices": [
                {"device_id": str(one.device_id), "identity_key": bytes(one.identity_key).hex()}
                for one in signed.devices
            ],
            "signature": bytes(signed.signature).hex(),
        },
        "contact_link": {
            "server": "https://chat.example.org",
            "username": "alice",
            "user_id": ALICE,
            "account_key": alice.public.hex(),
            "link": contact_link("https://chat.example.org", "alice", ALICE, alice.public),
        },
        "own_conversation": {"user_id": ALICE, "client_id": own_conversation_id(ALICE)},
        "safety_number": {
            "user_a": ALICE,
            "account_key_a": alice.public.hex(),
            "user_b": BOB,
            "account_key_b": bob.public.hex(),
            "safety_number": safety_number(ALICE, alice.public, BOB, bob.public),
        },
        "device_code": {
            "user_id": ALICE,
            "device_id": ALICE_DEVICE,
            "identity_key": keys.identity_key.hex(),
            "secret": code.secret.hex(),
            "code": str(code),
            "account_key": alice.public.hex(),
            "proof": grant(alice, str(code), ALICE, device).proof.hex(),
        },
    }


def padding_vectors() -> dict[str, Any]:
    sizes = (0, 1, 254, 255, 256, 2046, 2047, 2048, 2303, 4095, 10_000, 32_767, 61_439)
    files = (0, 1, 1024, 1025, 5_000, 65_536, 1_000_000, 104_857_600, 2**30, 2**40 + 1)
    return {
        "payload": [{"size": size, "padded": len(padded(bytes(size)))} for size in sizes],
        "example": {"payload": b"hello".hex(), "padded": padded(b"hello").hex()},
        "file": [{"size": size, "padded": padded_file_size(size)} for size in files],
    }


def session_vectors(kept: dict[str, str], *, one_time: bool) -> dict[str, Any]:
    """A session that Alice begins, in which Bob answers and Alice writes again."""
    alice, bob = keys_of(ALICE, ALICE_DEVICE, 20), keys_of(BOB, BOB_DEVICE, 21)
    signed = bob.signed_prekey()
    prekeys = bob.new_one_time_prekeys(1, fixed_random(22)).prekeys if one_time else []
    offered = bob.new_kem_prekeys(1, last_resort=False, now=NOW, random=fixed_random(23)).prekeys[0]
    bundle = Bundle(
        user_id=BOB,
        device_id=BOB_DEVICE,
        identity_key=bob.identity_key,
        signed_prekey=BundleSignedPrekey(signed.key_id, bytes(signed.public_key), bytes(signed.signature)),
        one_time_prekey=BundleOneTimePrekey(prekeys[0].key_id, bytes(prekeys[0].public_key))
        if prekeys
        else None,
        kem_prekey=BundleKemPrekey(
            offered.key_id, bytes(offered.public_key), bytes(offered.signature), False
        ),
        list_version=None,
    )
    private: dict[str, Any] = {
        "initiator_identity_seed": alice.seed.hex(),
        "responder_identity_seed": bob.seed.hex(),
        "signed_prekey_private": bob.signed_pair(signed.key_id).private.hex(),
    }
    if prekeys:
        private["one_time_prekey_private"] = bob.one_time_private(prekeys[0].key_id).hex()
    private["kem_prekey_seed"] = bob.kem_seed(offered.key_id)[0].hex()
    bob_stored, messages = bob.to_bytes(), []
    with fixed_keys(24, kept):
        to_bob, to_alice = PeerSessions(BOB, BOB_DEVICE), PeerSessions(ALICE, ALICE_DEVICE)
        to_bob.start(alice, bundle, now=NOW)
        for number, from_alice in enumerate((True, True, False, False, True), 1):
            sender, there = (alice, to_bob) if from_alice else (bob, to_alice)
            payload = new_payload(
                sender,
                conversation_id=CONVERSATION,
                client_id=fixed_id(100 + number),
                kind="text",
                number=number,
                sent_at=SENT_AT,
                body=Text(text=f"message {number}"),
            )
            envelope = there.seal(sender, payload)
            messages.append(
                {
                    "from": "initiator" if from_alice else "responder",
                    "payload": encode_payload(payload).decode(),
                    "envelope": envelope.hex(),
                }
            )
            _receive(alice, bob, to_bob, to_alice, payload, envelope, from_alice)
    handshake = decode_envelope(bytes.fromhex(messages[0]["envelope"])).handshake
    assert handshake is not None
    agreed, _ = respond(DeviceKeys.from_bytes(bob_stored), ALICE, ALICE_DEVICE, handshake)
    return {
        "initiator": {"user_id": ALICE, "device_id": ALICE_DEVICE, "identity_key": alice.identity_key.hex()},
        "responder": json.loads(_hexed(bundle)),
        "private": private,
        "kem_encapsulation": dict(kept),
        "handshake": handshake.encode().hex(),
        "data": agreed.data.hex(),
        "session_id": agreed.session_id.hex(),
        "secret": agreed.secret.hex(),
        "messages": messages,
    }


def _receive(
    alice: DeviceKeys,
    bob: DeviceKeys,
    to_bob: PeerSessions,
    to_alice: PeerSessions,
    payload: Any,
    envelope: bytes,
    from_alice: bool,
) -> None:
    sender, receiver, there = (alice, bob, to_alice) if from_alice else (bob, alice, to_bob)
    peer = KnownDevice(user_id=sender.user_id, device_id=sender.device_id, identity_key=sender.identity_key)
    there.open(receiver, peer, envelope, said_of(payload), now=NOW)


def group_vectors() -> dict[str, Any]:
    keys = keys_of(ALICE, ALICE_DEVICE, 30)
    chain = SendingChain.create(keys, CONVERSATION, now=NOW, random=fixed_random(31))
    given = chain.distribution(1)
    messages = []
    for number in range(1, 4):
        payload = new_payload(
            keys,
            conversation_id=CONVERSATION,
            client_id=fixed_id(200 + number),
            kind="text",
            number=number,
            sent_at=SENT_AT,
            body=Text(text=f"message {number}"),
        )
        content = chain.seal(keys, payload)
        messages.append({"payload": encode_payload(payload).decode(), "content": content.hex()})
    return {
        "conversation_id": CONVERSATION,
        "user_id": ALICE,
        "device_id": ALICE_DEVICE,
        "sender_key": json.loads(_hexed(given)),
        "messages": messages,
    }


def file_vectors() -> dict[str, Any]:
    files = []
    for size in (0, 5, CHUNK, CHUNK + 1):
        encryptor = FileEncryptor(random=fixed_random(40))
        data = bytes(index % 251 for index in range(size))
        blob = b"".join([encryptor.update(data), *encryptor.finish()])
        files.append(
            {
                "key": encryptor.key.hex(),
                "size": size,
                "byte_at": "index % 251",
                "stored_size": len(blob),
                "sha256": encryptor.sha256.hex(),
                "first_32_bytes": blob[:32].hex(),
                "last_32_bytes": blob[-32:].hex(),
            }
        )
    key, random = fixed_random(42)(32), fixed_random(43)
    about = FileMetadata(name="plan.pdf", media_type="application/pdf", size=5)
    named = ConversationMetadata(name="Friends", description="where we meet")
    return {
        "files": files,
        "file_metadata": {
            "key": key.hex(),
            "name": about.name,
            "media_type": about.media_type,
            "size": about.size,
            "sealed": seal_file_metadata(key, about, random=random).hex(),
        },
        "conversation_metadata": {
            "key": key.hex(),
            "name": named.name,
            "description": named.description,
            "sealed": seal_conversation_metadata(key, named, random=random).hex(),
        },
    }


def password_vectors() -> dict[str, Any]:
    """The halves of passwords; `kdf` is in the wire's form."""
    found = []
    for password, memory_kib, passes, lanes, salt in (
        ("correct horse battery", 65_536, 3, 1, bytes(range(16))),
        ("zwölf Boxkämpfer", 65_536, 3, 1, bytes(range(16, 32))),
        ("correct horse battery", 131_072, 4, 2, bytes(range(64))),
    ):
        kdf = Kdf(algorithm="argon2id", memory_kib=memory_kib, passes=passes, lanes=lanes, salt=salt)
        derived = derive(password, kdf)
        said = {**msgspec.structs.asdict(kdf), "salt": base64_text(salt)}
        found.append({"password": password, "kdf": said, "login": derived.login, "wrap": derived.wrap.hex()})
    return {"derived": found}


def _hexed(value: Any) -> str:
    return json.dumps(
        msgspec.to_builtins(value, builtin_types=(bytes,)),
        default=lambda raw: bytes(raw).hex(),
    )


def all_vectors(kept: dict[str, str]) -> dict[str, Any]:
    """All files by name. `kept` is the encapsulation of an earlier making; an empty one is filled."""
    return {
        "account": account_vectors(),
        "padding": padding_vectors(),
        "sessions": {
            "pqxdh": session_vectors(kept, one_time=True),
            "pqxdh_without_one_time_prekey": session_vectors(kept, one_time=False),
        },
        "groups": group_vectors(),
        "files": file_vectors(),
        "password": password_vectors(),
        "signatures": signature_vectors(),
    }


def kept_encapsulation() -> dict[str, str]:
    """The encapsulation in the vectors as they stand; empty where there are none."""
    path = FOLDER / "sessions.json"
    if not path.exists():
        return {}
    found: dict[str, str] = json.loads(path.read_text())["pqxdh"]["kem_encapsulation"]
    return found


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, vectors in all_vectors(kept_encapsulation()).items():
        (FOLDER / f"{name}.json").write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
