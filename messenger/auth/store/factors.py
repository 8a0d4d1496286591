"""Second factors and challenges in PostgreSQL.

A code serves once, whatever runs at the same time: it is judged and used up in one transaction, under the
lock of its user's row.
"""

from collections.abc import Callable

from messenger.auth.model import (
    Answer,
    Answered,
    Challenge,
    ChallengeState,
    Enrolment,
    LoginVerdict,
    NewChallenge,
    NewSession,
    TotpFactor,
)
from messenger.auth.store.transactions import (
    lock_user,
    login_state,
    open_session,
    remove_factors,
    remove_recovery_codes,
    user_of,
)
from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.core.ids import new_id

_CHALLENGE = """
    select u.user_id, u.username, u.created_at, c.credential, c.device_id, c.tries_left, c.device_name
    from auth.challenges c join auth.users u on u.user_id = c.user_id
    where c.challenge_hash = %s and c.expires_at > now() and c.tries_left > 0
"""


class FactorStore:
    """Factors, recovery codes and challenges, each method atomic."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @in_transaction
    async def enrol_totp(self, tx: Transaction, user_id: str, sealed: bytes) -> bool:
        """Store a secret that waits to be confirmed, in place of another such; False where a confirmed one
        stands or the user is gone."""
        if await lock_user(tx, user_id) is None:
            return False
        # Does nothing where a confirmed one stands.
        added = await tx.write(
            """
            insert into auth.factors (factor_id, user_id, kind, secret) values (%s, %s, 'totp', %s)
            on conflict (user_id) where kind = 'totp'
            do update set secret = excluded.secret, created_at = now(), last_step = -1
            where auth.factors.confirmed_at is null
            """,
            (new_id(), user_id, sealed),
        )
        return bool(added)

    @in_transaction
    async def confirm_totp(
        self,
        tx: Transaction,
        user_id: str,
        rule: Callable[[TotpFactor], int | None],
        recovery_hashes: list[bytes],
    ) -> Enrolment:
        """Confirm the waiting secret where `rule` gives the step of a code, which is served by that. The
        recovery codes replace all earlier ones."""
        await lock_user(tx, user_id)
        factor = await _totp(tx, user_id, confirmed=False)
        if factor is None:
            return Enrolment.nothing_waits
        step = rule(factor)
        if step is None:
            return Enrolment.wrong_code
        await tx.write(
            "update auth.factors set confirmed_at = now(), last_step = %s"
            " where user_id = %s and kind = 'totp' and confirmed_at is null",
            (step, user_id),
        )
        await remove_recovery_codes(tx, user_id)
        await tx.write(
            "insert into auth.recovery_codes (user_id, code_hash) select %s, unnest(%s::bytea[])",
            (user_id, recovery_hashes),
        )
        return Enrolment.confirmed

    @in_transaction
    async def remove_totp(self, tx: Transaction, user_id: str) -> bool:
        """Remove the factor, confirmed or not, its recovery codes and all challenges; False where there is
        none."""
        await lock_user(tx, user_id)
        return await remove_factors(tx, user_id)

    async def add_challenge(self, challenge: NewChallenge) -> None:
        """Store a challenge."""
        await self._database.write(
            """
            insert into auth.challenges
                (challenge_hash, user_id, credential, device_id, device_name, tries_left, expires_at)
            values (%s, %s, %s, %s, %s, %s, now() + %s * interval '1 second')
            """,
            (
                challenge.challenge_hash,
                challenge.user_id,
                challenge.credential,
                challenge.device_id,
                challenge.device_name,
                challenge.tries,
                challenge.lifetime,
            ),
        )

    async def challenge(self, challenge_hash: bytes) -> Challenge | None:
        """A challenge that has neither expired nor run out of tries."""
        rows = await self._database.read(_CHALLENGE, (challenge_hash,))
        return _challenge(rows[0]) if rows else None

    @in_transaction
    async def answer(
        self,
        tx: Transaction,
        challenge_hash: bytes,
        session: NewSession,
        rule: Callable[[ChallengeState], Answer],
    ) -> Answered | None:
        """Do what `rule` says of an answer, and open `session` where that opens it; None where the challenge
        is gone."""
        row = await tx.row(_CHALLENGE, (challenge_hash,))
        if row is None:
            return None
        user_id: str = row[0]
        login = await login_state(tx, user_id)
        row = await tx.row(_CHALLENGE, (challenge_hash,))  # another answer may have been quicker
        if row is None:
            return None
        challenge, device_name = _challenge(row), row[6]
        totp = await _totp(tx, user_id, confirmed=True)
        answer = rule(ChallengeState(challenge, login, totp, await _recovery_hashes(tx, user_id)))
        if answer.verdict is LoginVerdict.wrong_code:
            left = await tx.row(
                "update auth.challenges set tries_left = tries_left - 1 where challenge_hash = %s"
                " returning tries_left",
                (challenge_hash,),
            )
            return Answered(answer, left[0] if left else 0, [])
        if not answer.verdict.opens:
            return Answered(answer, challenge.tries_left, [])
        await _use_up(tx, user_id, answer)
        await tx.write("delete from auth.challenges where challenge_hash = %s", (challenge_hash,))
        new_device = answer.verdict is LoginVerdict.new_device
        events = await open_session(tx, user_id, session, device_name, new_device=new_device)
        return Answered(answer, 0, events)


async def _totp(tx: Transaction, user_id: str, *, confirmed: bool) -> TotpFactor | None:
    row = await tx.row(
        "select secret, last_step from auth.factors"
        " where user_id = %s and kind = 'totp' and (confirmed_at is not null) = %s",
        (user_id, confirmed),
    )
    return TotpFactor(*row) if row else None


async def _recovery_hashes(tx: Transaction, user_id: str) -> frozenset[bytes]:
    rows = await tx.rows("select code_hash from auth.recovery_codes where user_id = %s", (user_id,))
    return frozenset(code_hash for (code_hash,) in rows)


async def _use_up(tx: Transaction, user_id: str, answer: Answer) -> None:
    if answer.step is not None:
        await tx.write(
            "update auth.factors set last_step = %s where user_id = %s and kind = 'totp'",
            (answer.step, user_id),
        )
    else:
        await tx.write(
            "delete from auth.recovery_codes where user_id = %s and code_hash = %s",
            (user_id, answer.recovery_hash),
        )


def _challenge(row: Row) -> Challenge:
    return Challenge(user_of(row), row[3], row[4], row[5])
