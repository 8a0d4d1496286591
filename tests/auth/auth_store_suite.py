"""The rules of the stores of accounts, for any of their implementations: in memory, and on PostgreSQL."""

from secrets import token_bytes, token_hex
from typing import Any
from unittest import TestCase

from messenger.auth.model import (
    LoginState,
    LoginVerdict,
    NewAccount,
    NewKey,
    NotAdded,
    RefreshVerdict,
)
from messenger.core.ids import new_id
from messenger.wire.auth import KdfAnswer, VerificationKey
from messenger.wire.codec import base64url_text
from messenger.wire.events import DeviceChanged, UserDeleted, UserRemoval
from tests.auth.auth_store_case import (
    KDF,
    AuthStoreCase,
    ended,
    events,
    identity,
    new_account,
    new_session,
    removed,
)
from tests.fakes import run


class AuthStoreSuite(AuthStoreCase):
    """`setUp` of a subclass gives the four stores."""

    # accounts

    def test_an_account_is_found_by_name_and_by_id(self) -> None:
        account, session = self.register()
        by_name = run(self.accounts.credentials(account.username))
        assert by_name == run(self.accounts.credentials_of(account.user_id))
        assert by_name.password_hash == "hash"
        assert run(self.accounts.user_named(account.username)) == by_name.user
        assert run(self.accounts.users([account.user_id, new_id()])) == [by_name.user]
        assert run(self.accounts.name_taken(account.username))
        assert run(self.accounts.derivation(account.username)) == KdfAnswer(kdf=None)
        (device,) = run(self.devices.of(account.user_id, session.device_id))
        assert (device.device_id, device.device_name, device.current) == (session.device_id, "phone", True)

    def test_nobody_is_found(self) -> None:
        name, user_id = new_account().username, new_id()
        assert run(self.accounts.credentials(name)) is None
        assert run(self.accounts.credentials_of(user_id)) is None
        assert run(self.accounts.user_named(name)) is None
        assert run(self.accounts.users([user_id])) == []
        assert not run(self.accounts.name_taken(name))
        assert run(self.accounts.derivation(name)) is None
        assert run(self.devices.of(user_id, new_id())) == []

    def test_a_name_is_given_out_once(self) -> None:
        first, _ = self.register()
        second = NewAccount(new_id(), first.username, "other", None, None, None)
        assert run(self.accounts.add(second, new_session())) is NotAdded.username_taken
        assert run(self.accounts.users([second.user_id])) == []
        assert run(self.accounts.credentials(first.username)).password_hash == "hash"

    def test_an_invite_is_spent_by_the_account_that_it_let_in(self) -> None:
        invite = token_bytes(32)
        assert not run(self.accounts.invite_good(invite))
        refused = NotAdded.invite_refused
        assert run(self.accounts.add(new_account(invite), new_session())) is refused
        self.add_invite(invite)
        assert run(self.accounts.invite_good(invite))
        taken, _ = self.register()
        clash = NewAccount(new_id(), taken.username, "other", None, invite, None)
        assert run(self.accounts.add(clash, new_session())) is NotAdded.username_taken
        assert run(self.accounts.invite_good(invite))
        guest = new_account(invite)
        assert run(self.accounts.add(guest, new_session())).user_id == guest.user_id
        assert not run(self.accounts.invite_good(invite))
        late = new_account(invite)
        assert run(self.accounts.add(late, new_session())) is refused
        assert not run(self.accounts.name_taken(late.username))

    def test_a_new_password_ends_all_sessions_but_one(self) -> None:
        account, kept = self.register(KDF)
        other = self.login(account)
        set_password = self.accounts.set_password
        user_id = account.user_id
        assert run(set_password(user_id, "not it", "new", None, kept.session_id)) is None
        assert run(self.accounts.derivation(account.username)) == KdfAnswer(kdf=KDF)
        done = run(set_password(user_id, "hash", "new", None, kept.session_id))
        assert events(done) == [ended(account, other)]
        assert run(self.accounts.derivation(account.username)) == KdfAnswer(kdf=None)
        assert run(self.accounts.credentials_of(user_id)).password_hash == "new"
        assert self.refresh(other, RefreshVerdict.ended)[0].end_reason == "password"
        assert self.refresh(kept, RefreshVerdict.ended)[0].end_reason is None

    def test_a_hash_is_made_anew_of_the_one_that_stands(self) -> None:
        account, _ = self.register()
        assert not run(self.accounts.rehash(account.user_id, "not it", "new"))
        assert run(self.accounts.rehash(account.user_id, "hash", "new"))
        assert run(self.accounts.credentials(account.username)).password_hash == "new"

    def test_of_a_deleted_account_the_name_is_left(self) -> None:
        account, session = self.register(KDF)
        user_id = account.user_id
        run(self.factors.enrol_totp(user_id, b"sealed"))
        assert run(self.accounts.delete(user_id, "not it")) is None
        assert events(run(self.accounts.delete(user_id, "hash"))) == [
            ended(account, session),
            removed(account, session),
            UserDeleted(user_id=user_id),
            UserRemoval(user_id=user_id),
        ]
        assert run(self.accounts.name_taken(account.username))
        assert run(self.accounts.credentials(account.username)) is None
        assert run(self.accounts.user_named(account.username)) is None
        assert run(self.accounts.users([user_id])) == []
        assert run(self.accounts.derivation(account.username)) is None
        assert run(self.devices.of(user_id, session.device_id)) == []
        assert self.refresh(session, RefreshVerdict.spend) == (None, None)
        assert run(self.accounts.delete(user_id, "hash")) is None
        assert not run(self.factors.enrol_totp(user_id, b"sealed"))

    def test_a_disabled_user_is_seen_and_can_not_log_in(self) -> None:
        account, _ = self.register()
        self.disable(account.user_id)
        assert run(self.accounts.credentials(account.username)) is None
        assert run(self.accounts.credentials_of(account.user_id)) is None
        assert run(self.accounts.user_named(account.username)).user_id == account.user_id
        assert len(run(self.accounts.users([account.user_id]))) == 1
        assert self.state(account).password_hash is None
        assert not run(self.factors.enrol_totp(account.user_id, b"sealed"))

    # sessions

    def test_a_login_is_judged_by_what_stands(self) -> None:
        account, session = self.register()
        assert self.state(account) == LoginState("hash", frozenset([session.device_id]), False)
        assert len(run(self.devices.of(account.user_id, session.device_id))) == 1

    def test_a_login_as_a_new_device(self) -> None:
        account, first = self.register()
        second = new_session()
        done = run(self.sessions.open(account.user_id, second, "laptop", lambda _: LoginVerdict.new_device))
        assert done == (LoginVerdict.new_device, [])
        found = run(self.devices.of(account.user_id, second.device_id))
        assert [(one.device_id, one.device_name, one.current) for one in found] == [
            (first.device_id, "phone", False),
            (second.device_id, "laptop", True),
        ]

    def test_a_login_as_a_known_device_ends_its_older_session(self) -> None:
        account, first = self.register()
        for name, called in ((None, "phone"), ("new phone", "new phone")):
            again = new_session(first.device_id)
            _, told = run(
                self.sessions.open(account.user_id, again, name, lambda _: LoginVerdict.known_device)
            )
            assert events(told) == [ended(account, first)]
            (device,) = run(self.devices.of(account.user_id, first.device_id))
            assert device.device_name == called
            assert self.refresh(first, RefreshVerdict.ended)[0].end_reason == "replaced"
            first = again

    def test_a_refresh_spends_one_token_and_makes_the_next(self) -> None:
        account, session = self.register()
        state, done = self.refresh(session, RefreshVerdict.spend, successor_hash=b"second")
        assert (state.refresh_hash, state.previous_hash, state.spent_at) == (session.refresh_hash, None, None)
        assert (done.verdict, done.user.user_id) == (RefreshVerdict.spend, account.user_id)
        assert (done.device_id, done.auth_time, done.events) == (session.device_id, 1_000, [])
        for _ in range(2):  # asked for again, nothing changes
            state, _ = self.refresh(session, RefreshVerdict.repeat)
            assert (state.refresh_hash, state.previous_hash) == (b"second", session.refresh_hash)
            assert state.spent_at is not None
            assert state.spent_at <= state.now < state.expires_at
        self.refresh(session, RefreshVerdict.spend, token_hash=b"second", lifetime=-1.0)
        state, _ = self.refresh(session, RefreshVerdict.ended)
        assert (state.refresh_hash, state.previous_hash) == (b"next", b"second")
        assert state.expires_at < state.now

    def test_a_token_that_was_used_before_ends_the_session_once(self) -> None:
        account, session = self.register()
        assert events(self.refresh(session, RefreshVerdict.reused)[1].events) == [ended(account, session)]
        state, done = self.refresh(session, RefreshVerdict.reused)
        assert (state.end_reason, done.events) == ("reused", [])

    def test_there_is_no_such_session(self) -> None:
        assert self.refresh(new_session(), RefreshVerdict.spend) == (None, None)

    def test_a_logout_ends_the_session_once_and_keeps_the_device(self) -> None:
        account, session = self.register()
        assert events(run(self.sessions.end(session.session_id))) == [ended(account, session)]
        assert run(self.sessions.end(session.session_id)) == []
        assert self.refresh(session, RefreshVerdict.ended)[0].end_reason == "logout"
        assert len(run(self.devices.of(account.user_id, session.device_id))) == 1

    def test_a_ticket_is_for_a_session_that_lives(self) -> None:
        account, session = self.register()
        who = identity(account, session)
        assert run(self.sessions.add_ticket(token_bytes(32), who, 30))
        run(self.sessions.end(session.session_id))
        assert not run(self.sessions.add_ticket(token_bytes(32), who, 30))

    # devices

    def test_a_device_is_removed_with_its_session(self) -> None:
        account, session = self.register()
        stranger, _ = self.register()
        assert run(self.devices.remove(stranger.user_id, session.device_id)) is None
        told = events(run(self.devices.remove(account.user_id, session.device_id)))
        assert told == [ended(account, session), removed(account, session)]
        assert run(self.devices.remove(account.user_id, session.device_id)) is None
        assert self.refresh(session, RefreshVerdict.removed)[0].end_reason == "removed"

    def test_devices_that_are_not_seen_are_removed(self) -> None:
        account, session = self.register()
        logged_out = self.login(account)
        run(self.sessions.end(logged_out.session_id))
        assert events(run(self.devices.remove_unseen(1_000.0))) == []
        told = events(run(self.devices.remove_unseen(-1.0)))
        assert ended(account, session) in told
        assert ended(account, logged_out) not in told
        assert {one.device_id for one in told if isinstance(one, DeviceChanged)} >= {
            session.device_id,
            logged_out.device_id,
        }
        assert run(self.devices.of(account.user_id, session.device_id)) == []


class SigningKeyStoreSuite(TestCase):
    """`setUp` of a subclass gives the store, without any keys."""

    store: Any

    def test_instances_that_start_together_agree_on_one(self) -> None:
        first, second = (NewKey(token_hex(8), token_bytes(32), token_bytes(40)) for _ in range(2))
        run(self.store.add_first(first, b"refresh", b"salts"))
        run(self.store.add_first(second, b"other", b"others"))
        assert run(self.store.signing_key()) == (first.kid, first.private_key)
        assert run(self.store.refresh_secret()) == b"refresh"
        assert run(self.store.salt_key()) == b"salts"
        shown = VerificationKey(kid=first.kid, x=base64url_text(first.public_key))
        assert run(self.store.verification_keys()) == [shown]
