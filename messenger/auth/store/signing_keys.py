"""The keys that only auth holds, in PostgreSQL."""

from datetime import datetime

from messenger.auth.model import NewKey
from messenger.auth.store.audit import Audit
from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.wire.auth import VerificationKey
from messenger.wire.codec import base64url_text

REFRESH = "refresh"
SALTS = "salts"
_ROTATION_LOCK = 0x617574686B  # "authk": any number that nobody else takes


class SigningKeyStore:
    """Signing keys, the key of refresh tokens, and that of salts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @in_transaction
    async def add_first(self, tx: Transaction, key: NewKey, refresh_secret: bytes, salt_key: bytes) -> None:
        """Store each of these if there is none; instances that start together agree on one."""
        await _lock_rotation(tx)
        await tx.write(
            "insert into auth.signing_keys (kid, public_key, private_key)"
            " select %s, %s, %s where not exists (select from auth.signing_keys)",
            (key.kid, key.public_key, key.private_key),
        )
        for name, value in ((REFRESH, refresh_secret), (SALTS, salt_key)):
            await tx.write(
                "insert into auth.secrets (name, value) values (%s, %s) on conflict do nothing",
                (name, value),
            )

    @in_transaction
    async def rotate(
        self, tx: Transaction, key: NewKey, announce: float, token_lifetime: float, audit: Audit
    ) -> datetime | None:
        """Publish `key`, which signs `announce` seconds from now on; the others verify until the last token
        of theirs has expired. When it will sign; None where another new key waits for its time."""
        await _lock_rotation(tx)
        if await tx.rows("select kid from auth.signing_keys where active_at > now()"):
            return None
        # Instances may sign with an old key until they have looked: the margin is for that, and clocks.
        await tx.write(
            "update auth.signing_keys set verify_until = now() + (%s + %s + 60) * interval '1 second'"
            " where verify_until is null",
            (announce, token_lifetime),
        )
        added = await tx.row(
            "insert into auth.signing_keys (kid, public_key, private_key, active_at)"
            " values (%s, %s, %s, now() + %s * interval '1 second') returning active_at",
            (key.kid, key.public_key, key.private_key, announce),
        )
        assert added is not None
        await audit.note(tx, "keys rotate", key.kid)
        active_at: datetime = added[0]
        return active_at

    async def listed(self) -> list[Row]:
        """Each key's id, when it was made, signs from, verifies until, and what it does now."""
        return await self._database.read(
            """
            select kid, created_at, active_at, verify_until,
                case when verify_until <= now() then 'expired'
                    when active_at > now() then 'announced'
                    when active_at = (select max(active_at) from auth.signing_keys where active_at <= now())
                        then 'signing'
                    else 'verifying' end
            from auth.signing_keys order by active_at desc, kid
            """
        )

    async def signing_key(self) -> tuple[str, bytes]:
        """Id and sealed private part of the key that signs now."""
        rows = await self._database.read(
            "select kid, private_key from auth.signing_keys where active_at <= now()"
            " order by active_at desc, kid limit 1"
        )
        kid, private_key = rows[0]
        return kid, private_key

    async def refresh_secret(self) -> bytes:
        """The sealed key that refresh tokens are made with."""
        return await self._secret(REFRESH)

    async def salt_key(self) -> bytes:
        """The key that the salts of names that nobody has are made with."""
        return await self._secret(SALTS)

    async def _secret(self, name: str) -> bytes:
        rows = await self._database.read("select value from auth.secrets where name = %s", (name,))
        found: bytes = rows[0][0]
        return found

    async def verification_keys(self) -> list[VerificationKey]:
        """The public keys whose tokens are good."""
        rows = await self._database.read("select kid, public_key from auth.verification_keys order by kid")
        return [VerificationKey(kid=kid, x=base64url_text(public_key)) for kid, public_key in rows]


async def _lock_rotation(tx: Transaction) -> None:
    """Let nobody else make a signing key before this transaction has ended."""
    await tx.rows("select pg_advisory_xact_lock(%s)", (_ROTATION_LOCK,))
