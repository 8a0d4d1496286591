"""The signing keys in PostgreSQL, schema `auth`."""

from messenger.auth import sql
from messenger.auth.signing import NewKey, base64url
from messenger.core.database import Database, Transaction
from messenger.wire.auth import VerificationKey

REFRESH = "refresh"
SALTS = "salts"
ROTATION_LOCK = 0x617574686B  # "authk": any number that nobody else takes


class AuthKeyStore:
    """The KeyStore of messenger/auth/signing.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first_keys(self, key: NewKey, refresh_secret: bytes, salt_key: bytes) -> None:
        async def body(tx: Transaction) -> None:
            await tx.rows(sql.LOCK, (ROTATION_LOCK,))
            await tx.write(sql.ADD_FIRST_KEY, (key.kid, key.public_key, key.private_key))
            await tx.write(sql.KEEP_OR_ADD, (REFRESH, refresh_secret))
            await tx.write(sql.KEEP_OR_ADD, (SALTS, salt_key))

        await self._database.transaction(body)

    async def signing_key(self) -> tuple[str, bytes]:
        rows = await self._database.read(sql.SIGNING_KEY)
        kid, private_key = rows[0]
        return kid, private_key

    async def refresh_secret(self) -> bytes:
        return await self._secret(REFRESH)

    async def salt_key(self) -> bytes:
        return await self._secret(SALTS)

    async def _secret(self, name: str) -> bytes:
        found: bytes = (await self._database.read(sql.KEPT_KEY, (name,)))[0][0]
        return found

    async def verification_keys(self) -> list[VerificationKey]:
        return [
            VerificationKey(kid=kid, x=base64url(public_key))
            for kid, public_key in await self._database.read(sql.VERIFICATION_KEYS)
        ]
