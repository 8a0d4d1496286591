"""People and devices for tests of the encryption; what a server would do for them is done by dictionaries."""

import random as pseudo
from uuid import UUID, uuid4

import msgspec

from messenger.client.e2e import (
    AccountKey,
    Claimed,
    DeviceKeys,
    Known,
    KnownUser,
    Opened,
    Payload,
    PeerSessions,
    Policy,
    Text,
    new_payload,
)
from messenger.wire.keys import (
    Bundle,
    BundleKemPrekey,
    BundleOneTimePrekey,
    BundleSignedPrekey,
    DeviceIdentity,
    DeviceList,
    Identities,
    PendingDevice,
)

NOW = 1_800_000_000.0
SENT_AT = "2027-01-15T08:00:00.000Z"


class User:
    """A user with an account key."""

    def __init__(self) -> None:
        self.user_id = str(uuid4())
        self.account = AccountKey.create()
        self.devices: list[Device] = []
        self.list_version = 0
        self._listed: tuple[bytes, dict[str, bytes]] = (b"", {})

    def device(self, *, one_time: int = 10, kem: int = 5) -> "Device":
        made = Device(self, one_time, kem)
        self.devices.append(made)
        return made

    def list(self) -> DeviceList:
        """The signed list of the devices there are; a new version where they or the account key changed."""
        devices = {one.device_id: one.keys.identity_key for one in self.devices}
        if (self.account.public, devices) != self._listed:
            self.list_version += 1
            self._listed = (self.account.public, devices)
        return self.account.sign_list(self.user_id, self.list_version, devices)

    def pending(self, *waiting: "Device") -> Identities:
        """What the server says to this user's own devices while these wait."""
        found = [
            PendingDevice(
                device_id=one.device_id,
                identity_key=one.keys.identity_key,
                device_name="phone",
                created_at=SENT_AT,
            )
            for one in waiting
        ]
        return msgspec.structs.replace(self.identities(), pending=found)

    def identities(self) -> Identities:
        items = [
            DeviceIdentity(device_id=one.device_id, identity_key=one.keys.identity_key)
            for one in self.devices
        ]
        return Identities(device_list=self.list(), items=items)


class Device:
    """A device with published keys, and what it knows of others."""

    def __init__(self, user: User, one_time: int, kem: int) -> None:
        self.user = user
        self.device_id = str(uuid4())
        self.keys = DeviceKeys.create(user.user_id, self.device_id, now=NOW)
        self.one_time = self.keys.new_one_time_prekeys(one_time).prekeys if one_time else []
        self.kem = self.keys.new_kem_prekeys(kem, last_resort=True, now=NOW)
        self.kem_left = list(self.kem.prekeys)
        self.known: dict[str, KnownUser] = {}
        self.sessions: dict[str, PeerSessions] = {}
        self.numbers: dict[str, int] = {}

    def bundle(self, *, one_time: bool = True, kem: bool = True) -> Bundle:
        """A bundle as the key service gives it; flags take a prekey out of it, as a hostile server might."""
        signed = self.keys.signed_prekey()
        prekey = self.one_time.pop(0) if one_time and self.one_time else None
        offered, last = None, False
        if kem:
            last = not (one_time and self.kem_left)
            offered = self.kem.last_resort if last else self.kem_left.pop(0)
        return Bundle(
            user_id=self.user.user_id,
            device_id=self.device_id,
            identity_key=self.keys.identity_key,
            signed_prekey=BundleSignedPrekey(
                signed.key_id, bytes(signed.public_key), bytes(signed.signature)
            ),
            one_time_prekey=None
            if prekey is None
            else BundleOneTimePrekey(prekey.key_id, bytes(prekey.public_key)),
            kem_prekey=None
            if offered is None
            else BundleKemPrekey(offered.key_id, bytes(offered.public_key), bytes(offered.signature), last),
            list_version=self.user.list_version,
        )

    def knows(self, user: User) -> KnownUser:
        known = self.known.setdefault(user.user_id, KnownUser(user.user_id))
        known.learn(user.identities(), Policy.REFUSE)
        return known

    def with_peer(self, peer: "Device") -> PeerSessions:
        """The sessions with a peer, written down and read again: tests then cover what is stored, too."""
        there = self.sessions.get(peer.device_id) or PeerSessions(peer.user.user_id, peer.device_id)
        self.sessions[peer.device_id] = PeerSessions.from_bytes(there.to_bytes())
        return self.sessions[peer.device_id]

    def reload(self) -> None:
        """As after a restart."""
        self.keys = DeviceKeys.from_bytes(self.keys.to_bytes())

    def payload(
        self, conversation_id: str, text: str = "hello", *, kind: str = "text", body: Known | None = None
    ) -> Payload:
        number = self.numbers[conversation_id] = self.numbers.get(conversation_id, 0) + 1
        return new_payload(
            self.keys,
            conversation_id=conversation_id,
            client_id=str(uuid4()),
            kind=kind,
            number=number,
            sent_at=SENT_AT,
            body=body or Text(text=text),
        )

    def seal(self, peer: "Device", payload: Payload, *, bundle: Bundle | None = None) -> bytes:
        sessions = self.with_peer(peer)
        if bundle is not None or sessions.needs_bundle(NOW):
            bundle = bundle or peer.bundle()
            self.knows(peer.user).check_bundle(bundle)
            sessions.start(self.keys, bundle, now=NOW)
        return sessions.seal(self.keys, payload)

    def open(self, sender: "Device", envelope: bytes, said: Claimed) -> Opened:
        peer = self.knows(sender.user).device(sender.device_id)
        opened = self.with_peer(sender).open(self.keys, peer, envelope, said, now=NOW)
        if opened.keys_changed:
            self.reload()
        return opened


def said_of(payload: Payload, **other: str) -> Claimed:
    """What an honest server says of a message; what it says otherwise is given by name."""
    said = {
        "conversation_id": payload.conversation_id,
        "sender_id": payload.sender_id,
        "sender_device_id": payload.sender_device_id,
        "client_id": payload.client_id,
        "kind": payload.kind,
    }
    return Claimed(**{**said, **other})


def fixed_random(seed: int):
    """Bytes that are the same in each run."""
    source = pseudo.Random(seed)
    return source.randbytes


def fixed_id(seed: int) -> str:
    """A UUID that is the same in each run."""
    return str(UUID(int=pseudo.Random(seed).getrandbits(128), version=7 if seed < 0 else 4))
