"""docs/vectors: as they stand they are what the client makes, and what it reads."""

import json
from typing import Any

import pytest

from messenger.client.e2e import (
    DeviceKeys,
    KnownDevice,
    PeerSessions,
    ReceivedChains,
    decode_payload,
    encode_payload,
    open_conversation_metadata,
    open_file_metadata,
    read_contact_link,
)
from messenger.client.e2e.account import devices_of_list
from messenger.client.e2e.bodies import SenderKey
from messenger.client.e2e.prekeys import SignedPair, _State
from messenger.client.e2e.primitives import ed25519_holds, ed25519_public
from messenger.client.e2e.state import dump
from messenger.wire.codec import Binary, Uuid
from messenger.wire.keys import DeviceList, ListedDevice
from tests.client.e2e_world import NOW, said_of
from tests.client.second.basics import holds
from tests.client.vectors import FOLDER, all_vectors, kept_encapsulation

raw = bytes.fromhex


def stored(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def test_the_vectors_are_what_the_client_makes() -> None:
    kept = kept_encapsulation()
    assert kept
    for name, made in all_vectors(kept).items():
        assert made == stored(name), f"docs/vectors/{name}.json: python -m tests.client.vectors makes it anew"


@pytest.mark.parametrize("name", ["pqxdh", "pqxdh_without_one_time_prekey"])
def test_the_responder_reads_a_session_from_private_keys_alone(name: str) -> None:
    vector = stored("sessions")[name]
    private, bundle, first = vector["private"], vector["responder"], vector["initiator"]
    state = _State(bundle["user_id"], bundle["device_id"], raw(private["responder_identity_seed"]))
    signed = bundle["signed_prekey"]
    pair = SignedPair(signed["key_id"], raw(private["signed_prekey_private"]), raw(signed["signature"]), NOW)
    state.signed.append(pair)
    if bundle["one_time_prekey"]:
        state.one_time[bundle["one_time_prekey"]["key_id"]] = raw(private["one_time_prekey_private"])
    state.kem[bundle["kem_prekey"]["key_id"]] = raw(private["kem_prekey_seed"])
    keys = DeviceKeys.from_bytes(dump(state))
    assert keys.identity_key == raw(bundle["identity_key"])
    peer = KnownDevice(
        user_id=first["user_id"], device_id=first["device_id"], identity_key=raw(first["identity_key"])
    )
    sessions = PeerSessions(peer.user_id, peer.device_id)
    for message in vector["messages"][:2]:
        payload = decode_payload(message["payload"].encode())
        opened = sessions.open(keys, peer, raw(message["envelope"]), said_of(payload), now=NOW)
        assert encode_payload(opened.payload) == message["payload"].encode()
    assert sessions.active_id == raw(vector["session_id"])


def test_group_content_reads_from_the_sender_key() -> None:
    vector = stored("groups")
    key = vector["sender_key"]
    body = SenderKey(
        chain_id=raw(key["chain_id"]),
        iteration=key["iteration"],
        chain_key=raw(key["chain_key"]),
        signature_key=raw(key["signature_key"]),
        number=key["number"],
    )
    reader = DeviceKeys.create(vector["user_id"], vector["conversation_id"], now=NOW)
    chains = ReceivedChains(vector["conversation_id"], vector["user_id"], vector["device_id"])
    payloads = [decode_payload(message["payload"].encode()) for message in vector["messages"]]
    chains.accept(body, payloads[0], is_member=True)
    for payload, message in zip(payloads, vector["messages"], strict=True):
        assert chains.open(reader, raw(message["content"]), said_of(payload)) == payload


def test_lists_links_and_metadata_read() -> None:
    made = stored("account")["device_list"]
    assert ed25519_public(raw(made["account_seed"])) == raw(made["account_key"])
    devices = [
        ListedDevice(Uuid(one["device_id"]), Binary(raw(one["identity_key"]))) for one in made["devices"]
    ]
    given = DeviceList(
        Binary(raw(made["account_key"])), made["version"], devices, Binary(raw(made["signature"]))
    )
    assert devices_of_list(made["user_id"], given).keys() == {one.device_id for one in devices}
    link = stored("account")["contact_link"]
    assert read_contact_link(link["link"]).fits(link["user_id"], raw(link["account_key"]))
    files = stored("files")
    about = open_file_metadata(raw(files["file_metadata"]["key"]), raw(files["file_metadata"]["sealed"]))
    assert about.name == files["file_metadata"]["name"]
    named = files["conversation_metadata"]
    assert open_conversation_metadata(raw(named["key"]), raw(named["sealed"])).name == named["name"]


def test_signatures_hold_by_the_rule_of_the_page() -> None:
    """Libraries differ on these, OpenSSL and noble among them."""
    for vector in stored("signatures")["signatures"]:
        given = [raw(vector[name]) for name in ("key", "signature", "text")]
        assert (ed25519_holds(*given), holds(*given)) == (vector["holds"],) * 2, vector["case"]
