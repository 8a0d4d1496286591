"""The role of each schema, and the version it is at: for whoever looks before a service does. Blocking."""

import re
from collections.abc import Sequence

import psycopg2

from messenger.core.database.blocking import connect
from messenger.core.lifecycle import StartError
from messenger.core.settings import DatabaseSettings

_FATAL = re.compile(r"\b(?:FATAL|PANIC):")


def role_of(schema: str) -> str:
    """The role that the service of this schema logs in with."""
    return f"messenger_{schema}"


def versions(settings: DatabaseSettings, schemas: Sequence[str]) -> dict[str, str | None]:
    """The version that each schema is at, or None where it has none; blocking, as `settings.admin_user`.

    StartError where PostgreSQL can't be reached or says no.
    """
    found: dict[str, str | None] = {}
    try:
        connection = connect(
            settings,
            user=settings.admin_user,
            password=settings.admin_password or None,
            application_name="messenger-admin",
        )
    except psycopg2.Error as error:
        raise StartError(f"PostgreSQL at {settings.where}: {error_line(error)}; see [database]") from None
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for schema in schemas:
                cursor.execute("select to_regclass(%s)", (f"{schema}.alembic_version",))
                there = cursor.fetchone()
                if there is None or there[0] is None:
                    found[schema] = None
                    continue
                cursor.execute(f"select version_num from {schema}.alembic_version")  # noqa: S608
                row = cursor.fetchone()
                found[schema] = row[0] if row else None
    finally:
        connection.close()
    return found


def error_line(error: BaseException) -> str:
    """An error of PostgreSQL's in one line: the server's own last word, where there is one.

    libpq tells of each address of a name that it has tried; a refused connection to one of them stands before
    what the server said at the other.
    """
    lines = (str(error).strip() or type(error).__name__).splitlines()
    found = [line for line in lines if _FATAL.search(line)]
    return (found[-1] if found else lines[0]).strip()
