"""Debian's ejabberd: its messages go to mod_mam's archive in PostgreSQL, and nothing else is switched on.

Started by `erl` itself, as `ejabberdctl foreground` does it but without a node name: so no port of Erlang's
distribution and no epmd are opened.
"""

import glob
from contextlib import closing
from pathlib import Path

from benchmarks.peers.daemon import HOST, Database, Plan

NAME = "ejabberd"
TABLE = "archive"
_SCHEMA = Path("/usr/share/ejabberd/sql/pg.sql")


def configuration(port: int, database: Database) -> str:
    """ejabberd.yml: clients on `port` without TLS and without limits of rate.

    Passwords lie there as they are, in Prosody's too: to hash one at each log-in by SASL PLAIN would leave
    the heap of its connection's process at 370 KB, which a client that logs in by SCRAM does not cause.
    """
    return f"""\
hosts: [localhost]
loglevel: warning
listen:
  -
    port: {port}
    ip: "{HOST}"
    module: ejabberd_c2s
    access: all
    shaper: none
default_db: sql
auth_method: sql
auth_password_format: plain
sql_type: pgsql
sql_server: "{HOST}"
sql_port: {database.port}
sql_database: "{database.name}"
sql_username: "{database.name}"
sql_password: "{database.password}"
registration_timeout: infinity
modules:
  mod_mam:
    db_type: sql
    default: always
  mod_register:
    access: all
"""


def prepare(database: Database) -> None:
    """Make the tables."""
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_SCHEMA.read_text())


def plan(folder: Path, port: int, database: Database) -> Plan:
    """How it is started, with the virtual machine's settings of Debian's `ejabberdctl`."""
    libraries = glob.glob("/usr/lib/*/ejabberd-*/ebin/ejabberd.app")[0]
    return Plan(
        files={"ejabberd.yml": configuration(port, database)},
        arguments=(
            *("/usr/bin/erl", "+K", "true", "+P", "250000", "-noinput"),
            *("-mnesia", "dir", f'"{folder}/mnesia"', "-s", "ejabberd"),
        ),
        environment={
            "EJABBERD_CONFIG_PATH": str(folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
            "ERL_CRASH_DUMP_BYTES": "0",
            "ERL_LIBS": str(Path(libraries).parents[2]),
            "ERL_MAX_PORTS": "32000",
        },
    )
