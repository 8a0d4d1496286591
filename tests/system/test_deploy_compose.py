"""docker-compose.yml without Docker: each command line as a plain process, in the order of `depends_on`.

NATS and Valkey run by their own command lines and configurations from the wheels' programs; PostgreSQL and S3
are the embedded engines, which their images' entrypoints stand for in Compose.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy import compose
from tests.deploy.facts import ROOT
from tests.system.deployed import Places, engines, launch, programs, round_trip, run, until_well
from tests.system.stack import Stack, free_ports
from tests.system.waiting import until

pytestmark = pytest.mark.system

HEALTH = ["messenger-health"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean checkout, as far as Compose reads it."""
    found = tmp_path_factory.mktemp("compose")
    shutil.copy(compose.FILE, found)
    shutil.copytree(ROOT / "deploy", found / "deploy")
    shutil.copytree(ROOT / "etc", found / "etc")
    found.chmod(0o755)
    return found


@pytest.fixture(scope="module")
def system(folder: Path) -> Iterator[tuple[Stack, Places]]:
    """All of docker-compose.yml, running."""
    stack = engines(folder / "engines")
    try:
        places = prepare(folder, stack)
        found = compose.services(folder / "docker-compose.yml", compose.dotenv(folder / ".env"))
        for name in ("nats", "redis"):
            launch(stack, places, name, found[name]["command"], {})
        migrate = found["migrate"]
        assert "auth 0001" in run(places, migrate["command"], migrate["environment"])
        for name in ("auth", "key", "message", "file", "gateway"):
            process = launch(stack, places, name, found[name]["command"], environment(found[name]))
            if name == "gateway":
                for one in ("auth", "key", "message", "file"):
                    until_well(places, stack.processes[one], found[one]["healthcheck"]["test"][1:])
                until_well(places, process, found[name]["healthcheck"]["test"][1:])
        yield stack, places
    finally:
        stack.stop()


def environment(service: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in service["environment"].items()}


def prepare(folder: Path, stack: Stack) -> Places:
    """Secrets by the script, which keeps those of the engines that run already; and what replaces what."""
    secrets = json.loads((stack.data / "secrets.json").read_text())
    (folder / "secrets").mkdir(mode=0o700)
    for name, value in {
        "postgres_password": secrets["postgres_password"],
        "s3_access_key": stack.engines["s3_access_key"],
        "s3_secret_key": stack.engines["s3_secret_key"],
    }.items():
        (folder / "secrets" / name).write_text(f"{value}\n")
    subprocess.run(["deploy/make-secrets.sh"], cwd=folder, check=True, capture_output=True, timeout=60)
    programs(folder)
    nats, redis, monitor = free_ports(3)
    s3 = stack.engines["s3_endpoint"].rpartition("/")[2]
    places = Places(
        folder,
        {
            "postgres:5432": f"127.0.0.1:{stack.engines['postgres_port']}",
            "nats:4222": f"127.0.0.1:{nats}",
            "redis:6379": f"127.0.0.1:{redis}",
            "minio:9000": s3,
        },
        {
            "/run/secrets": folder / "secrets",
            "/etc/messenger/messenger.toml": folder / "etc/messenger.toml",
            "/etc/nats/nats.conf": folder / "nats.conf",
            "/etc/valkey/valkey.conf": folder / "valkey.conf",
        },
    )
    text = (folder / "deploy/compose/nats.conf").read_text()
    text = (
        text.replace("4222", str(nats)).replace("8222", str(monitor)).replace("/data", str(folder / "nats"))
    )
    (folder / "nats.conf").write_text(text)
    text = (folder / "deploy/compose/valkey.conf").read_text()
    (folder / "valkey.conf").write_text(text.replace("6379", str(redis)).replace("/tmp", str(folder)))
    places.ports[8222] = monitor
    return places


def test_it_can_be_used(system: tuple[Stack, Places]) -> None:
    _, places = system
    round_trip(f"http://127.0.0.1:{places.port(8080)}")


def test_the_gateway_s_metrics_are_on_a_port_of_their_own(system: tuple[Stack, Places]) -> None:
    _, places = system
    assert "messenger_" in httpx.get(f"http://127.0.0.1:{places.port(8090)}/metrics").text
    assert httpx.get(f"http://127.0.0.1:{places.port(8080)}/metrics").status_code == 404


def test_limits_are_counted_in_the_redis_of_the_file(system: tuple[Stack, Places]) -> None:
    _, places = system
    metrics = f"http://127.0.0.1:{places.port(8081)}/metrics"
    # On a busy machine Redis may be late once, and is asked again a moment later.
    until(lambda: "messenger_limits_shared 1.0" in httpx.get(metrics).text, 10)


def test_nats_says_that_it_is_well_where_compose_asks(system: tuple[Stack, Places]) -> None:
    _, places = system
    url = f"http://127.0.0.1:{places.ports[8222]}/healthz"
    assert until(lambda: httpx.get(url).status_code == 200)


def test_the_administrator_s_command(system: tuple[Stack, Places], folder: Path) -> None:
    _, places = system
    admin = compose.services(folder / "docker-compose.yml", compose.dotenv(folder / ".env"))["admin"]
    listed = run(places, [*admin["entrypoint"], "keys", "list"], environment(admin))
    assert "signing" in listed
