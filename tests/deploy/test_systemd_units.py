"""The units: true to the code, clean by `systemd-analyze verify`, closed in by `systemd-analyze security`."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy import facts, units
from tests.deploy.facts import ROOT, SERVICES

NAMES = ("gateway", *SERVICES, "migrate")
MOST_EXPOSED = 2.5

analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: apt-get install systemd"
)


@pytest.mark.parametrize("name", NAMES)
def test_each_process_is_one_that_the_code_has(name: str) -> None:
    facts.check(units.process(name))


@pytest.mark.parametrize("name", ["gateway", *SERVICES])
def test_each_tells_systemd_and_is_watched(name: str) -> None:
    found = units.service(name)["Service"]
    assert found["Type"] == ["notify"]
    assert found["WatchdogSec"]
    assert found["RestartPreventExitStatus"] == ["78"]
    assert found["Restart"] == ["always"]


def test_migrations_come_before_the_services() -> None:
    for name in SERVICES:
        unit = units.service(name)["Unit"]
        assert "messenger-migrate.service" in unit["After"][0].split()
        assert "messenger-migrate.service" in unit["Wants"][0].split()
    assert units.service("migrate")["Service"]["Type"] == ["oneshot"]


def test_the_socket_is_the_one_that_the_gateway_takes() -> None:
    socket = units.read(units.FOLDER / "messenger-gateway@.socket")["Socket"]
    settings = facts.settings_of(units.process("gateway"))
    assert settings.gateway.listen == [f"systemd:name={socket['FileDescriptorName'][0]}"]
    assert socket["ListenStream"] == ["127.0.0.1:8080"]


def test_the_target_starts_all_of_them() -> None:
    wanted = " ".join(units.read(units.FOLDER / "secure-messenger.target")["Unit"]["Wants"]).split()
    files = {re.sub(r"@\d+", "@", one) for one in wanted}
    expected = {units.unit_of(name).name for name in ("gateway", *SERVICES)} | {"messenger-gateway@.socket"}
    assert files == expected


def test_secrets_are_those_that_the_script_makes() -> None:
    script = (ROOT / "deploy/make-secrets.sh").read_text()
    made = set(re.findall(r"^secret (\w+)", script, re.MULTILINE))
    assert set().union(*(units.secrets(units.process(name)) for name in NAMES)) == made


def test_everything_in_one() -> None:
    found = units.read(units.FOLDER / "messenger.service")["Service"]
    assert found["ExecStart"] == ["/opt/secure-messenger/bin/twist messenger --data /var/lib/messenger"]
    assert found["StateDirectory"] == ["messenger"]
    # Or the engines would be gone before the services have written what they have.
    assert found["KillMode"] == ["mixed"]
    assert float(found["TimeoutStopSec"][0].removesuffix("s")) > 2 * facts.STOP_SECONDS


def test_tls_is_not_forbidden() -> None:
    """cffi's callbacks, by which OpenSSL calls Python, need writable and executable memory."""
    for name in NAMES:
        assert "MemoryDenyWriteExecute" not in units.service(name)["Service"]
    assert "MemoryDenyWriteExecute" not in units.read(units.FOLDER / "messenger.service")["Service"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system as the package lays it out, with programs that only have to be there."""
    top = tmp_path_factory.mktemp("root")
    shutil.copytree(units.FOLDER, top / "usr/lib/systemd/system")
    for program in ("opt/secure-messenger/bin/twist", "opt/secure-messenger/bin/messenger-admin", "bin/kill"):
        (top / program).parent.mkdir(parents=True, exist_ok=True)
        (top / program).write_text("")
        (top / program).chmod(0o755)
    docs = top / "usr/share/doc/secure-messenger"
    docs.mkdir(parents=True)
    shutil.copy(ROOT / "docs/install-systemd.md", docs)
    # What every system has.
    for unit in ("network-online", "sysinit", "basic", "shutdown", "multi-user", "sockets", "network"):
        (top / f"usr/lib/systemd/system/{unit}.target").write_text(f"[Unit]\nDescription={unit}\n")
    return top


def instance(unit: Path) -> str:
    return unit.name.replace("@.", "@8090." if "gateway" in unit.name else "@8082.")


UNITS = sorted(path for kind in ("service", "socket", "target") for path in units.FOLDER.glob(f"*.{kind}"))


@analyze
def test_systemd_finds_nothing_to_say(root: Path) -> None:
    names = [instance(unit) for unit in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={root}", "--man=no", *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "essenger" in line]
    assert (done.returncode, said) == (0, []), done.stderr


@analyze
def test_each_service_is_closed_in(root: Path) -> None:
    for unit in UNITS:
        if unit.suffix != ".service":
            continue
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", f"--root={root}", "--no-pager", instance(unit)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        found = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
        assert found, done.stdout + done.stderr
        assert float(found[1]) <= MOST_EXPOSED, f"{unit.name}: {found[1]}"
