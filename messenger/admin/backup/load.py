"""The database's part of a restore: schemas at the backup's versions, the tables in one transaction, and then
the migrations that are newer.

What must not come back is not in the backup; what is counted or numbered is counted and numbered afresh.
"""

import gzip
from collections.abc import Collection

from messenger.admin.backup.dump import selection
from messenger.admin.backup.folder import Folder, Manifest, Table
from messenger.admin.backup.tables import KEPT
from messenger.admin.progress import Progress
from messenger.admin.running import note
from messenger.core.administrator import Administrator
from messenger.core.lifecycle import StartError
from messenger.core.migrate import migrate
from messenger.core.schemas import SCHEMAS
from messenger.core.settings import Settings

BATCH = 1_000

_CONNECTED = """
    select distinct application_name from pg_stat_activity
    where datname = current_database() and application_name like 'messenger-%%'
        and application_name <> 'messenger-admin' and pid <> pg_backend_pid() order by 1
"""
_VERSION = "select version_num from {}.alembic_version"
_COUNT_USAGE = """
    insert into file.usage (user_id, bytes, files)
    select uploader_id, sum(size), count(*) from file.files group by uploader_id
"""
_IDENTITIES = """
    select c.oid::regclass::text, a.attname, pg_get_serial_sequence(c.oid::regclass::text, a.attname)
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where a.attidentity <> '' and n.nspname = any(%s)
"""


def check_empty(database: Administrator) -> None:
    """StartError unless nobody uses the database and it has nothing that a restore would mix with."""
    connected = database.rows(_CONNECTED)
    if connected:
        raise StartError(f"{connected[0][0]} is connected to the database: stop all services first")
    for kept in KEPT:
        if database.value("select to_regclass(%s)", (kept.name,)) is None:
            continue
        if database.value(f"select exists ({selection(kept, ['1'])})"):
            raise StartError(
                f"the database is not empty: {kept.name} has rows. A restore needs empty engines; nothing was"
                " touched"
            )


def load(
    settings: Settings,
    database: Administrator,
    folder: Folder,
    name: str,
    manifest: Manifest,
    without: Collection[str],
    progress: Progress,
) -> None:
    """Fill the database, which `check_empty` has looked at; all of it, or nothing but empty tables."""
    passwords = {schema: getattr(settings, schema).database_password for schema in SCHEMAS}
    _make_way(database, manifest)
    migrate(settings.database, passwords, manifest.schema, progress.done)
    with database.transaction():
        for table in manifest.tables:
            _fill(database, folder, name, table)
            progress.done(f"{table.table}: {table.rows:,} rows")
        _leave_out(database, without)
        database.change(_COUNT_USAGE)
        for table_name, column, sequence in database.rows(_IDENTITIES, (list(SCHEMAS),)):
            highest = f"select coalesce(max({column}), 0) + 1 from {table_name}"  # noqa: S608 - the catalogue's
            database.rows(f"select setval(%s, ({highest}), false)", (sequence,))
    for line in migrate(settings.database, passwords, tell=progress.done):
        progress.done(line)
    note(database, "restore", name)
    for table in manifest.tables:
        progress.at(f"statistics of {table.table}")
        database.rows(f"analyze {table.table}")


def _make_way(database: Administrator, manifest: Manifest) -> None:
    """Remove schemas of another version than the backup's: they are empty, and rows go through all that the
    migrations in between do with them."""
    there = [
        schema
        for schema in SCHEMAS
        if database.value("select to_regclass(%s)", (f"{schema}.alembic_version",)) is not None
    ]
    others = [one for one in there if database.value(_VERSION.format(one)) != manifest.schema.get(one)]
    if others:
        with database.transaction():
            for schema in there:
                database.rows(f"drop schema {schema} cascade")


def _fill(database: Administrator, folder: Folder, name: str, table: Table) -> None:
    with gzip.open(folder.sets / name / table.file, "rb") as rows:
        stored = database.copy_in(table.table, table.columns, rows)
    if stored != table.rows:
        raise StartError(
            f"{table.file} has {stored} rows, the manifest says {table.rows}; nothing was restored"
        )


def _leave_out(database: Administrator, without: Collection[str]) -> None:
    """Delete the files that the backup has no blob of; their shares go with them."""
    every = sorted(without)
    for start in range(0, len(every), BATCH):
        statement = "delete from file.files where file_id = any(%s::uuid[])"
        database.change(statement, (every[start : start + BATCH],))
