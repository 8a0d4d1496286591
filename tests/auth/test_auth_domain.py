"""The rules of accounts, devices and sessions."""

from hashlib import sha256

import pytest

from messenger.wire.auth import AccountDeletion, Login, PasswordChange, Refresh, Register, Session
from messenger.wire.errors import Code, Problem
from messenger.wire.events import DeviceChanged, SessionEnded, UserDeleted, UserRemoval
from tests.auth.auth_fakes import House
from tests.fakes import run

PASSWORD = "correct horse battery"


def register(house: House, username: str = "alice", **more: str) -> Session:
    return run(house.accounts.register(Register(username=username, password=PASSWORD, **more)))


def login(house: House, password: str = PASSWORD, **more: str) -> Session:
    return run(house.sessions.login(Login(username="alice", password=password, **more)))


def refresh(house: House, token: str) -> Session:
    return run(house.sessions.refresh(Refresh(refresh_token=token)))


def refused(code: Code, call, *arguments, **more) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*arguments, **more)
    assert caught.value.code == code
    return caught.value


# registration


def test_a_name_is_folded_and_is_given_out_once() -> None:
    house = House()
    assert register(house, "Al.Ice").user.username == "al.ice"
    refused(Code.username_taken, register, house, "AL.ICE")


def test_a_deleted_name_is_never_given_out_again() -> None:
    house = House()
    session = register(house)
    run(house.accounts.delete(house.who(session), AccountDeletion(password=PASSWORD)))
    refused(Code.username_taken, register, house)
    refused(Code.unauthorized, login, house)


def test_closed_and_invited_registration() -> None:
    refused(Code.forbidden, register, House(registration="closed"))
    house = House(registration="invite")
    house.tables.invites[sha256(b"welcome").digest()] = 1
    refused(Code.forbidden, register, house)
    refused(Code.forbidden, register, house, invite="other")
    register(house, invite="welcome")
    refused(Code.forbidden, register, house, "bob", invite="welcome")
    # Who has no good invite learns of no name whether it is taken, and costs no hash.
    refused(Code.forbidden, register, house, invite="welcome")


# login


def test_unknown_user_and_wrong_password_answer_and_cost_the_same() -> None:
    house = House()
    register(house)
    wrong = refused(Code.unauthorized, login, house, "wrong password")
    compared = house.passwords.compared
    unknown = refused(
        Code.unauthorized, lambda: run(house.sessions.login(Login(username="nobody", password=PASSWORD)))
    )
    odd = refused(
        Code.unauthorized, lambda: run(house.sessions.login(Login(username="\0", password=PASSWORD)))
    )
    assert wrong.detail == unknown.detail == odd.detail
    assert house.passwords.compared == compared + 2


def test_a_disabled_user_is_an_unknown_one() -> None:
    house = House()
    session = register(house)
    house.tables.accounts[session.user.user_id].disabled = True
    refused(Code.unauthorized, login, house)


def test_a_login_is_a_new_device_up_to_the_limit() -> None:
    house = House(devices=3)
    devices = {register(house).device_id, login(house).device_id, login(house).device_id}
    assert len(devices) == 3
    refused(Code.device_limit, login, house)
    assert login(house, device_id=devices.pop()).device_id  # an old one may still come back


def test_a_login_as_a_device_ends_its_older_session() -> None:
    house = House()
    first = register(house)
    second = login(house, device_id=first.device_id)
    assert second.device_id == first.device_id
    assert [event.session_id for event in house.published] == [house.who(first).session_id]
    refused(Code.unauthorized, refresh, house, first.refresh_token)


def test_only_ones_own_device_and_only_after_the_password() -> None:
    house = House()
    register(house)
    other = register(house, "bob")
    refused(Code.not_found, login, house, device_id=other.device_id)
    refused(Code.unauthorized, login, house, "wrong password", device_id=other.device_id)


def test_a_raised_cost_makes_the_hash_anew() -> None:
    house = House()
    session = register(house)
    house.passwords.version = 2
    login(house)
    stored = house.tables.accounts[session.user.user_id].password_hash
    assert stored is not None
    assert stored.startswith("2:")
    login(house)


# refresh


def test_a_refresh_keeps_device_session_and_auth_time() -> None:
    house = House()
    first = register(house)
    house.clock.seconds += 1000
    second = refresh(house, first.refresh_token)
    assert second.refresh_token != first.refresh_token
    before, after = house.who(first), house.who(second)
    assert (after.device_id, after.session_id) == (before.device_id, before.session_id)
    assert after.auth_time == before.auth_time
    assert after.expires_at == before.expires_at + 1000


def test_a_lost_answer_is_answered_again_with_the_same_successor() -> None:
    house = House()
    first = register(house)
    second = refresh(house, first.refresh_token)
    house.clock.seconds += 29
    assert refresh(house, first.refresh_token).refresh_token == second.refresh_token
    refresh(house, second.refresh_token)


