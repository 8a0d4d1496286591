"""The sessions with one peer device, as Signal's Sesame has them.

Several may stand at once: both sides may write first at the same time, and a device may begin anew when it
could not decrypt. One is active and is written in; a message that comes in on another one makes that one
active, so that both sides soon write in the same. At most `MAX_SESSIONS` are kept; the one that was least
recently active goes, and one in which both sides have written goes last.

Messages that can't be decrypted begin new sessions at a bounded rate (`may_repair`): a server that sends
nonsense neither uses prekeys up nor pushes a working session out.

The initiator puts the handshake before each message until it has got one in the session.
"""

from msgspec import Struct, field

from messenger.client.e2e.agreement import initiate, respond, session_id_for
from messenger.client.e2e.envelope import (
    Envelope,
    Handshake,
    RatchetMessage,
    decode_envelope,
    first_envelope,
    ratchet_envelope,
)
from messenger.client.e2e.errors import (
    IdentityKeyChanged,
    KemDowngrade,
    NoSession,
    ReflectedMessage,
    SenderMismatch,
    Undecryptable,
)
from messenger.client.e2e.payload import Claimed, Payload, open_payload, sealed_form
from messenger.client.e2e.prekeys import DeviceKeys
from messenger.client.e2e.ratchet import Ratchet, State
from messenger.client.e2e.state import dump, load
from messenger.client.e2e.trust import KnownDevice
from messenger.wire.keys import Bundle

MAX_SESSIONS = 5
MAX_REPAIRS = 3  # sessions that are begun at once because something could not be decrypted ...
REPAIR_EVERY = 3_600.0  # ... and seconds until another one may be
UNANSWERED = 20 * 86_400  # seconds; by then the peer may have forgotten the prekeys of the handshake
DATA_LABEL = b"messenger-pairwise-1\0"


class Opened(Struct, frozen=True, kw_only=True):
    """A decrypted message. `missed` is how many earlier messages of the session it leapt over.

    `keys_changed` says that a prekey was used up: the device's keys are stored with the sessions.
    """

    payload: Payload
    new_session: bool
    keys_changed: bool
    missed: int


class _Stored(Struct):
    """A session at rest. Before its first message it has no ratchet, but what that begins with."""

    session_id: bytes
    data: bytes
    identity_key: bytes
    created_at: float
    handshake: bytes | None = None
    beginning: tuple[bytes, bytes] | None = None
    ratchet: State | None = None
    sent: bool = False
    received: bool = False

    @property
    def works(self) -> bool:
        """Whether both sides have written in it."""
        return self.sent and self.received


class _State(Struct):
    user_id: str
    device_id: str
    sessions: list[_Stored] = field(default_factory=list)
    repairs: list[float] = field(default_factory=list)
    renew: bool = False


class _Session:
    """A session in use; `stored.ratchet` is brought up to date when it is written down."""

    def __init__(self, stored: _Stored) -> None:
        self.stored = stored
        self._ratchet: Ratchet | None = None
        self._moved = False

    @property
    def associated(self) -> bytes:
        return DATA_LABEL + self.stored.session_id + self.stored.data

    def ratchet(self) -> Ratchet | None:
        if self._ratchet is None and self.stored.ratchet is not None:
            self._ratchet = Ratchet.from_state(self.stored.ratchet)
        return self._ratchet

    def become(self, ratchet: Ratchet) -> None:
        self._ratchet, self._moved = ratchet, True

    def at_rest(self) -> _Stored:
        if self._moved and self._ratchet is not None:
            self.stored.ratchet, self._moved = self._ratchet.state(), False
        return self.stored

    def seal(self, plaintext: bytes) -> bytes:
        ratchet = self.ratchet()
        if ratchet is None:
            if self.stored.beginning is None:
                raise NoSession("The session was never begun.")
            secret, peer = self.stored.beginning
            ratchet, message = Ratchet.begun(secret, peer, plaintext, self.associated)
            self.stored.beginning = None
        else:
            message = ratchet.seal(plaintext, self.associated)
        self.become(ratchet)
        self.stored.sent = True
        if self.stored.handshake is not None:
            return first_envelope(self.stored.handshake, message)
        return ratchet_envelope(self.stored.session_id, message)

    def open(self, message: RatchetMessage, said: Claimed) -> tuple[Payload, int]:
        ratchet = self.ratchet()
        if ratchet is None:
            raise NoSession("The peer answers in a session in which nothing was written.")
        before = self.at_rest().ratchet
        try:
            plaintext = ratchet.open(message, self.associated)
        except Undecryptable:
            if message.ratchet_key == ratchet.own_key():
                raise ReflectedMessage("The server presents an own message as the peer's.") from None
            raise
        try:
            payload = open_payload(plaintext, said)
        except BaseException:
            # The key is not used up by a message that is not taken: the true one may still come.
            self._ratchet = None
            raise
        self.become(ratchet)
        self.stored.received = True
        after = self.at_rest().ratchet
        assert before is not None
        assert after is not None
        old = {one[:2] for one in before.skipped}
        return payload, sum(one[:2] not in old for one in after.skipped)


