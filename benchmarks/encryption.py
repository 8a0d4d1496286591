"""What one client's encryption costs: sessions, group content and files, without network or store.

CPU of one thread. A message is a text of 100 characters, so 512 bytes padded. The state is written down
(`to_bytes`) with every message, as a client has to before it sends.
"""

import time
from collections.abc import Callable
from uuid import uuid4

from benchmarks.report import Row
from messenger.client.e2e import (
    Claimed,
    DeviceKeys,
    FileDecryptor,
    FileEncryptor,
    KnownDevice,
    Payload,
    PeerSessions,
    ReceivedChains,
    SendingChain,
    Text,
    claimed,
    new_payload,
)
from messenger.wire.conversations import Message
from messenger.wire.keys import Bundle, BundleKemPrekey, BundleOneTimePrekey, BundleSignedPrekey

MESSAGES = 3_000
SESSIONS = 100
MIB = 2**20
FILE_MIB = 256
CONVERSATION = str(uuid4())


def run() -> list[Row]:
    """The figures."""
    alice, bob = _device(), _device()
    return [*_sessions(alice, bob), *_pairwise(alice, bob), *_group(alice, bob), *_files()]


def _device() -> DeviceKeys:
    return DeviceKeys.create(str(uuid4()), str(uuid4()), now=0)


def _payload(sender: DeviceKeys, number: int) -> Payload:
    return new_payload(
        sender,
        conversation_id=CONVERSATION,
        client_id=str(uuid4()),
        kind="text",
        number=number,
        sent_at="2026-01-31T09:30:00.123Z",
        body=Text(text="x" * 100),
    )


def _said(payload: Payload) -> Claimed:
    return claimed(
        Message(
            conversation_id=payload.conversation_id,
            seq=payload.number,
            sender_id=payload.sender_id,
            sender_device_id=payload.sender_device_id,
            client_id=payload.client_id,
            kind=payload.kind,
            content=None,
            envelope=None,
            created_at=payload.sent_at,
            expires_at=None,
            deleted=False,
        )
    )


def _known(keys: DeviceKeys) -> KnownDevice:
    return KnownDevice(user_id=keys.user_id, device_id=keys.device_id, identity_key=keys.identity_key)


def _bundles(keys: DeviceKeys) -> list[Bundle]:
    signed = keys.signed_prekey()
    one_time = keys.new_one_time_prekeys(SESSIONS).prekeys
    kem = keys.new_kem_prekeys(SESSIONS, last_resort=True, now=0).prekeys
    return [
        Bundle(
            user_id=keys.user_id,
            device_id=keys.device_id,
            identity_key=keys.identity_key,
            signed_prekey=BundleSignedPrekey(signed.key_id, signed.public_key, signed.signature),
            one_time_prekey=BundleOneTimePrekey(one.key_id, one.public_key),
            kem_prekey=BundleKemPrekey(post.key_id, post.public_key, post.signature, False),
            list_version=None,
        )
        for one, post in zip(one_time, kem, strict=True)
    ]


def _rows(what: str, count: int, work: Callable[[], None], note: str) -> list[Row]:
    began = time.process_time()
    work()
    spent = time.process_time() - began
    return [
        Row(what, count / spent, "/s", note),
        Row(f"CPU, {what}", spent / count * 1e6, "µs", note),
    ]


def _sessions(alice: DeviceKeys, bob: DeviceKeys) -> list[Row]:
    bundles, sent = _bundles(bob), []

    def begin() -> None:
        for bundle in bundles:
            there, payload = PeerSessions(bob.user_id, bob.device_id), _payload(alice, 1)
            there.start(alice, bundle, now=0)
            sent.append((payload, there.seal(alice, payload)))
            there.to_bytes()

    def answer() -> None:
        for payload, envelope in sent:
            there = PeerSessions(alice.user_id, alice.device_id)
            there.open(bob, _known(alice), envelope, _said(payload), now=0)
            there.to_bytes()
            bob.to_bytes()

    note = "PQXDH, with the first message"
    return [
        *_rows("sessions begun", SESSIONS, begin, note),
        *_rows("sessions answered", SESSIONS, answer, note),
    ]


def _pairwise(alice: DeviceKeys, bob: DeviceKeys) -> list[Row]:
    to_bob, to_alice = (
        PeerSessions(bob.user_id, bob.device_id),
        PeerSessions(alice.user_id, alice.device_id),
    )
    to_bob.start(alice, _bundles(bob)[0], now=0)
    first = _payload(alice, 1)
    to_alice.open(bob, _known(alice), to_bob.seal(alice, first), _said(first), now=0)
    answer = _payload(bob, 1)
    to_bob.open(alice, _known(bob), to_alice.seal(bob, answer), _said(answer), now=0)
    sent: list[tuple[Payload, bytes]] = []

    def seal() -> None:
        for number in range(MESSAGES):
            payload = _payload(alice, number + 2)
            sent.append((payload, to_bob.seal(alice, payload)))
            to_bob.to_bytes()

    def open_() -> None:
        for payload, envelope in sent:
            to_alice.open(bob, _known(alice), envelope, _said(payload), now=0)
            to_alice.to_bytes()

    note = "for one device, state written"
    return [
        *_rows("messages encrypted, pairwise", MESSAGES, seal, note),
        *_rows("messages decrypted, pairwise", MESSAGES, open_, note),
    ]


def _group(alice: DeviceKeys, bob: DeviceKeys) -> list[Row]:
    chain = SendingChain.create(alice, CONVERSATION, now=0)
    received = ReceivedChains(CONVERSATION, alice.user_id, alice.device_id)
    received.accept(chain.distribution(1), _payload(alice, 1), is_member=True)
    sent: list[tuple[Payload, bytes]] = []

    def seal() -> None:
        for number in range(MESSAGES):
            payload = _payload(alice, number + 1)
            sent.append((payload, chain.seal(alice, payload)))
            chain.to_bytes()

    def open_() -> None:
        for payload, content in sent:
            received.open(bob, content, _said(payload))
            received.to_bytes()

    note = "for any number of devices, state written"
    return [
        *_rows("messages encrypted, sender key", MESSAGES, seal, note),
        *_rows("messages decrypted, sender key", MESSAGES, open_, note),
    ]


def _files() -> list[Row]:
    piece, encryptor = bytes(MIB), FileEncryptor()
    blob: list[bytes] = []

    def seal() -> None:
        for _ in range(FILE_MIB):
            blob.append(encryptor.update(piece))
        blob.extend(encryptor.finish())

    def open_() -> None:
        decryptor = FileDecryptor(encryptor.reference("file", "name", "text/plain"))
        for part in blob:
            decryptor.update(part)
        decryptor.finish()

    rows = [
        *_rows("MiB encrypted", FILE_MIB, seal, f"one file of {FILE_MIB} MiB"),
        *_rows("MiB decrypted", FILE_MIB, open_, f"one file of {FILE_MIB} MiB"),
    ]
    return [row._replace(unit="MiB/s") if row.unit == "/s" else row for row in rows]
