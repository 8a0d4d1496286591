"""The vault in PostgreSQL, table `key.vault`.

A version is the microsecond of its write, or one more than the one before: a name that was deleted and made
again has none that it had.
"""

from collections.abc import Callable

from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction, in_transaction
from messenger.wire.vault import VaultItem, VaultName


class VaultStore:
    """Sealed things, each method atomic."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def names(self, user_id: str) -> list[VaultName]:
        """The user's names, in order."""
        rows = await self._database.read(
            "select name, version from key.vault where user_id = %s order by name", (user_id,)
        )
        return [VaultName(name=name, version=version) for name, version in rows]

    async def get(self, user_id: str, name: str) -> VaultItem | None:
        """The item under a name, None where there is none."""
        rows = await self._database.read(
            "select name, version, content from key.vault where user_id = %s and name = %s", (user_id, name)
        )
        return VaultItem(name=rows[0][0], version=rows[0][1], content=rows[0][2]) if rows else None

    @in_transaction
    async def put(
        self,
        tx: Transaction,
        user_id: str,
        name: str,
        content: bytes,
        rule: Callable[[int | None, int], None],
    ) -> int | None:
        """Keep this under the name; the new version, None where the user is gone. `rule` gets the version
        that stands, and how many names the user has, under the user's lock, and raises Problem to refuse."""
        rule(*await _standing(tx, user_id, name))
        row = await tx.row(
            """
            insert into key.vault (user_id, name, version, content)
            select user_id, %s, (extract(epoch from clock_timestamp()) * 1000000)::bigint, %s
            from auth.live_users where user_id = %s
            on conflict (user_id, name) do update
            set version = greatest(excluded.version, vault.version + 1), content = excluded.content
            returning version
            """,
            (name, content, user_id),
        )
        return None if row is None else row[0]

    @in_transaction
    async def delete(
        self, tx: Transaction, user_id: str, name: str, rule: Callable[[int | None], None]
    ) -> None:
        """Take a name away. `rule` gets the version that stands, and raises Problem to refuse."""
        rule((await _standing(tx, user_id, name))[0])
        await tx.write("delete from key.vault where user_id = %s and name = %s", (user_id, name))


async def _standing(tx: Transaction, user_id: str, name: str) -> tuple[int | None, int]:
    # The first of a user's names has no row yet that could be locked.
    await tx.rows("select pg_advisory_xact_lock(hashtextextended('vault/' || %s, 0))", (user_id,))
    row = await tx.row(
        """
        select (select version from key.vault where user_id = %(user_id)s and name = %(name)s),
            (select count(*) from key.vault where user_id = %(user_id)s)
        """,
        {"user_id": user_id, "name": name},
    )
    assert row is not None
    return row[0], row[1]