class PeerSessions:
    """All sessions with one device of a peer (or another device of the own user). What raises changes
    nothing."""

    def __init__(self, user_id: str, device_id: str) -> None:
        self.user_id = user_id
        self.device_id = device_id
        self._sessions: list[_Session] = []  # the active one first
        self._repairs: list[float] = []
        self._renew = False

    @classmethod
    def from_bytes(cls, raw: bytes) -> "PeerSessions":
        """The sessions that `to_bytes` wrote; BadState for anything else."""
        state = load(raw, _State)
        made = cls(state.user_id, state.device_id)
        made._sessions = [_Session(stored) for stored in state.sessions]
        made._repairs, made._renew = state.repairs, state.renew
        return made

    def to_bytes(self) -> bytes:
        """The sessions with their keys, in the clear: to be stored encrypted."""
        sessions = [one.at_rest() for one in self._sessions]
        return dump(_State(self.user_id, self.device_id, sessions, self._repairs, self._renew))

    def needs_bundle(self, now: float) -> bool:
        """Whether a bundle has to be claimed before the next message: there is no session, none that may be
        used, or the active one was begun `UNANSWERED` seconds ago and never answered."""
        if not self._sessions or self._renew:
            return True
        active = self._sessions[0].stored
        return active.handshake is not None and now - active.created_at >= UNANSWERED

    def renew(self) -> None:
        """Begin a new session before the next message: those that stand are from an older copy."""
        self._renew = bool(self._sessions)

    def may_repair(self, now: float) -> bool:
        """Whether what could not be decrypted may begin a new session, which counts as begun then: three at
        once, then one an hour."""
        # Those of the future are of a clock that was wrong: they hold nothing back.
        self._repairs = [one for one in self._repairs if abs(now - one) < MAX_REPAIRS * REPAIR_EVERY]
        recent = [one for one in self._repairs if abs(now - one) < REPAIR_EVERY]
        if len(self._repairs) >= MAX_REPAIRS and recent:
            return False
        self._repairs = [*self._repairs, now][-MAX_REPAIRS:]
        return True

    @property
    def active_id(self) -> bytes | None:
        """The id of the session that is written in."""
        return self._sessions[0].stored.session_id if self._sessions else None

    @property
    def session_ids(self) -> list[bytes]:
        """The ids of all sessions, the active one first."""
        return [one.stored.session_id for one in self._sessions]

    def start(self, keys: DeviceKeys, bundle: Bundle, *, now: float) -> None:
        """Begin a session by a bundle that `KnownUser.check_bundle` took; it becomes the active one.

        Raises BadPrekeySignature, UnusableKey; SenderMismatch for another device's bundle.
        """
        if (bundle.user_id, bundle.device_id) != (self.user_id, self.device_id):
            raise SenderMismatch("The bundle is another device's.")
        agreed, handshake = initiate(keys, bundle)
        stored = _Stored(agreed.session_id, agreed.data, bundle.identity_key, now)
        stored.handshake = handshake.encode()
        stored.beginning = (agreed.secret, bundle.signed_prekey.public_key)
        self._renew = False
        self._activate(_Session(stored))

    def seal(self, keys: DeviceKeys, payload: Payload) -> bytes:
        """The envelope of a payload, for this device alone. NoSession where a bundle has to be claimed first,
        PayloadTooLarge, SenderMismatch for a payload that is not the own device's."""
        if (payload.sender_id, payload.sender_device_id) != (keys.user_id, keys.device_id):
            raise SenderMismatch("A payload names another sender than this device.")
        if not self._sessions:
            raise NoSession("There is no session with the device yet.")
        return self._sessions[0].seal(sealed_form(payload))

    def open(
        self, keys: DeviceKeys, peer: KnownDevice, envelope: bytes, said: Claimed, *, now: float
    ) -> Opened:
        """The payload of an envelope from `peer`, checked against what the server said of the message.

        Raises Malformed, Undecryptable, Replayed, Refiled, ReflectedMessage, ReplayMemoryFull,
        IdentityKeyChanged, KemDowngrade.
        """
        if said.sender_device_id == keys.device_id:
            raise ReflectedMessage("The server presents an own message as one to be decrypted.")
        known = (peer.user_id, peer.device_id)
        if known != (self.user_id, self.device_id) or said.sender_device_id != self.device_id:
            raise SenderMismatch("The envelope is presented as another device's.")
        if said.sender_id not in (None, self.user_id):
            raise SenderMismatch("The envelope is presented as another user's.")
        found = decode_envelope(envelope)
        session_id = found.session_id
        if found.handshake is not None:
            self._check_identity(keys, peer, found.handshake)
            session_id = session_id_for(keys, self.user_id, self.device_id, found.handshake)
        for session in self._sessions:
            if session.stored.session_id == session_id:
                return self._open_in(session, peer, found, said)
        if found.handshake is None:
            raise NoSession("The message belongs to a session that this device does not have.")
        return self._open_first(keys, found.handshake, found.message, said, now)

    def _open_in(self, session: _Session, peer: KnownDevice, found: Envelope, said: Claimed) -> Opened:
        if session.stored.identity_key != peer.identity_key:
            raise IdentityKeyChanged(f"The identity key of device {peer.device_id} has changed.")
        payload, missed = session.open(found.message, said)
        session.stored.handshake = None  # the peer has it
        self._activate(session)
        return Opened(payload=payload, new_session=False, keys_changed=False, missed=missed)

    def _open_first(
        self, keys: DeviceKeys, handshake: Handshake, message: RatchetMessage, said: Claimed, now: float
    ) -> Opened:
        session_id = session_id_for(keys, self.user_id, self.device_id, handshake)
        kem_id = handshake.kem_prekey_id
        if kem_id is None:
            raise KemDowngrade("A handshake came without ML-KEM, which every device has.")
        spends = handshake.one_time_prekey_id is not None or (kem_id is not None and keys.kem_seed(kem_id)[1])
        if not spends:
            keys.check_first(session_id, self.device_id)
        agreed, private = respond(keys, self.user_id, self.device_id, handshake)
        stored = _Stored(agreed.session_id, agreed.data, handshake.identity_key, now)
        session = _Session(stored)
        ratchet, plaintext = Ratchet.answering(agreed.secret, private, message, session.associated)
        payload = open_payload(plaintext, said)
        session.become(ratchet)
        stored.received = True
        keys.use(session_id, self.device_id, handshake.signed_prekey_id, handshake.one_time_prekey_id, kem_id)
        self._activate(session)
        return Opened(payload=payload, new_session=True, keys_changed=True, missed=message.number)

    def _check_identity(self, keys: DeviceKeys, peer: KnownDevice, handshake: Handshake) -> None:
        if handshake.identity_key == keys.identity_key:
            raise ReflectedMessage("The server presents an own message as the peer's.")
        if handshake.identity_key != peer.identity_key:
            raise IdentityKeyChanged(
                f"A first message names another identity key for device {peer.device_id}."
            )

    def _activate(self, session: _Session) -> None:
        others = [one for one in self._sessions if one is not session]
        if len(others) >= MAX_SESSIONS:
            idle = [one for one in others if not one.stored.works]
            others.remove((idle or others)[-1])
        self._sessions = [session, *others]
