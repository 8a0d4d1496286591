"""What the server owns: keys of users and devices of its own, with which it tries to read all that passes."""

import base64
import time
from collections.abc import Iterable
from uuid import uuid4

from messenger.client.e2e import (
    AccountKey,
    Claimed,
    DeviceKeys,
    Known,
    KnownDevice,
    Payload,
    PeerSessions,
    ReceivedChains,
    SenderKey,
    Text,
    body_of,
    new_payload,
)
from messenger.client.e2e.envelope import decode_envelope
from messenger.client.e2e.errors import EncryptionError, Malformed
from messenger.core.ids import new_id
from messenger.wire import keys as wire
from messenger.wire.codec import base64_text
from messenger.wire.conversations import Draft
from tests.client.lying.calls_keys import bundle as true_bundle
from tests.client.lying.server import Server, now
from tests.client.lying.state import Device, Said, Talk, User


class Spy:
    """A device of the server's own, by whatever name it goes."""

    def __init__(self, keys: DeviceKeys) -> None:
        self.user_id = keys.user_id
        self.device_id = keys.device_id
        self.keys = keys
        self.one_time = self.keys.new_one_time_prekeys(20).prekeys
        self.kem = self.keys.new_kem_prekeys(2, last_resort=True, now=time.time())
        self.sessions: dict[str, PeerSessions] = {}
        self.chains: dict[tuple[str, str], ReceivedChains] = {}

    @classmethod
    def of(cls, keys: DeviceKeys) -> "Spy":
        """A person's device, as the server's friend."""
        return cls(DeviceKeys.from_bytes(keys.to_bytes()))

    def bundle(self, list_version: int | None = None) -> wire.Bundle:
        """A bundle that begins a session with it."""
        signed, last = self.keys.signed_prekey(), self.kem.last_resort
        assert last is not None
        # The last one is given out for ever, which no honest server does.
        one_time = self.one_time.pop(0) if len(self.one_time) > 1 else self.one_time[0]
        return wire.Bundle(
            user_id=self.user_id,
            device_id=self.device_id,
            identity_key=self.keys.identity_key,
            signed_prekey=wire.BundleSignedPrekey(signed.key_id, signed.public_key, signed.signature),
            one_time_prekey=wire.BundleOneTimePrekey(one_time.key_id, one_time.public_key),
            kem_prekey=wire.BundleKemPrekey(last.key_id, last.public_key, last.signature, True),
            list_version=list_version,
        )

    def with_device(self, device: Device) -> PeerSessions:
        """Its sessions with a device."""
        made = PeerSessions(device.user_id, device.device_id)
        return self.sessions.setdefault(device.device_id, made)

    def read(self, sender: Device, talk: Talk, draft: Draft, sealed: bytes) -> Payload | None:
        """What an envelope says, where this device's keys open it."""
        try:
            shake = decode_envelope(sealed).handshake
        except Malformed:
            return None
        key = sender.identity_key if shake is None else shake.identity_key
        if key is None:
            return None
        peer = KnownDevice(user_id=sender.user_id, device_id=sender.device_id, identity_key=key)
        said = _claimed(sender, talk, draft)
        try:
            opened = self.with_device(sender).open(self.keys, peer, sealed, said, now=time.time())
        except EncryptionError:
            return None
        self._keep(sender, talk, opened.payload)
        return opened.payload

    def _keep(self, sender: Device, talk: Talk, payload: Payload) -> None:
        body = body_of(payload)
        if isinstance(body, SenderKey):
            name = (talk.conversation_id, sender.device_id)
            made = ReceivedChains(talk.conversation_id, sender.user_id, sender.device_id)
            self.chains.setdefault(name, made).accept(body, payload, is_member=True)

    def read_group(self, sender: Device, talk: Talk, draft: Draft, content: bytes) -> Payload | None:
        """What group content says, where this device was given its chain."""
        chains = self.chains.get((talk.conversation_id, sender.device_id))
        if chains is None:
            return None
        try:
            return chains.open(self.keys, content, _claimed(sender, talk, draft))
        except EncryptionError:
            return None

    def payload(self, talk: Talk, client_id: str, body: Known | None = None) -> Payload:
        """Something that nobody said, or a control message."""
        return new_payload(
            self.keys,
            conversation_id=talk.conversation_id,
            client_id=client_id,
            kind="text" if body is None else "control",
            number=1 if body is None else 0,
            sent_at=now(),
            list_version=1,
            body=body or Text(text="what the server says in another's name"),
        )

    def write(self, server: Server, to: Iterable[Device], talk: Talk, body: Known | None = None) -> Said:
        """A message of its own to these devices, by bundles that the server has: not committed."""
        payload = self.payload(talk, str(uuid4()), body)
        envelopes = {}
        for device in to:
            sessions = self.with_device(device)
            if sessions.needs_bundle(time.time()):
                sessions.start(self.keys, true_bundle(server, device), now=time.time())
            envelopes[device.device_id] = sessions.seal(self.keys, payload)
        return Said(
            sender_id=self.user_id,
            sender_device_id=self.device_id,
            client_id=payload.client_id,
            kind=payload.kind,
            content=None,
            envelopes=envelopes,
            created_at=now(),
        )


