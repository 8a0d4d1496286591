"""The `twist` subcommands as an administrator meets them: help, and each way a start can fail.

A failure is one line on standard error that says what to do, and a status that is not 0; nothing is left
half started.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.stack import OPEN, Stack, free_ports

pytestmark = pytest.mark.system

NAMES = (
    "messenger",
    "messenger-gateway",
    "messenger-auth",
    "messenger-message",
    "messenger-file",
    "messenger-key",
)
SERVICES = ("auth", "message", "file", "key")


def twist(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `twist` to its end."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")}
    return subprocess.run(
        [sys.executable, "-m", "twisted", *arguments],
        env={**clean, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def the_line(done: subprocess.CompletedProcess[str]) -> str:
    """What standard error says, which is one line without a traceback."""
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stdout, done.stdout
    return lines[0]


def test_help_lists_the_subcommands() -> None:
    done = twist("--help")
    assert done.returncode == 0
    for name in NAMES:
        assert f"\n    {name} " in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from twisted.plugin import getPlugins\n"
        "from twisted.application.service import IServiceMaker\n"
        "names = [p.tapname for p in getPlugins(IServiceMaker) if p.tapname.startswith('messenger')]\n"
        "heavy = {'twisted.internet.reactor', 'psycopg2', 'nats', 'minio', 'msgspec', 'autobahn', 'uvloop'}\n"
        "print(sorted(names), sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == f"{sorted(NAMES)} []"


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_help_of_its_own(name: str) -> None:
    done = twist(name, "--help")
    assert done.returncode == 0
    assert "--config" in done.stdout
    assert len(done.stdout.split("--help", 1)[1].strip().splitlines()) >= 2, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_setting_is_named(name: str) -> None:
    done = twist(name, MESSENGER_AUTH__BCRYPT_COST="many")
    assert done.returncode == 78
    assert "MESSENGER_AUTH__BCRYPT_COST" in the_line(done)


def test_an_unknown_key_of_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "messenger.toml"
    path.write_text("[gateway]\nlissten = 'tcp:8080'\n")
    done = twist("messenger-gateway", "--config", str(path))
    assert done.returncode == 78
    line = the_line(done)
    assert "lissten" in line
    assert "[gateway]" in line


@pytest.mark.parametrize("service", SERVICES)
def test_a_missing_secret_is_named(service: str) -> None:
    done = twist(f"messenger-{service}")
    assert done.returncode == 78
    assert f"MESSENGER_{service.upper()}__DATABASE_PASSWORD" in the_line(done)


@pytest.mark.parametrize("service", SERVICES)
def test_a_missing_engine_is_named(service: str) -> None:
    postgres, nats = free_ports(2)
    done = twist(
        f"messenger-{service}",
        **{
            f"MESSENGER_{service.upper()}__DATABASE_PASSWORD": "x",
            "MESSENGER_AUTH__SIGNING_SECRET": "s" * 40,
            "MESSENGER_S3__ACCESS_KEY": "x",
            "MESSENGER_S3__SECRET_KEY": "x",
            "MESSENGER_DATABASE__PORT": str(postgres),
            "MESSENGER_DATABASE__WAIT": "1",
            "MESSENGER_NATS__URL": f"nats://127.0.0.1:{nats}",
            "MESSENGER_NATS__WAIT": "1",
        },
    )
    line = the_line(done)
    assert str(postgres) in line or str(nats) in line
    assert "[database]" in line or "[nats]" in line


def test_a_taken_port_is_named(one: Stack) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = twist(
            "messenger-gateway",
            MESSENGER_GATEWAY__LISTEN=f"tcp:{port}:interface=127.0.0.1",
            MESSENGER_GATEWAY__METRICS_LISTEN="tcp:0:interface=127.0.0.1",
        )
    line = the_line(done)
    assert str(port) in line
    assert "[gateway] listen" in line


def test_a_second_server_on_the_same_data_refuses(one: Stack) -> None:
    ports = free_ports(6)
    listens = dict(zip(("GATEWAY", "AUTH", "MESSAGE", "FILE", "KEY"), ports, strict=False))
    done = twist(
        "messenger",
        "--data",
        str(one.data),
        MESSENGER_GATEWAY__METRICS_LISTEN=f"tcp:{ports[5]}:interface=127.0.0.1",
        **{f"MESSENGER_{name}__LISTEN": f"tcp:{port}:interface=127.0.0.1" for name, port in listens.items()},
        **OPEN,
    )
    assert "is in use by process" in the_line(done)


def test_another_reactor_is_refused() -> None:
    done = twist("--reactor", "select", "messenger-gateway")
    assert done.returncode != 0
    assert "without --reactor" in done.stdout + done.stderr
