"""The vault in PostgreSQL, table `key.vault`.

A version is the microsecond of its write, or one more than the one before: a name that was deleted and made
again has none that it had.
"""

from collections.abc import Callable

from messenger.core.database import Database, Transaction
from messenger.wire.vault import VaultItem, VaultName

_NAMES = "select name, version from key.vault where user_id = %s order by name"
_GET = "select name, version, content from key.vault where user_id = %s and name = %s"
# The first of a user's names has no row yet that could be locked.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('vault/' || %s, 0))"
_STANDING = """
    select (select version from key.vault where user_id = %(user_id)s and name = %(name)s),
        (select count(*) from key.vault where user_id = %(user_id)s)
"""
_PUT = """
    insert into key.vault (user_id, name, version, content)
    select user_id, %s, (extract(epoch from clock_timestamp()) * 1000000)::bigint, %s
    from auth.live_users where user_id = %s
    on conflict (user_id, name) do update
    set version = greatest(excluded.version, vault.version + 1), content = excluded.content
    returning version
"""
_DELETE = "delete from key.vault where user_id = %s and name = %s"


class Store:
    """The VaultStore of messenger/keys/vault/domain.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def names(self, user_id: str) -> list[VaultName]:
        rows = await self._database.read(_NAMES, (user_id,))
        return [VaultName(name=name, version=version) for name, version in rows]

    async def get(self, user_id: str, name: str) -> VaultItem | None:
        rows = await self._database.read(_GET, (user_id, name))
        return VaultItem(name=rows[0][0], version=rows[0][1], content=rows[0][2]) if rows else None

    async def put(
        self, user_id: str, name: str, content: bytes, rule: Callable[[int | None, int], None]
    ) -> int | None:
        async def body(tx: Transaction) -> int | None:
            rule(*await _standing(tx, user_id, name))
            row = await tx.row(_PUT, (name, content, user_id))
            return None if row is None else row[0]

        return await self._database.transaction(body)

    async def delete(self, user_id: str, name: str, rule: Callable[[int | None], None]) -> None:
        async def body(tx: Transaction) -> None:
            rule((await _standing(tx, user_id, name))[0])
            await tx.write(_DELETE, (user_id, name))

        await self._database.transaction(body)


async def _standing(tx: Transaction, user_id: str, name: str) -> tuple[int | None, int]:
    await tx.rows(_LOCK, (user_id,))
    row = await tx.row(_STANDING, {"user_id": user_id, "name": name})
    assert row is not None
    return row[0], row[1]
