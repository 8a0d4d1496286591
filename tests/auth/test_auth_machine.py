"""Any order of logins, refreshes, lost answers, stolen tokens, logouts and password changes.

The model knows of each session every refresh token it ever gave out, in order. What must hold: only the last
one is spent; the one before it is answered again for 30 s while its successor is unused; any other ends the
session, for whoever holds it; nothing brings an ended session back.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from messenger.core.identity import Identity
from messenger.wire.auth import Login, PasswordChange, Refresh, Register, Session
from messenger.wire.errors import Code, Problem
from tests.auth.auth_fakes import House
from tests.fakes import run

LIFETIME = 5_184_000.0


@dataclass
class Model:
    """A session as it should be."""

    who: Identity
    tokens: list[str]
    refreshed_at: float
    ended: str | None = None
    spent_at: float = field(default=-1e9)


class Sessions(RuleBasedStateMachine):
    """One user, any number of devices."""

    sessions = Bundle("sessions")

    @initialize(target=sessions)
    def register(self) -> Model:
        self.house = House(devices=1_000, limits={"guess": "off", "guess_address": "off"})
        self.password = "the first password"
        self.models: list[Model] = []
        self.removed: set[str] = set()
        body = Register(username="alice", password=self.password)
        return self._opened(run(self.house.accounts.register(body)))

    def _opened(self, session: Session) -> Model:
        model = Model(self.house.who(session), [session.refresh_token], self.house.clock.seconds)
        self.models.append(model)
        return model

    def _code(self, coroutine: object) -> object:
        try:
            return run(coroutine)
        except Problem as problem:
            return problem.code

    @rule(target=sessions)
    def login(self) -> Model:
        return self._opened(run(self.house.sessions.login(Login(username="alice", password=self.password))))

    @rule(target=sessions, one=sessions)
    def login_as_a_device(self, one: Model) -> Model:
        body = Login(username="alice", password=self.password, device_id=one.who.device_id)
        found = self._code(self.house.sessions.login(body))
        if one.who.device_id in self.removed:
            assert found == Code.not_found
            return one
        for other in self.models:
            if other.who.device_id == one.who.device_id and other.ended is None:
                other.ended = "replaced"
        assert isinstance(found, Session)
        return self._opened(found)

    @rule(seconds=st.sampled_from([1.0, 10.0, 29.0, 31.0, 900.0, 1_000_000.0]))
    def wait(self, seconds: float) -> None:
        self.house.clock.seconds += seconds

    @rule(one=sessions, back=st.integers(0, 4))
    def refresh(self, one: Model, back: int) -> None:
        index = max(0, len(one.tokens) - 1 - back)
        found = self._code(self.house.sessions.refresh(Refresh(refresh_token=one.tokens[index])))
        now = self.house.clock.seconds
        if one.ended is not None:
            assert found == (Code.refresh_reused if one.ended == "reused" else Code.unauthorized)
        elif now - one.refreshed_at >= LIFETIME:
            assert found == Code.unauthorized
        elif index == len(one.tokens) - 1:
            assert isinstance(found, Session)
            assert found.refresh_token not in one.tokens
            one.tokens.append(found.refresh_token)
            one.refreshed_at = one.spent_at = now
        elif index == len(one.tokens) - 2 and now - one.spent_at < 30:
            assert isinstance(found, Session)
            assert found.refresh_token == one.tokens[-1]
        else:
            assert found == Code.refresh_reused
            one.ended = "reused"

    @rule(one=sessions, seconds=st.sampled_from([1.0, 29.0, 31.0]))
    def lose_an_answer(self, one: Model, seconds: float) -> None:
        self.refresh(one, 0)
        self.wait(seconds)
        self.refresh(one, 1)

    @rule(one=sessions)
    def logout(self, one: Model) -> None:
        run(self.house.sessions.logout(one.who))
        one.ended = one.ended or "logout"

    @rule(one=sessions)
    def remove_device(self, one: Model) -> None:
        found = self._code(self.house.accounts.remove_device(one.who, one.who.device_id))
        assert found == (Code.not_found if one.who.device_id in self.removed else None)
        self.removed.add(one.who.device_id)
        for other in self.models:
            if other.who.device_id == one.who.device_id:
                other.ended = other.ended or "removed"

    @rule(one=sessions, number=st.integers(0, 9))
    def change_password(self, one: Model, number: int) -> None:
        new = f"another password {number}"
        change = PasswordChange(current_password=self.password, new_password=new)
        run(self.house.accounts.change_password(one.who, change))
        self.password = new
        for other in self.models:
            if other is not one:
                other.ended = other.ended or "password"

    @rule()
    def guess(self) -> None:
        body = Login(username="alice", password=self.password + "x")
        assert self._code(self.house.sessions.login(body)) == Code.unauthorized

    @invariant()
    def a_device_has_one_live_session_and_each_end_was_told_once(self) -> None:
        live = [one for one in self.house.tables.sessions.values() if one.end_reason is None]
        assert len({one.device_id for one in live}) == len(live)
        told = [event.session_id for event in self.house.published if hasattr(event, "session_id")]
        assert len(told) == len(set(told))
        ended = {key for key, one in self.house.tables.sessions.items() if one.end_reason is not None}
        assert set(told) == ended
        for model in self.models:
            assert (model.ended is not None) == (model.who.session_id in ended)


Sessions.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSessions = Sessions.TestCase
