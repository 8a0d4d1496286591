"""How many wrong passwords there may be, and who is judged apart."""

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from messenger.auth import guesses
from messenger.core.limits.gcra import Charge, Outcome
from messenger.core.limits.limits import Limits
from messenger.wire.auth import AccountDeletion, Login, PasswordChange, Refresh, Register, Session
from messenger.wire.errors import Code, Problem
from tests.auth.auth_fakes import House
from tests.fakes import run

PASSWORD = "correct horse battery"
HOME, AWAY, EVIL = "192.0.2.1", "198.51.100.7", "203.0.113.66"


def house(**limits: str) -> tuple[House, Session]:
    made = House(devices=50, limits=limits)
    body = Register(username="alice", password=PASSWORD)
    return made, run(made.accounts.register(body, HOME))


def login(made: House, password: str = PASSWORD, address: str = EVIL, username: str = "alice") -> Any:
    """The session, or the code of the refusal."""
    try:
        return run(made.sessions.login(Login(username=username, password=password), address))
    except Problem as problem:
        return problem


def code(result: Any) -> str:
    return result.code if isinstance(result, Problem) else "ok"


def wrong(made: House, times: int, **more: str) -> list[str]:
    """The codes of wrong guesses, each made as soon as its delay has passed."""
    codes = []
    for _ in range(times):
        found = code(login(made, "wrong", **more))
        codes.append(found)
        made.clock.seconds += 40
    return codes


def test_wrong_guesses_cost_more_and_more_time() -> None:
    made, _ = house()
    assert [code(login(made, "wrong")) for _ in range(3)] == [Code.unauthorized] * 3
    waits = []
    for _ in range(7):
        assert code(login(made, "wrong")) == Code.unauthorized
        refused = login(made, "wrong")
        assert refused.code == Code.rate_limited
        waits.append(refused.retry_after)
        made.clock.seconds += refused.retry_after - 0.1
        assert code(login(made, "wrong")) == Code.rate_limited
        made.clock.seconds += 0.1
    # After the tenth it is the rate's turn: one is forgotten six minutes after the first.
    assert waits == [1, 2, 4, 8, 16, 32, 360 - 63]


def test_a_refused_guess_costs_no_hash_and_is_noted() -> None:
    made, _ = house()
    for _ in range(4):
        login(made, "wrong")
    compared = made.passwords.compared
    assert code(login(made, PASSWORD)) == Code.rate_limited
    assert made.passwords.compared == compared
    assert made.security.count("guess_refused") == 1
    made.clock.seconds += 1
    assert code(login(made, PASSWORD)) == "ok"


def test_an_account_has_its_allowance_whatever_the_addresses() -> None:
    made, _ = house()
    codes = [wrong(made, 1, address=f"203.0.113.{number}")[0] for number in range(40)]
    # Ten at once, and one more every six minutes.
    assert codes.count(Code.unauthorized) == 10 + 40 * 40 // 360
    assert code(login(made, PASSWORD, AWAY)) == Code.rate_limited


def test_an_unknown_name_is_refused_exactly_when_a_known_one_is() -> None:
    made, _ = house()
    for pause in (0, 0, 0, 0, 1, 0, 2, 3, 4, 8, 8, 16, 32, 64, 0, 360, 400):
        made.clock.seconds += pause
        answers = [
            login(made, "wrong", username=name, address=EVIL) for name in ("alice", "nobody", "no name!")
        ]
        assert len({(answer.code, answer.detail, answer.retry_after) for answer in answers}) == 1


def test_an_address_has_its_allowance_for_all_accounts() -> None:
    made, _ = house(guess_address="5/h")
    codes = [code(login(made, "wrong", username=f"user-{number}")) for number in range(7)]
    assert codes == [Code.unauthorized] * 5 + [Code.rate_limited] * 2
    refused = login(made, "wrong")
    assert refused.headers["RateLimit-Policy"] == "5;w=3600"
    assert code(login(made, "wrong", AWAY)) == Code.unauthorized


