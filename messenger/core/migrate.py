"""Bringing the schemas up to date: alembic's migrations with plain SQL inside.

Each service has a schema, an owner role without login, a runtime role that logs in, and a version table of
its own. One advisory lock stands around all of it, so that instances which start together migrate once.
Migrations are forward-only. This is synchronous code: `messenger-admin migrate` runs it, and `twist
messenger` runs that as a child process.

They run while clients are served. Whoever waits for a lock on a table makes all wait that come later, so a
migration waits `LOCK_TIMEOUT` at most, is rolled back, and tries again after a pause in which the others get
through: for `LOCK_PATIENCE` seconds in all.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg2
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from psycopg2 import sql
from psycopg2.errors import LockNotAvailable
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError

from messenger.core.database.blocking import connect
from messenger.core.database.versions import error_line, role_of
from messenger.core.lifecycle import StartError
from messenger.core.schemas import SCHEMAS, folder
from messenger.core.settings import DatabaseSettings

LOCK = 0x6D657373656E67  # "messeng": any number that nobody else takes
LOCK_TIMEOUT = "2s"  # above deadlock_timeout, after which autovacuum makes way for whoever waits
LOCK_PAUSES = (0.5, 1.0, 2.0)  # seconds; the last one again and again
LOCK_PATIENCE = 600.0

Tell = Callable[[str], object]


def migrate(
    settings: DatabaseSettings,
    passwords: Mapping[str, str],
    targets: Mapping[str, str] | None = None,
    tell: Tell = lambda line: None,
) -> list[str]:
    """Create what is missing and run what has not run; gives a line for each thing done.

    `passwords` are the runtime roles', by schema; one that is not given is left as it is. `targets` are the
    versions to come to, by schema, the newest where none is given. `tell` is told, once for each migration,
    that it waits for a lock. StartError where PostgreSQL can't be reached or says no.
    """
    engine = create_engine(
        "postgresql+psycopg2://",
        creator=lambda: connect(
            settings,
            user=settings.admin_user,
            password=settings.admin_password or None,
            application_name="messenger-migrate",
        ),
    )
    done: list[str] = []
    try:
        with engine.connect() as connection:
            _take_turn(connection, tell)
            connection.exec_driver_sql(f"set lock_timeout = '{LOCK_TIMEOUT}'")
            _roles(connection, passwords, int(settings.statement_timeout * 1000))
            connection.commit()
            for schema in SCHEMAS:
                done += _patiently(connection, schema, (targets or {}).get(schema, "head"), tell)
    except OperationalError as error:
        reason = error_line(error.orig or error)
        raise StartError(f"PostgreSQL at {settings.where}: {reason}; see [database]") from None
    finally:
        engine.dispose()
    return done


def _take_turn(connection: Connection, tell: Tell) -> None:
    """Wait until no other migration runs, and no backup reads the tables."""
    if not connection.exec_driver_sql(f"select pg_try_advisory_lock({LOCK})").scalar():
        tell("waiting for another migration, or for the tables of a backup")
        connection.exec_driver_sql(f"select pg_advisory_lock({LOCK})")


def _roles(connection: Connection, passwords: Mapping[str, str], timeout: int) -> None:
    """Each schema's owner and runtime role. What the services ask for with each connection is the runtime
    role's own default too, since a pooler keeps it from the server; `timeout` is a statement's, in ms."""
    for schema in SCHEMAS:
        owner, runtime = f"{role_of(schema)}_owner", role_of(schema)
        for role, login in ((owner, "nologin"), (runtime, "login")):
            found = connection.exec_driver_sql("select 1 from pg_roles where rolname = %s", (role,)).first()
            if found is None:
                connection.exec_driver_sql(f"create role {role} {login}")
        connection.exec_driver_sql(f"grant {owner} to current_user")
        for name, value in (
            ("statement_timeout", timeout),
            ("idle_in_transaction_session_timeout", timeout),
            ("timezone", "UTC"),
        ):
            connection.exec_driver_sql(f"alter role {runtime} set {name} = '{value}'")
        if passwords.get(schema):
            raw = connection.connection.driver_connection
            assert isinstance(raw, psycopg2.extensions.connection)
            with raw.cursor() as cursor:
                statement = sql.SQL("alter role {} password {}")
                cursor.execute(statement.format(sql.Identifier(runtime), sql.Literal(passwords[schema])))
        connection.exec_driver_sql(f"create schema if not exists {schema} authorization {owner}")
        connection.exec_driver_sql(f"grant usage on schema {schema} to {runtime}")


def _patiently(connection: Connection, schema: str, target: str, tell: Tell) -> list[str]:
    """Upgrade a schema; what could not get a lock in time is tried again."""
    done: list[str] = []
    deadline = time.monotonic() + LOCK_PATIENCE
    tries = 0
    while True:
        try:
            _upgrade(connection, schema, target, done)
            return done
        except OperationalError as error:
            connection.rollback()
            if not isinstance(error.orig, LockNotAvailable) or time.monotonic() > deadline:
                raise
        if tries == 0:
            tell(f"a migration of schema {schema} waits until nobody holds a lock that it needs")
        time.sleep(LOCK_PAUSES[min(tries, len(LOCK_PAUSES) - 1)])
        tries += 1


def _upgrade(connection: Connection, schema: str, target: str, done: list[str]) -> None:
    """Run what has not run up to `target`, each migration a transaction; adds a line to `done` for each."""
    place = str(folder(schema))
    scripts = ScriptDirectory(place, version_locations=[place])

    def steps(revision: str, context: object) -> list[Any]:
        return list(scripts._upgrade_revs(target, revision))

    def ran(ctx: object, step: Any, heads: object, run_args: object) -> None:
        done.append(f"{schema} {step.up_revision_id}: {step.up_revision.doc}")

    owner = f"{role_of(schema)}_owner"
    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(
            connection=connection,
            version_table_schema=schema,
            transaction_per_migration=True,
            on_version_apply=ran,
        )
        connection.exec_driver_sql(f"set role {owner}")
        connection.commit()
        with environment.begin_transaction():
            environment.run_migrations()
        connection.commit()
    connection.exec_driver_sql(f"grant select on {schema}.alembic_version to {role_of(schema)}")
    connection.exec_driver_sql("reset role")
    connection.commit()
