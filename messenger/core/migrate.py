"""Bringing the schemas up to date: alembic's migrations with plain SQL inside.

Each service has a schema, an owner role without login, a runtime role that logs in, and a version table of
its own. One advisory lock stands around all of it, so that instances which start together migrate once.
Migrations are forward-only. This is synchronous code: `messenger-admin migrate` runs it, and `twist
messenger` runs that as a child process.
"""

from collections.abc import Mapping
from typing import Any

import psycopg2
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from psycopg2 import sql
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from messenger.core.database import role_of
from messenger.core.lifecycle import StartError
from messenger.core.schemas import SCHEMAS, folder
from messenger.core.settings import DatabaseSettings

LOCK = 0x6D657373656E67  # "messeng": any number that nobody else takes


def migrate(settings: DatabaseSettings, passwords: Mapping[str, str]) -> list[str]:
    """Create what is missing and run what has not run; gives a line for each thing done.

    `passwords` are the runtime roles', by schema; one that is not given is left as it is. StartError where
    PostgreSQL can't be reached or says no.
    """
    url = URL.create(
        "postgresql+psycopg2",
        username=settings.admin_user,
        password=settings.admin_password or None,
        host=settings.host,
        port=settings.port,
        database=settings.name,
        query={"sslmode": settings.sslmode, "application_name": "messenger-migrate"},
    )
    engine = create_engine(url)
    done: list[str] = []
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"select pg_advisory_lock({LOCK})")
            _roles(connection, passwords)
            connection.commit()
            for schema in SCHEMAS:
                done += _upgrade(connection, schema)
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise StartError(f"PostgreSQL at {settings.host}:{settings.port}: {reason}; see [database]") from None
    finally:
        engine.dispose()
    return done


def _roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    for schema in SCHEMAS:
        owner, runtime = f"{role_of(schema)}_owner", role_of(schema)
        for role, login in ((owner, "nologin"), (runtime, "login")):
            found = connection.exec_driver_sql("select 1 from pg_roles where rolname = %s", (role,)).first()
            if found is None:
                connection.exec_driver_sql(f"create role {role} {login}")
        connection.exec_driver_sql(f"grant {owner} to current_user")
        if passwords.get(schema):
            raw = connection.connection.driver_connection
            assert isinstance(raw, psycopg2.extensions.connection)
            with raw.cursor() as cursor:
                statement = sql.SQL("alter role {} password {}")
                cursor.execute(statement.format(sql.Identifier(runtime), sql.Literal(passwords[schema])))
        connection.exec_driver_sql(f"create schema if not exists {schema} authorization {owner}")
        connection.exec_driver_sql(f"grant usage on schema {schema} to {runtime}")


def _upgrade(connection: Connection, schema: str) -> list[str]:
    place = str(folder(schema))
    scripts = ScriptDirectory(place, version_locations=[place])
    done: list[str] = []

    def steps(revision: str, context: object) -> list[Any]:
        found: list[Any] = list(scripts._upgrade_revs("head", revision))
        done.extend(f"{schema} {step.revision.revision}: {step.revision.doc}" for step in found)
        return found

    owner = f"{role_of(schema)}_owner"
    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(
            connection=connection, version_table_schema=schema, transaction_per_migration=True
        )
        connection.exec_driver_sql(f"set role {owner}")
        connection.commit()
        with environment.begin_transaction():
            environment.run_migrations()
        connection.commit()
    connection.exec_driver_sql(f"grant select on {schema}.alembic_version to {role_of(schema)}")
    connection.exec_driver_sql("reset role")
    connection.commit()
    return done