@pytest.mark.parametrize("how", ["too late", "successor used", "long ago"])
def test_a_spent_token_ends_the_session(how: str) -> None:
    house = House()
    first = register(house)
    second = refresh(house, first.refresh_token)
    if how == "too late":
        house.clock.seconds += 30
    else:
        second = refresh(house, second.refresh_token)
    if how == "long ago":
        for _ in range(5):
            house.clock.seconds += 1000
            second = refresh(house, second.refresh_token)
    refused(Code.refresh_reused, refresh, house, first.refresh_token)
    assert house.published == [
        SessionEnded(
            session_id=house.who(first).session_id,
            user_id=first.user.user_id,
            device_id=first.device_id,
        )
    ]
    assert house.security == ["refresh_reused"]
    # Whoever holds the good one learns why; it is told and counted once.
    refused(Code.refresh_reused, refresh, house, second.refresh_token)
    assert len(house.published) == len(house.security) == 1


def test_an_idle_session_runs_out() -> None:
    house = House()
    first = register(house)
    house.clock.seconds += 5_184_000
    refused(Code.unauthorized, refresh, house, first.refresh_token)


def test_what_is_no_refresh_token_of_ours_ends_nothing() -> None:
    house = House()
    first = register(house)
    good = first.refresh_token
    for text in ("", "x", good[:-2], good + "A", "A" * 107, good[:-1] + "é", good.swapcase(), "=" * 107):
        refused(Code.unauthorized, refresh, house, text)
    refresh(house, good)


# the end of sessions and devices


def test_logout_ends_the_session_and_keeps_the_device() -> None:
    house = House()
    first = register(house)
    run(house.sessions.logout(house.who(first)))
    refused(Code.unauthorized, refresh, house, first.refresh_token)
    refused(Code.unauthorized, lambda: run(house.sessions.ticket(house.who(first))))
    assert login(house, device_id=first.device_id).device_id == first.device_id


def test_a_new_password_ends_all_other_sessions() -> None:
    house = House()
    first, second = register(house), login(house)
    change = PasswordChange(current_password=PASSWORD, new_password="a new password")
    run(house.accounts.change_password(house.who(first), change))
    refused(Code.unauthorized, refresh, house, second.refresh_token)
    refresh(house, first.refresh_token)
    refused(Code.unauthorized, login, house)
    login(house, "a new password")


def test_a_password_change_wants_the_current_one() -> None:
    house = House()
    who = house.who(register(house))
    for current, new, code in (
        ("wrong password", "a new password", Code.forbidden),
        (PASSWORD, "short", Code.unprocessable),
    ):
        change = PasswordChange(current_password=current, new_password=new)
        refused(code, lambda change=change: run(house.accounts.change_password(who, change)))
    assert house.security == ["password_wrong"]


def test_a_removed_device_is_told_of_and_its_session_ends() -> None:
    house = House()
    first, second = register(house), login(house)
    run(house.accounts.remove_device(house.who(first), second.device_id))
    assert house.published == [
        SessionEnded(
            session_id=house.who(second).session_id,
            user_id=second.user.user_id,
            device_id=second.device_id,
        ),
        DeviceChanged(event="removed", user_id=second.user.user_id, device_id=second.device_id),
    ]
    with pytest.raises(Problem) as told:
        refresh(house, second.refresh_token)
    assert (told.value.code, told.value.members) == (Code.unauthorized, {"reason": "removed"})
    refused(Code.not_found, lambda: run(house.accounts.remove_device(house.who(first), second.device_id)))
    stranger = house.who(register(house, "bob"))
    refused(Code.not_found, lambda: run(house.accounts.remove_device(stranger, first.device_id)))


def test_a_device_that_is_not_seen_goes() -> None:
    house = House()
    first = register(house)
    house.clock.seconds += 100
    second = login(house)
    house.clock.seconds += 5_184_000 - 50
    run(house.accounts.sweep())
    assert [device.device_id for device in run(house.accounts.devices(house.who(second)))] == [
        second.device_id
    ]
    assert (
        DeviceChanged(event="removed", user_id=first.user.user_id, device_id=first.device_id)
        in house.published
    )


def test_a_deleted_account_is_gone_and_told_of() -> None:
    house = House()
    session = register(house)
    who = house.who(session)
    refused(
        Code.forbidden, lambda: run(house.accounts.delete(who, AccountDeletion(password="wrong password")))
    )
    run(house.accounts.delete(who, AccountDeletion(password=PASSWORD)))
    assert [type(event) for event in house.published] == [
        SessionEnded,
        DeviceChanged,
        UserDeleted,
        UserRemoval,
    ]
    refused(Code.unauthorized, lambda: run(house.accounts.me(who)))
    refused(Code.not_found, lambda: run(house.accounts.user(who.user_id)))
    assert run(house.accounts.named("alice")) == []


# users and tickets


def test_users_are_found_by_exact_name_and_by_id() -> None:
    house = House()
    user = register(house).user
    assert run(house.accounts.named("ALICE")) == [user]
    for name in ("alic", "alice2", "", "al%", "\0", "a" * 256):
        assert run(house.accounts.named(name)) == []
    assert run(house.accounts.lookup([user.user_id, user.user_id, "x"])) == [user]


def test_a_ticket_is_stored_as_its_hash() -> None:
    house = House()
    who = house.who(register(house))
    ticket = run(house.sessions.ticket(who))
    assert house.tables.tickets == {sha256(ticket.ticket.encode()).digest(): who}
    assert ticket.expires_in == 30
