"""The database's part of a backup: all that is kept, and the list of blobs, out of one snapshot."""

from dataclasses import dataclass
from pathlib import Path

from messenger.admin.backup.folder import Lines, Table, Written
from messenger.admin.backup.tables import KEPT, LEFT, Kept
from messenger.admin.progress import Progress, sized
from messenger.core.administrator import Administrator
from messenger.core.lifecycle import StartError
from messenger.core.migrate import LOCK
from messenger.core.schemas import SCHEMAS, newest

_TABLES = """
    select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname = any(%s) and c.relname <> 'alembic_version'
"""
_COLUMNS = """
    select attname from pg_attribute
    where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum
"""
_BLOBS = """
    select encode(sha256, 'hex') as hash, size, blob_key, file_id from file.files
    where state = 'stored' order by sha256
"""


@dataclass(frozen=True, slots=True)
class Dumped:
    """A finished dump: files, and versions; `count` and `size` are the blobs'."""

    schema: dict[str, str]
    postgresql: str
    tables: list[Table]
    blobs: Written
    count: int
    size: int


def dump(database: Administrator, place: Path, progress: Progress) -> Dumped:
    """Write all tables and the list of blobs into the folder `place`. Migrations wait meanwhile."""
    if not database.value("select pg_try_advisory_lock_shared(%s)", (LOCK,)):
        raise StartError("a migration is under way: back up when it is through")
    try:
        with database.transaction(snapshot=True):
            schema = versions(database)
            there = {name for (name,) in database.rows(_TABLES, (list(SCHEMAS),))}
            unknown = there - {kept.name for kept in KEPT} - set(LEFT)
            if unknown:
                raise StartError(
                    f"this version does not know what to do with {min(unknown)}: use a newer one"
                )
            tables = [_table(database, kept, place, progress) for kept in KEPT if kept.name in there]
            blobs, count, size = _blobs(database, place)
    finally:
        database.rows("select pg_advisory_unlock_shared(%s)", (LOCK,))
    server = str(database.value("show server_version")).partition(" ")[0]
    return Dumped(schema, server, tables, blobs, count, size)


def versions(database: Administrator) -> dict[str, str]:
    """The version of each schema; StartError where one is not there, or is newer than this code."""
    found = {}
    for schema in SCHEMAS:
        if database.value("select to_regclass(%s)", (f"{schema}.alembic_version",)) is None:
            raise StartError(
                f"schema {schema} is not there: run `messenger-admin migrate`, or see [database]"
            )
        version = str(database.value(f"select version_num from {schema}.alembic_version"))  # noqa: S608
        if version > newest(schema):
            raise StartError(f"schema {schema} is at {version}: this version knows up to {newest(schema)}")
        found[schema] = version
    return found


def selection(kept: Kept, columns: list[str]) -> str:
    """The query for what is kept of a table."""
    return f"select {', '.join(columns)} from {kept.name} where {kept.where}"  # noqa: S608 - our constants


def _table(database: Administrator, kept: Kept, place: Path, progress: Progress) -> Table:
    columns = [name for (name,) in database.rows(_COLUMNS, (kept.name,))]
    lines = Lines(place / f"{kept.name}.copy.gz")
    sink = _Counted(lines, kept.name, progress)
    database.copy_out(selection(kept, columns), sink)
    sink.flush()
    written = lines.close()
    progress.done(f"{kept.name}: {written.rows:,} rows, {sized(written.bytes)}")
    return Table(
        table=kept.name,
        columns=columns,
        file=written.file,
        rows=written.rows,
        bytes=written.bytes,
        sha256=written.sha256,
    )


class _Counted:
    """Gathers rows, which come one by one, and tells how far it is."""

    GATHERED = 1 << 18

    def __init__(self, lines: Lines, name: str, progress: Progress) -> None:
        self._lines = lines
        self._name = name
        self._progress = progress
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._size += len(data)
        if self._size >= self.GATHERED:
            self.flush()
        return len(data)

    def flush(self) -> None:
        self._lines.write(b"".join(self._pieces))
        self._pieces.clear()
        self._size = 0
        self._progress.at(f"{self._name}: {self._lines.rows:,} rows, {sized(self._lines.raw)}")


def _blobs(database: Administrator, place: Path) -> tuple[Written, int, int]:
    lines = Lines(place / "blobs.gz")
    count = total = 0
    for sha256, size, blob_key, file_id in database.stream(_BLOBS):
        lines.write(f"{sha256} {size} {blob_key} {file_id}\n".encode("ascii"))
        count += 1
        total += size
    return lines.close(), count, total
