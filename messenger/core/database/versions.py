"""The role of each schema, and the version it is at: for whoever looks before a service does. Blocking."""

from collections.abc import Sequence

import psycopg2

from messenger.core.lifecycle import StartError
from messenger.core.settings import DatabaseSettings

CONNECT_SECONDS = 5


def role_of(schema: str) -> str:
    """The role that the service of this schema logs in with."""
    return f"messenger_{schema}"


def versions(settings: DatabaseSettings, schemas: Sequence[str]) -> dict[str, str | None]:
    """The version that each schema is at, or None where it has none; blocking, as `settings.admin_user`.

    StartError where PostgreSQL can't be reached or says no.
    """
    found: dict[str, str | None] = {}
    try:
        connection = psycopg2.connect(
            host=settings.host,
            port=settings.port,
            dbname=settings.name,
            sslmode=settings.sslmode,
            user=settings.admin_user,
            password=settings.admin_password or None,
            connect_timeout=CONNECT_SECONDS,
            application_name="messenger-admin",
        )
    except psycopg2.Error as error:
        where = f"{settings.host}:{settings.port}"
        raise StartError(f"PostgreSQL at {where}: {first_line(error)}; see [database]") from None
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


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
