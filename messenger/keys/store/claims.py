"""Claims in PostgreSQL. A claim is a function of the schema (schema/0003_claims.py,
schema/0004_device_lists.py): one round trip, and no two claims of one device run at the same time."""

from messenger.core.database.connection import Row
from messenger.core.database.pool import Database
from messenger.core.outgoing import Outgoing
from messenger.keys.model import Claimed, ClaimRequest
from messenger.wire.events import PrekeysLow
from messenger.wire.keys import Bundle, BundleKemPrekey, BundleOneTimePrekey, BundleSignedPrekey

SWEEP_BATCH = 20_000


class ClaimStore:
    """Each method is atomic; events come back once they are committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, asking: ClaimRequest) -> Claimed:
        """A bundle of each published device that is asked for, but the asking one, and a one-time prekey of
        each, handed out once, ever."""
        rows = await self._database.write(
            """
            select * from key.claim_listed_bundles(
                %s, %s::uuid[], %s, %s, by_asker => %s, of_device => %s, low_mark => %s, low_subject => %s
            )
            """,
            (
                asking.user_id,
                list(asking.device_ids),
                asking.asker_id,
                asking.asker_device_id,
                asking.by_asker,
                asking.of_device,
                asking.low,
                PrekeysLow.subject,
            ),
        )
        if rows and rows[0][0] is not None:
            return Claimed([], max(1, rows[0][0]))
        events = [
            Outgoing(row[14], PrekeysLow(device_id=row[2], one_time_prekeys=row[15]))
            for row in rows
            if row[14] is not None
        ]
        return Claimed([_bundle(row) for row in rows], None, events)

    async def forget_old(self) -> None:
        """Delete claims that no longer count; a bounded number at a time."""
        await self._database.write(
            """
            delete from key.claims where ctid = any(array(
                select ctid from key.claims where claimed_at < now() - interval '1 hour'
                limit %s for update skip locked
            ))
            """,
            (SWEEP_BATCH,),
        )


def _bundle(row: Row) -> Bundle:
    kem = BundleKemPrekey(row[9], row[10], row[11], row[12]) if row[9] is not None else None
    return Bundle(
        user_id=row[1],
        device_id=row[2],
        identity_key=row[3],
        signed_prekey=BundleSignedPrekey(row[4], row[5], row[6]),
        one_time_prekey=BundleOneTimePrekey(row[7], row[8]) if row[7] is not None else None,
        kem_prekey=kem,
        list_version=row[13],
    )