def test_an_ipv6_address_is_its_network() -> None:
    made, _ = house(guess_address="5/h")
    codes = [
        code(login(made, "wrong", f"2001:db8::{number}", username=f"user-{number}")) for number in range(6)
    ]
    assert codes[-1] == Code.rate_limited
    assert code(login(made, "wrong", "2001:db8:0:1::1")) == Code.unauthorized


@pytest.mark.parametrize("how", ["registered", "logged in", "refreshed"])
def test_the_owner_is_not_locked_out_where_it_was_before(how: str) -> None:
    made, session = house()
    home = HOME
    if how != "registered":
        home = AWAY
    if how == "logged in":
        assert code(login(made, PASSWORD, AWAY)) == "ok"
    if how == "refreshed":
        session = run(made.sessions.refresh(Refresh(refresh_token=session.refresh_token), AWAY))
    wrong(made, 20)
    assert code(login(made, PASSWORD, EVIL)) == Code.rate_limited
    assert code(login(made, PASSWORD, "192.0.2.2")) == Code.rate_limited
    assert code(login(made, PASSWORD, home)) == "ok"
    # Sessions go on.
    run(made.sessions.refresh(Refresh(refresh_token=session.refresh_token), EVIL))


def test_a_known_address_is_bounded_too_and_its_neighbours_do_no_harm() -> None:
    made, _ = house(guess_address="5/h")
    for number in range(8):
        login(made, "wrong", HOME, f"user-{number}")
    assert wrong(made, 20, address=HOME).count(Code.unauthorized) == 12
    # What failed there counts for the account as well.
    assert code(login(made, PASSWORD, EVIL)) == Code.rate_limited


def test_an_address_is_forgotten_after_a_while() -> None:
    made, _ = house()
    made.clock.seconds += guesses.TRUST_DAYS * 86_400 + 1
    wrong(made, 20)
    assert code(login(made, PASSWORD, HOME)) == Code.rate_limited


def test_an_empty_address_is_nobodys() -> None:
    made, _ = house()
    assert code(login(made, PASSWORD, "")) == "ok"
    wrong(made, 20)
    assert code(login(made, PASSWORD, "")) == Code.rate_limited


def test_right_passwords_cost_nothing() -> None:
    made, _ = house(guess_address="3/h")
    assert {code(login(made, PASSWORD, EVIL)) for _ in range(20)} == {"ok"}
    assert {code(login(made, PASSWORD, f"203.0.113.{number}")) for number in range(20)} == {"ok"}


def test_what_tells_nothing_about_the_password_costs_nothing() -> None:
    made, _ = house()

    async def full(*_: object) -> bool:
        raise Problem(Code.unavailable)

    matches, made.passwords.matches = made.passwords.matches, full  # type: ignore[method-assign]
    assert {code(login(made, PASSWORD, EVIL)) for _ in range(30)} == {Code.unavailable}
    made.passwords.matches = matches  # type: ignore[method-assign]
    assert code(login(made, PASSWORD, EVIL)) == "ok"


class SlowLimits(Limits):
    """Limits that are charged when the test says so: Redis, on its way."""

    waits: Deferred[None] | None = None

    async def charge(self, charges: Sequence[Charge]) -> Outcome:
        if self.waits is not None:
            waiting: Deferred[None] = Deferred()
            self.waits.chainDeferred(waiting)
            await waiting
        return await super().charge(charges)


def never_compared(made: House) -> Any:
    """Have passwords be compared for ever; gives what compares them, to be put back."""
    matches = made.passwords.matches

    async def forever(*_: object) -> bool:
        await Deferred()
        return True

    made.passwords.matches = forever  # type: ignore[method-assign]
    return matches


def test_a_guess_that_is_given_up_while_it_is_compared_comes_back() -> None:
    made, _ = house()
    matches = never_compared(made)
    body = Login(username="alice", password=PASSWORD)
    for _ in range(15):
        attempt = made.sessions.login(body, EVIL)
        attempt.send(None)
        attempt.close()  # GeneratorExit, as at the end of the process
        cancelled = ensureDeferred(made.sessions.login(body, EVIL))
        cancelled.cancel()
        cancelled.addErrback(lambda why: why.trap(CancelledError))
        interrupted = made.sessions.login(body, EVIL)
        interrupted.send(None)
        with pytest.raises(KeyboardInterrupt):
            interrupted.throw(KeyboardInterrupt())
    made.passwords.matches = matches
    assert code(login(made, PASSWORD, EVIL)) == "ok"


