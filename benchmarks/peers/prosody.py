"""Debian's Prosody: its messages go to mod_mam's archive in PostgreSQL, and nothing else is switched on."""

from pathlib import Path

from benchmarks.peers.daemon import HOST, Database, Plan

NAME = "prosody"
TABLE = "prosodyarchive"


def configuration(folder: Path, port: int, database: Database) -> str:
    """prosody.cfg.lua: clients on `port` without TLS and without limits of rate."""
    return f"""\
modules_enabled = {{ "roster", "saslauth", "mam", "register_ibr" }}
modules_disabled = {{ "s2s", "tls" }}
interfaces = {{ "{HOST}" }}
c2s_ports = {{ {port} }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
allow_registration = true
authentication = "internal_plain"
storage = "sql"
sql = {{
    driver = "PostgreSQL", host = "{HOST}", port = {database.port},
    database = "{database.name}", username = "{database.name}", password = "{database.password}",
}}
default_archive_policy = true
data_path = "{folder}"
pidfile = "{folder}/pid"
log = {{ warn = "{folder}/prosody.log" }}
VirtualHost "localhost"
"""


def prepare(_database: Database) -> None:
    """It makes its tables itself."""


def plan(folder: Path, port: int, database: Database) -> Plan:
    """How it is started."""
    file = folder / "prosody.cfg.lua"
    return Plan(
        files={file.name: configuration(folder, port, database)},
        arguments=("/usr/bin/prosody", "--config", str(file), "-F"),
        environment={},
    )
