"""Envelopes and the sessions with one device; the verbs of both."""

from dataclasses import dataclass, field

from tests.client.second.basics import Draw, Given, Refused, padded, raw, sha256, unpadded
from tests.client.second.devices import (
    Handshake,
    Keys,
    initiated,
    responded,
    responder_data,
    session_id_of,
)
from tests.client.second.payloads import check_said, read_payload
from tests.client.second.ratchet import Ratchet

HOUR = 3_600.0


@dataclass
class Session:
    """One session; before the first message its `beginning` is secret and signed prekey."""

    session_id: bytes
    data: bytes
    peer_key: bytes
    begun: float
    handshake: bytes | None = None
    beginning: tuple[bytes, bytes] | None = None
    ratchet: Ratchet | None = None
    wrote: bool = False
    read: bool = False

    @property
    def associated(self) -> bytes:
        return b"messenger-pairwise-1\0" + self.session_id + self.data


@dataclass
class Peer:
    """What there is with one device of a peer, the active session first."""

    user_id: str
    sessions: list[Session] = field(default_factory=list)
    repairs: list[float] = field(default_factory=list)
    renew: bool = False

    def activate(self, session: Session) -> None:
        others = [one for one in self.sessions if one is not session]
        if len(others) == 5:
            lost = [one for one in others if not (one.wrote and one.read)] or others
            others.remove(lost[-1])
        self.sessions = [session, *others]


def taken_apart(envelope: bytes) -> tuple[bytes | None, Handshake | None, bytes]:
    """The session's id or a handshake, and the ratchet message."""
    if len(envelope) < 2:
        raise Refused("Malformed")
    if envelope[0] != 1:
        raise Refused("UnsupportedVersion")
    session_id, handshake, rest = None, None, b""
    if envelope[1] == 1:
        session_id, rest = envelope[2:18], envelope[18:]
    elif envelope[1] == 2:
        handshake, rest = Handshake.read(envelope[2:])
    if len(rest) < 40:
        raise Refused("Malformed")
    return session_id, handshake, rest


