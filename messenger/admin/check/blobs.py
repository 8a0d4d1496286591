"""The bucket against the rows: every stored file has its blob, every blob is wanted by some row.

Both are walked by rising key, side by side. Rows and blobs come and go meanwhile, so what looks wrong is
looked up once more, in the database and in S3: a row stands before its blob does, and a blob goes after its
row.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from messenger.admin.check.walk import Report, mend
from messenger.core.administrator import Administrator, Row
from messenger.core.blobs import Blobs, Stored

PAGE = 1_000
OLD = timedelta(hours=24)

# Rows by the key of their blob; a segment's blob may be longer than what counts of it.
_ROWS = """
select blob_key, file_id, size, true from (
    select blob_key, file_id, size from file.files
    where state = 'stored' and blob_key > %(after)s order by blob_key limit %(page)s
) f
union all
select blob_key, file_id, size, false from (
    select blob_key, file_id, size from file.segments
    where blob_key > %(after)s order by blob_key limit %(page)s
) s
order by 1 limit %(page)s
"""
_STANDS = """
select exists (select from file.files where blob_key = %(key)s and state = 'stored')
    or exists (select from file.segments where blob_key = %(key)s)
"""
_WANTED = """
select exists (select from file.files where blob_key = %(key)s)
    or exists (select from file.segments where blob_key = %(key)s)
    or exists (select from file.removals where blob_key = %(key)s)
"""
_REMOVE = "insert into file.removals (blob_key, due_at) values (%s, now()) on conflict do nothing"


class BlobCheck:
    """Walks both. `repair` has blobs removed that no row wants and that are older than OLD."""

    def __init__(self, database: Administrator, blobs: Blobs, report: Report, *, repair: bool) -> None:
        self._database = database
        self._blobs = blobs
        self._report = report
        self._repair = repair

    async def run(self) -> None:
        """Look at all of it; Problem `unavailable` where S3 is away."""
        self._report.begin("blobs")
        rows = self._rows()
        row = next(rows, None)
        after = ""
        while page := await self._blobs.listed(after):
            after = page[-1].key
            for stored in page:
                while row is not None and row[0] < stored.key:
                    await self._missing(row)
                    row = next(rows, None)
                if row is not None and row[0] == stored.key:
                    await self._compare(row, stored)
                    row = next(rows, None)
                else:
                    await self._unwanted(stored)
            self._report.seen(len(page))
        while row is not None:
            await self._missing(row)
            row = next(rows, None)
        self._report.end()

    def _rows(self) -> Iterator[Row]:
        after = ""
        while page := self._database.rows(_ROWS, {"after": after, "page": PAGE}):
            yield from page
            after = page[-1][0]

    async def _missing(self, row: Row) -> None:
        key, file_id, _, whole = row
        if await self._blobs.size(key) is not None or not self._database.value(_STANDS, {"key": key}):
            return
        what = f"file {file_id} is stored" if whole else f"upload {file_id} has arrived in part"
        self._report.found(
            f"{what} and a blob of it is not there",
            "",
            "only a backup has it (`restore` into other engines); its uploader may delete it",
        )

    async def _compare(self, row: Row, stored: Stored) -> None:
        key, file_id, size, whole = row
        if stored.size == size if whole else stored.size >= size:
            return
        if not self._database.value(_STANDS, {"key": key}):
            return
        self._report.found(
            f"the blob of file {file_id} has {stored.size} bytes and should have {size}",
            "",
            "only a backup has the right one",
        )

    async def _unwanted(self, stored: Stored) -> None:
        if self._database.value(_WANTED, {"key": stored.key}) or await self._blobs.size(stored.key) is None:
            return
        what = f"a blob of {stored.size} bytes of {stored.modified:%Y-%m-%d %H:%M} is no file's"
        if datetime.now(UTC) - stored.modified < OLD:
            self._report.found(what, "", "it is less than a day old: see again tomorrow")
        elif not _ours(stored.key):
            self._report.found(what, "", "its name is none of ours: who else uses this bucket?")
        elif not self._repair:
            self._report.found(what, "", "--repair mends it")
        else:

            def note(database: Administrator, _row: Row) -> str:
                database.change(_REMOVE, (stored.key,))
                return "the file service removes it within a minute"

            self._report.found(what, mend(note, (), self._database), "")


def _ours(key: str) -> bool:
    return len(key) == 32 and set(key) <= set("0123456789abcdef")