def _claimed(sender: Device, talk: Talk, draft: Draft) -> Claimed:
    return Claimed(
        conversation_id=talk.conversation_id,
        sender_id=sender.user_id,
        sender_device_id=sender.device_id,
        client_id=draft.client_id,
        kind=draft.kind,
    )


class Adversary:
    """All spies of a story, and what they have read: it has to stay empty."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.spies: list[Spy] = []
        self.read: list[str] = []

    def spy(self, user_id: str, device_id: str | None = None) -> Spy:
        """Keys in the name of a user, for a device of its own or one that exists."""
        made = Spy(DeviceKeys.create(user_id, device_id or new_id(), now=time.time()))
        self.spies.append(made)
        return made

    def user(self, name: str) -> Spy:
        """A user of the server's own, with a device, signed and published as any other."""
        state, account = self.server.state, AccountKey.create()
        standing = state.user_named(name)
        if standing is not None:
            return next(one for one in self.spies if one.user_id == standing.user_id)
        user = User(new_id(), name, now(), "", None)
        state.users[user.user_id] = user
        device = state.new_device(user.user_id, name, now())
        spy = self.spy(user.user_id, device.device_id)
        device.identity_key, device.signed = spy.keys.identity_key, spy.keys.signed_prekey()
        device.one_time, device.kem, device.last_resort = (
            list(spy.one_time),
            list(spy.kem.prekeys),
            spy.kem.last_resort,
        )
        user.device_list = account.sign_list(user.user_id, 1, {device.device_id: spy.keys.identity_key})
        return spy

    def try_all(self) -> None:
        """Try all keys on all that was written."""
        for sender, talk, draft in self.server.drafts:
            for spy in self.spies:
                if sender.device_id == spy.device_id:
                    continue
                for one in draft.envelopes or ():
                    self._note(spy, sender, spy.read(sender, talk, draft, bytes(one.content)))
                if draft.content is not None:
                    self._note(spy, sender, spy.read_group(sender, talk, draft, bytes(draft.content)))

    def _note(self, spy: Spy, sender: Device, payload: Payload | None) -> None:
        if payload is not None:
            self.read.append(f"{type(body_of(payload)).__name__} of {sender.name} to {spy.user_id}")

    def overheard(self, kept: Iterable[bytes]) -> list[bytes]:
        """Those of these secrets that stand in what clients sent, in any spelling."""
        heard = b"\n".join(self.server.heard)
        return [secret for secret in kept if any(one in heard for one in _spellings(secret))]


def _spellings(secret: bytes) -> list[bytes]:
    found = [secret, secret.hex().encode()]
    for shift in range(3):
        # As it stands within a longer text in base64: less what its neighbours have a part in.
        whole = base64_text(bytes(shift) + secret).rstrip("=")
        found.append(whole[4 if shift else 0 : -2].encode())
        found.append(base64.urlsafe_b64encode(bytes(shift) + secret).rstrip(b"=")[4 if shift else 0 : -2])
    return found
