"""Second factors and challenges in PostgreSQL, schema `auth`.

A code serves once, whatever runs at the same time: it is judged and used up in one transaction, under the
lock of its user's row.
"""

from collections.abc import Callable

from messenger.auth import factor_sql as sql
from messenger.auth.factor_ports import Answered, Challenge, ChallengeState, NewChallenge, Passed, TotpFactor
from messenger.auth.sql import REMOVE_RECOVERY_HASHES
from messenger.auth.writes import login_state, open_session, remove_factors, user_of
from messenger.core.database import Database, Row, Transaction
from messenger.core.ids import new_id


class AuthFactorStore:
    """The FactorStore of messenger/auth/factor_ports.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enrol_totp(self, user_id: str, sealed: bytes) -> bool:
        async def body(tx: Transaction) -> bool:
            if (await login_state(tx, user_id)).password_hash is None:
                return False
            return bool(await tx.write(sql.ENROL, (new_id(), user_id, sealed)))

        return await self._database.transaction(body)

    async def confirm_totp(
        self, user_id: str, rule: Callable[[TotpFactor], int | None], recovery_hashes: list[bytes]
    ) -> bool | None:
        async def body(tx: Transaction) -> bool | None:
            await login_state(tx, user_id)
            waiting = await tx.row(sql.WAITING, (user_id,))
            if waiting is None:
                return None
            step = rule(TotpFactor(*waiting))
            if step is None:
                return False
            await tx.write(sql.CONFIRM, (step, user_id))
            await tx.write(REMOVE_RECOVERY_HASHES, (user_id,))
            await tx.write(sql.ADD_RECOVERY_HASHES, (user_id, recovery_hashes))
            return True

        return await self._database.transaction(body)

    async def remove_totp(self, user_id: str) -> bool:
        async def body(tx: Transaction) -> bool:
            await login_state(tx, user_id)
            return await remove_factors(tx, user_id)

        return await self._database.transaction(body)

    async def add_challenge(self, challenge: NewChallenge) -> None:
        await self._database.write(
            sql.ADD_CHALLENGE,
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
        rows = await self._database.read(sql.CHALLENGE, (challenge_hash,))
        return _challenge(rows[0]) if rows else None

    async def answer_challenge(
        self, challenge_hash: bytes, rule: Callable[[ChallengeState], Passed | None]
    ) -> Answered | None:
        async def body(tx: Transaction) -> Answered | None:
            row = await tx.row(sql.CHALLENGE, (challenge_hash,))
            if row is None:
                return None
            user_id: str = row[0]
            login = await login_state(tx, user_id)
            row = await tx.row(sql.CHALLENGE, (challenge_hash,))  # another answer may have been quicker
            if row is None:
                return None
            totp = await tx.row(sql.CONFIRMED, (user_id,))
            hashes = await tx.rows(sql.RECOVERY_HASHES, (user_id,))
            state = ChallengeState(
                _challenge(row),
                login,
                TotpFactor(*totp) if totp else None,
                frozenset(one for (one,) in hashes),
            )
            passed = rule(state)
            if passed is None:
                left = await tx.row(sql.COUNT_TRY, (challenge_hash,))
                return Answered(None, left[0] if left else 0, [])
            if passed.step is not None:
                await tx.write(sql.SERVE_STEP, (passed.step, user_id))
            else:
                await tx.write(sql.USE_RECOVERY_HASH, (user_id, passed.recovery_hash))
            await tx.write(sql.END_CHALLENGE, (challenge_hash,))
            events = await open_session(tx, user_id, passed.session, row[6], passed.new_device)
            return Answered(passed, 0, events)

        return await self._database.transaction(body)


def _challenge(row: Row) -> Challenge:
    return Challenge(user_of(row), row[3], row[4], row[5])
