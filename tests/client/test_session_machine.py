"""Sessions under loss, reordering, duplication, restarts and lost stores, by a state machine.

Two devices write; the network is a bag of envelopes from which hypothesis delivers, repeats and drops as it
likes. Whatever happens, what is delivered for the first time is read or is one of the named errors that a
device may answer with a question; nothing is read twice; and when all is quiet both sides agree again.
"""

from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from messenger.client.e2e import Payload, PeerSessions, errors
from messenger.client.e2e.sessions import MAX_SESSIONS
from tests.client.e2e_world import Device, User, said_of

CONVERSATION = str(uuid4())


class Sessions(RuleBasedStateMachine):
    """Two devices and what is under way between them."""

    @initialize(one_time=st.integers(0, 3), kem=st.integers(0, 3))
    def begin(self, one_time: int, kem: int) -> None:
        self.devices = [User().device(one_time=one_time, kem=kem) for _ in range(2)]
        self.under_way: list[tuple[int, Payload, bytes]] = []
        self.delivered: list[tuple[int, Payload, bytes]] = []
        self.read: set[str] = set()
        self.stores_lost = 0

    def peers(self, sender: int) -> tuple[Device, Device]:
        return self.devices[sender], self.devices[1 - sender]

    def attempt(self, sender: int, payload: Payload, envelope: bytes) -> None:
        source, target = self.peers(sender)
        opened = target.open(source, envelope, said_of(payload))
        assert opened.payload == payload
        assert payload.client_id not in self.read
        self.read.add(payload.client_id)

    @rule(sender=st.integers(0, 1), burst=st.integers(1, 4))
    def write(self, sender: int, burst: int) -> None:
        source, target = self.peers(sender)
        for _ in range(burst):
            payload = source.payload(CONVERSATION)
            self.under_way.append((sender, payload, source.seal(target, payload)))

    @rule(sender=st.integers(0, 1))
    def write_in_a_new_session(self, sender: int) -> None:
        source, target = self.peers(sender)
        payload = source.payload(CONVERSATION)
        envelope = source.seal(target, payload, bundle=target.bundle())
        self.under_way.append((sender, payload, envelope))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.under_way) - 1))
        message = self.under_way.pop(index)
        self.delivered.append(message)
        try:
            self.attempt(*message)
        except errors.EncryptionError as error:
            self.check_readable_again(error)

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        sender, payload, envelope = self.delivered[data.draw(st.integers(0, len(self.delivered) - 1))]
        if payload.client_id in self.read:
            with pytest.raises((errors.Replayed, errors.Undecryptable)):
                self.attempt(sender, payload, envelope)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), bit=st.integers(0, 7))
    def tamper(self, data: st.DataObject, bit: int) -> None:
        sender, payload, envelope = self.under_way[data.draw(st.integers(0, len(self.under_way) - 1))]
        changed = bytearray(envelope)
        changed[data.draw(st.integers(0, len(envelope) - 1))] ^= 1 << bit
        with pytest.raises(errors.EncryptionError):
            self.attempt(sender, payload, bytes(changed))

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.devices[which].reload()

    @rule(which=st.integers(0, 1))
    def lose_sessions(self, which: int) -> None:
        self.devices[which].sessions.clear()
        self.stores_lost += 1

    def check_readable_again(self, error: errors.EncryptionError) -> None:
        """Only who lost sessions, or was begun with more often than sessions are kept, can't read."""
        assert error.asks_resend
        kept = [one for device in self.devices for one in device.sessions.values()]
        assert self.stores_lost or any(len(one.session_ids) >= MAX_SESSIONS for one in kept)

    @invariant()
    def sessions_are_bounded(self) -> None:
        for device in getattr(self, "devices", ()):
            for sessions in device.sessions.values():
                assert isinstance(sessions, PeerSessions)
                assert len(sessions.session_ids) <= MAX_SESSIONS

    def teardown(self) -> None:
        """All that is under way arrives; then each can be reached again, and both write in one session."""
        if not hasattr(self, "devices"):
            return
        while self.under_way:
            self.deliver_first()
        for sender in (0, 1, 0, 1):
            source, target = self.peers(sender)
            payload = source.payload(CONVERSATION)
            try:
                self.attempt(sender, payload, source.seal(target, payload))
            except errors.EncryptionError as error:
                self.check_readable_again(error)
                again = target.payload(CONVERSATION)
                self.attempt(1 - sender, again, target.seal(source, again, bundle=source.bundle()))
                payload = source.payload(CONVERSATION)
                self.attempt(sender, payload, source.seal(target, payload))
        one, two = self.devices
        assert one.sessions[two.device_id].active_id == two.sessions[one.device_id].active_id

    def deliver_first(self) -> None:
        try:
            self.attempt(*self.under_way.pop(0))
        except errors.EncryptionError as error:
            self.check_readable_again(error)


QUICK = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
LONG = settings(
    max_examples=400, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)


class TestSessions(Sessions.TestCase):
    settings = QUICK


@pytest.mark.long
class TestSessionsForLong(Sessions.TestCase):
    settings = LONG
