"""Devices' keys and pairwise sessions."""

from typing import Any

from messenger.client.e2e import Claimed, DeviceKeys, KnownDevice, PeerSessions
from messenger.client.e2e.payload import decode_payload, encode_payload
from messenger.client.e2e.primitives import sha256
from messenger.wire.keys import Bundle, BundleKemPrekey, BundleOneTimePrekey, BundleSignedPrekey
from tests.client.scenarios.running import Draw

raw = bytes.fromhex
Given = dict[str, Any]


def claimed_of(said: Given) -> Claimed:
    return Claimed(**said)


def bundle_of(given: Given) -> Bundle:
    signed, one_time, kem = given["signed_prekey"], given["one_time_prekey"], given["kem_prekey"]
    return Bundle(
        user_id=given["user_id"],
        device_id=given["device_id"],
        identity_key=raw(given["identity_key"]),
        signed_prekey=BundleSignedPrekey(
            signed["key_id"], raw(signed["public_key"]), raw(signed["signature"])
        ),
        one_time_prekey=one_time and BundleOneTimePrekey(one_time["key_id"], raw(one_time["public_key"])),
        kem_prekey=kem
        and BundleKemPrekey(kem["key_id"], raw(kem["public_key"]), raw(kem["signature"]), False),
        list_version=None,
    )


def prekey_of(key: Any) -> Given:
    found = {"key_id": key.key_id, "public_key": bytes(key.public_key).hex()}
    return found | ({"signature": bytes(key.signature).hex()} if hasattr(key, "signature") else {})


class Sessions:
    """Verbs of devices and sessions."""

    draw: Draw

    def __init__(self) -> None:
        super().__init__()
        self.devices: dict[str, DeviceKeys] = {}
        self.peers: dict[tuple[str, str], PeerSessions] = {}

    def _stored_keys(self, device: str) -> None:
        self.devices[device] = DeviceKeys.from_bytes(self.devices[device].to_bytes())

    def _with(self, device: str, peer: Given) -> PeerSessions:
        key = (device, peer["device_id"])
        found = self.peers.get(key) or PeerSessions(peer["user_id"], peer["device_id"])
        self.peers[key] = PeerSessions.from_bytes(found.to_bytes())
        return self.peers[key]

    def do_device(self, device: str, user_id: str, device_id: str, now: float) -> Given:
        keys = DeviceKeys.create(user_id, device_id, now=now, random=self.draw)
        self.devices[device] = keys
        return {"identity_key": keys.identity_key.hex(), "signed_prekey": prekey_of(keys.signed_prekey())}

    def do_new_signed_prekey(self, device: str, now: float) -> Given:
        made = self.devices[device].rotate_signed_prekey(now=now, random=self.draw)
        self._stored_keys(device)
        return {"signed_prekey": prekey_of(made)}

    def do_signed_prekey_due(self, device: str, now: float) -> Given:
        return {"due": self.devices[device].signed_prekey_due(now)}

    def do_one_time_prekeys(self, device: str, count: int) -> Given:
        made = self.devices[device].new_one_time_prekeys(count, self.draw)
        self._stored_keys(device)
        return {"prekeys": [prekey_of(one) for one in made.prekeys]}

    def do_kem_prekeys(self, device: str, count: int, last_resort: bool, now: float) -> Given:
        made = self.devices[device].new_kem_prekeys(count, last_resort=last_resort, now=now, random=self.draw)
        self._stored_keys(device)
        last = None if made.last_resort is None else prekey_of(made.last_resort)
        return {"prekeys": [prekey_of(one) for one in made.prekeys], "last_resort": last}

    def do_start(self, device: str, bundle: Given, now: float) -> Given:
        sessions = self._with(device, bundle)
        sessions.start(self.devices[device], bundle_of(bundle), now=now)
        stored = sessions._sessions[0].stored
        assert stored.beginning is not None
        return {
            "data": stored.data.hex(),
            "session_id": stored.session_id.hex(),
            "secret": stored.beginning[0].hex(),
        }

    def do_seal(self, device: str, peer: Given, payload: str) -> Given:
        sessions = self._with(device, peer)
        envelope = sessions.seal(self.devices[device], decode_payload(payload.encode()))
        return {"envelope": envelope.hex()}

    def do_seal_often(self, device: str, peer: Given, payload: str, times: int) -> Given:
        sessions, message = self._with(device, peer), decode_payload(payload.encode())
        made = [sessions.seal(self.devices[device], message) for _ in range(times)]
        return {"sha256": sha256(*made).hex()}

    def do_open(self, device: str, peer: Given, envelope: str, said: Given, now: float) -> Given:
        sessions = self._with(device, peer)
        known = KnownDevice(
            user_id=peer["user_id"], device_id=peer["device_id"], identity_key=raw(peer["identity_key"])
        )
        opened = sessions.open(self.devices[device], known, raw(envelope), claimed_of(said), now=now)
        if opened.keys_changed:
            self._stored_keys(device)
        active = sessions.active_id
        assert active is not None
        return {
            "payload": encode_payload(opened.payload).decode(),
            "new_session": opened.new_session,
            "missed": opened.missed,
            "session_id": active.hex(),
        }

    def do_sessions(self, device: str, peer: Given, now: float) -> Given:
        sessions = self._with(device, peer)
        ids = [one.hex() for one in sessions.session_ids]
        return {"session_ids": ids, "needs_bundle": sessions.needs_bundle(now)}

    def do_may_repair(self, device: str, peer: Given, now: float) -> Given:
        return {"may": self._with(device, peer).may_repair(now)}

    def do_renew(self, device: str, peer: Given) -> Given:
        self._with(device, peer).renew()
        return {}
