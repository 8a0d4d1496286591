"""The rules of the store of second factors, for any of its implementations: in memory, and on PostgreSQL."""

from secrets import token_bytes

from messenger.auth.model import (
    Answer,
    ChallengeState,
    Enrolment,
    LoginVerdict,
    NewAccount,
    NewChallenge,
    TotpFactor,
)
from tests.auth.auth_store_case import AuthStoreCase, ended, events, new_session
from tests.fakes import run


class FactorStoreSuite(AuthStoreCase):
    """`setUp` of a subclass gives the four stores."""

    def enrol(self, account: NewAccount, codes: list[bytes] | None = None) -> None:
        assert run(self.factors.enrol_totp(account.user_id, b"sealed"))
        done = run(self.factors.confirm_totp(account.user_id, lambda _factor: 7, codes or [b"code"]))
        assert done is Enrolment.confirmed

    def challenge(self, account: NewAccount, tries: int = 3, lifetime: float = 100.0) -> bytes:
        challenge_hash = token_bytes(32)
        run(
            self.factors.add_challenge(
                NewChallenge(challenge_hash, account.user_id, b"credential", None, "tablet", tries, lifetime)
            )
        )
        return challenge_hash

    def test_a_secret_waits_until_a_code_confirms_it(self) -> None:
        account, _ = self.register()
        confirm, seen = self.factors.confirm_totp, []

        def wrong(factor: TotpFactor) -> None:
            seen.append(factor)

        assert run(confirm(account.user_id, wrong, [])) is Enrolment.nothing_waits
        assert run(self.factors.enrol_totp(account.user_id, b"first"))
        assert run(self.factors.enrol_totp(account.user_id, b"second"))
        assert run(confirm(account.user_id, wrong, [])) is Enrolment.wrong_code
        assert seen == [TotpFactor(b"second", -1)]
        assert not self.state(account).second_factor
        assert run(confirm(account.user_id, lambda _factor: 7, [b"code"])) is Enrolment.confirmed
        assert self.state(account).second_factor
        assert run(confirm(account.user_id, wrong, [])) is Enrolment.nothing_waits
        assert not run(self.factors.enrol_totp(account.user_id, b"third"))

    def test_a_factor_goes_with_all_that_belongs_to_it(self) -> None:
        account, _ = self.register()
        assert not run(self.factors.remove_totp(account.user_id))
        self.enrol(account)
        challenge_hash = self.challenge(account)
        assert run(self.factors.remove_totp(account.user_id))
        assert run(self.factors.challenge(challenge_hash)) is None
        assert not self.state(account).second_factor
        self.enrol(account, [b"other"])

    def test_a_challenge_stands_for_a_time(self) -> None:
        account, _ = self.register()
        found = run(self.factors.challenge(self.challenge(account)))
        assert (found.user.user_id, found.credential) == (account.user_id, b"credential")
        assert (found.device_id, found.tries_left) == (None, 3)
        late = self.challenge(account, lifetime=-1.0)
        assert run(self.factors.challenge(late)) is None
        assert run(self.factors.answer(late, new_session(), lambda _: Answer(LoginVerdict.void))) is None
        assert run(self.factors.challenge(token_bytes(32))) is None

    def test_wrong_codes_use_up_the_tries(self) -> None:
        account, _ = self.register()
        self.enrol(account)
        challenge_hash = self.challenge(account, tries=2)
        wrong = Answer(LoginVerdict.wrong_code)
        left = []
        for _ in range(2):
            done = run(self.factors.answer(challenge_hash, new_session(), lambda _: wrong))
            assert (done.answer, done.events) == (wrong, [])
            left.append(done.tries_left)
        assert left == [1, 0]
        assert run(self.factors.challenge(challenge_hash)) is None
        assert run(self.factors.answer(challenge_hash, new_session(), lambda _: wrong)) is None

    def test_an_answer_that_is_refused_otherwise_changes_nothing(self) -> None:
        account, _ = self.register()
        self.enrol(account)
        challenge_hash = self.challenge(account)
        full = Answer(LoginVerdict.device_limit, step=9)
        done = run(self.factors.answer(challenge_hash, new_session(), lambda _: full))
        assert (done.answer, done.tries_left, done.events) == (full, 3, [])
        assert self.judged(challenge_hash).totp == TotpFactor(b"sealed", 7)

    def judged(self, challenge_hash: bytes) -> ChallengeState:
        """What an answer is judged by."""
        found: list[ChallengeState] = []

        def rule(state: ChallengeState) -> Answer:
            found.append(state)
            return Answer(LoginVerdict.void)

        run(self.factors.answer(challenge_hash, new_session(), rule))
        return found[0]

    def test_a_right_code_opens_the_session_and_is_used_up(self) -> None:
        account, first = self.register()
        self.enrol(account, [b"one", b"two"])
        for answer, step, codes in (
            (Answer(LoginVerdict.new_device, step=9), 9, {b"one", b"two"}),
            (Answer(LoginVerdict.new_device, recovery_hash=b"one"), 9, {b"two"}),
        ):
            challenge_hash, session = self.challenge(account), new_session()
            state = self.judged(challenge_hash)
            assert state.challenge == run(self.factors.challenge(challenge_hash))
            assert state.login == self.state(account)
            done = run(self.factors.answer(challenge_hash, session, lambda _, given=answer: given))
            assert (done.answer, done.events) == (answer, [])
            assert run(self.factors.challenge(challenge_hash)) is None
            state = self.judged(self.challenge(account))
            assert state.totp == TotpFactor(b"sealed", step)
            assert state.recovery_hashes == codes
            names = {one.device_id: one.device_name for one in run(self.devices.of(account.user_id, ""))}
            assert names[session.device_id] == "tablet"
        again = new_session(first.device_id)
        known = Answer(LoginVerdict.known_device, step=10)
        done = run(self.factors.answer(self.challenge(account), again, lambda _: known))
        assert events(done.events) == [ended(account, first)]