def test_a_guess_that_is_given_up_while_it_is_counted_comes_back() -> None:
    made = House(devices=50, kind=SlowLimits)
    run(made.accounts.register(Register(username="alice", password=PASSWORD), HOME))
    body = Login(username="alice", password="wrong")
    for _ in range(15):
        made.limits.waits = counted = Deferred()
        attempt = ensureDeferred(made.sessions.login(body))
        attempt.cancel()
        attempt.addErrback(lambda why: why.trap(CancelledError))
        made.limits.waits = None
        counted.callback(None)
    assert made.passwords.compared == 0
    assert code(login(made, PASSWORD, "")) == "ok"


def test_a_wrong_guess_counts_though_nobody_waits_for_its_answer() -> None:
    made = House(devices=50, kind=SlowLimits)
    run(made.accounts.register(Register(username="alice", password=PASSWORD), HOME))
    matches = made.passwords.matches
    for _ in range(10):

        async def wrong(*_: object) -> bool:
            made.limits.waits = Deferred()  # from here on: what the guess has cost is on its way
            return False

        made.passwords.matches = wrong  # type: ignore[method-assign]
        attempt = ensureDeferred(made.sessions.login(Login(username="alice", password="wrong")))
        attempt.cancel()
        attempt.addErrback(lambda why: why.trap(CancelledError))
        waits, made.limits.waits = made.limits.waits, None
        if waits is not None:
            waits.callback(None)
        made.clock.seconds += 35
    made.passwords.matches = matches
    assert code(login(made, PASSWORD, "")) == Code.rate_limited


@pytest.mark.parametrize("call", ["password", "delete"])
def test_a_session_that_states_the_password_is_judged_by_itself(call: str) -> None:
    made, session = house()
    who = made.who(session)

    def state(password: str) -> str:
        try:
            if call == "delete":
                run(made.accounts.delete(who, AccountDeletion(password=password), HOME))
            else:
                body = PasswordChange(current_password=password, new_password="another password")
                run(made.accounts.change_password(who, body, HOME))
        except Problem as problem:
            return problem.code
        return "ok"

    wrong(made, 20)  # somebody else, from elsewhere
    codes = []
    for _ in range(11):
        codes.append(state("wrong"))
        made.clock.seconds += 35
    assert codes == [Code.forbidden] * 10 + [Code.rate_limited]
    made.clock.seconds += 360
    assert state(PASSWORD) == "ok"


def test_many_guesses_at_once_get_no_more_than_many_in_a_row() -> None:
    made, _ = house()
    released = False

    class Later:
        def __await__(self) -> Any:
            if not released:
                yield

    async def slow(*_: object) -> bool:
        await Later()
        return False

    made.passwords.matches = slow  # type: ignore[method-assign]
    attempts = [made.sessions.login(Login(username="alice", password="wrong"), EVIL) for _ in range(30)]
    for attempt in attempts[:10]:
        attempt.send(None)
    for attempt in attempts[10:]:
        with pytest.raises(Problem, match="rate_limited"):
            attempt.send(None)
    released = True
    for attempt in attempts[:10]:
        with pytest.raises(Problem, match="unauthorized"):
            attempt.send(None)


def test_limits_that_are_off() -> None:
    made, _ = house(guess="off", guess_address="off")
    assert {code(login(made, "wrong")) for _ in range(300)} == {Code.unauthorized}
    made, _ = house(guess="off", guess_address="5/h")
    assert [code(login(made, "wrong")) for _ in range(6)][-1] == Code.rate_limited
    made, _ = house(guess="5/h", guess_address="off")
    assert wrong(made, 9).count(Code.unauthorized) == 5