class Sessions:
    """Verbs of devices and sessions."""

    draw: Draw

    def __init__(self) -> None:
        super().__init__()
        self.devices: dict[str, Keys] = {}
        self.peers: dict[tuple[str, str], Peer] = {}

    def _with(self, device: str, peer: Given) -> Peer:
        return self.peers.setdefault((device, peer["device_id"]), Peer(peer["user_id"]))

    def do_device(self, device: str, user_id: str, device_id: str, now: float) -> Given:
        keys = self.devices[device] = Keys(user_id, device_id, self.draw(32))
        signed = keys.new_signed(now, self.draw)
        return {"identity_key": keys.identity_key.hex(), "signed_prekey": signed}

    def do_new_signed_prekey(self, device: str, now: float) -> Given:
        return {"signed_prekey": self.devices[device].new_signed(now, self.draw)}

    def do_signed_prekey_due(self, device: str, now: float) -> Given:
        return {"due": self.devices[device].signed_due(now)}

    def do_one_time_prekeys(self, device: str, count: int) -> Given:
        return {"prekeys": self.devices[device].new_one_time(count, self.draw)}

    def do_kem_prekeys(self, device: str, count: int, last_resort: bool, now: float) -> Given:
        made, last = self.devices[device].new_kem(count, last_resort, now, self.draw)
        return {"prekeys": made, "last_resort": last}

    def do_start(self, device: str, bundle: Given, now: float) -> Given:
        data, handshake, secret = initiated(self.devices[device], bundle, self.draw)
        session = Session(
            session_id_of(data, handshake), data, raw(bundle["identity_key"]), now, handshake=handshake
        )
        session.beginning = (secret, raw(bundle["signed_prekey"]["public_key"]))
        peer = self._with(device, bundle)
        peer.renew = False
        peer.activate(session)
        return {
            "data": data.hex(),
            "session_id": session.session_id.hex(),
            "secret": secret.hex(),
        }

    def do_seal(self, device: str, peer: Given, payload: str) -> Given:
        keys, said = self.devices[device], read_payload(payload.encode())
        if (said["sender_id"], said["sender_device_id"]) != (keys.user_id, keys.device_id):
            raise Refused("SenderMismatch")
        there = self._with(device, peer).sessions
        if not there:
            raise Refused("NoSession")
        session, plaintext = there[0], padded(payload.encode())
        if session.ratchet is None:
            assert session.beginning is not None
            session.ratchet = Ratchet.first(*session.beginning, self.draw)
        session.ratchet, message = session.ratchet.seal(plaintext, session.associated)
        session.wrote = True
        if session.handshake is not None:
            return {"envelope": (b"\x01\x02" + session.handshake + message).hex()}
        return {"envelope": (b"\x01\x01" + session.session_id + message).hex()}

    def do_seal_often(self, device: str, peer: Given, payload: str, times: int) -> Given:
        made = [self.do_seal(device, peer, payload)["envelope"] for _ in range(times)]
        return {"sha256": sha256(raw("".join(made))).hex()}

    def do_open(self, device: str, peer: Given, envelope: str, said: Given, now: float) -> Given:
        keys = self.devices[device]
        if said["sender_device_id"] == keys.device_id:
            raise Refused("ReflectedMessage")
        if said["sender_device_id"] != peer["device_id"] or said["sender_id"] not in (None, peer["user_id"]):
            raise Refused("SenderMismatch")
        session_id, handshake, message = taken_apart(raw(envelope))
        if handshake is not None:
            if handshake.identity_key == keys.identity_key:
                raise Refused("ReflectedMessage")
            if handshake.identity_key != raw(peer["identity_key"]):
                raise Refused("IdentityKeyChanged")
            session_id = session_id_of(responder_data(keys, peer, handshake), handshake.encoded)
        there = self._with(device, peer)
        assert session_id is not None
        session = next((one for one in there.sessions if one.session_id == session_id), None)
        if session is not None:
            payload, missed = self._in_session(session, peer, message, said)
            new = False
        elif handshake is None:
            raise Refused("NoSession")
        else:
            session, payload, missed = self._first(keys, peer, handshake, message, said, now)
            new = True
        there.activate(session)
        return {
            "payload": payload,
            "new_session": new,
            "missed": missed,
            "session_id": session.session_id.hex(),
        }

    def _in_session(self, session: Session, peer: Given, message: bytes, said: Given) -> tuple[str, int]:
        if session.peer_key != raw(peer["identity_key"]):
            raise Refused("IdentityKeyChanged")
        ratchet = session.ratchet
        if ratchet is None:
            raise Refused("NoSession")
        try:
            after, plaintext, missed = ratchet.open(message, session.associated, self.draw)
        except Refused as error:
            if error.name in ("AuthenticationFailed", "TooFarAhead") and ratchet.wrote(message):
                raise Refused("ReflectedMessage") from None
            raise
        payload = unpadded(plaintext)
        check_said(read_payload(payload), said)
        session.ratchet, session.read, session.handshake = after, True, None
        return payload.decode(), missed

    def _first(
        self, keys: Keys, peer: Given, handshake: Handshake, message: bytes, said: Given, now: float
    ) -> tuple[Session, str, int]:
        if handshake.kem_id is None:
            raise Refused("KemDowngrade")
        data = responder_data(keys, peer, handshake)
        session_id = session_id_of(data, handshake.encoded)
        if not keys.spends(handshake):
            keys.check_first(session_id, peer["device_id"])
        secret, signed = responded(keys, peer, handshake)
        session = Session(session_id, data, handshake.identity_key, now)
        ratchet = Ratchet.second(secret, signed, message[:32], self.draw)
        session.ratchet, plaintext, missed = ratchet.open(message, session.associated, self.draw)
        payload = unpadded(plaintext)
        check_said(read_payload(payload), said)
        session.read = True
        keys.use(session_id, peer["device_id"], handshake)
        return session, payload.decode(), missed

    def do_sessions(self, device: str, peer: Given, now: float) -> Given:
        there = self._with(device, peer)
        needs = not there.sessions or there.renew
        if not needs:
            active = there.sessions[0]
            needs = active.handshake is not None and now - active.begun >= 20 * 86_400
        return {"session_ids": [one.session_id.hex() for one in there.sessions], "needs_bundle": needs}

    def do_may_repair(self, device: str, peer: Given, now: float) -> Given:
        there = self._with(device, peer)
        there.repairs = [one for one in there.repairs if now - one < 3 * HOUR]
        if len(there.repairs) == 3 and any(now - one < HOUR for one in there.repairs):
            return {"may": False}
        there.repairs = [*there.repairs, now][-3:]
        return {"may": True}

    def do_renew(self, device: str, peer: Given) -> Given:
        there = self._with(device, peer)
        there.renew = bool(there.sessions)
        return {}
