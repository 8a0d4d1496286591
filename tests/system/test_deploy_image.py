"""The Dockerfile's own build steps, in a clean folder, and what comes out of them, as an image would run it.

A minute or two: it fetches and builds all that the image has.
"""

import fnmatch
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.facts import ROOT
from tests.system.process import Process
from tests.system.stack import free_ports
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.long]

INSTRUCTION = re.compile(r"^([A-Z]+)\s+(.*)$", re.DOTALL)


def build_stage() -> list[tuple[str, str]]:
    """The instructions of the first stage, lines joined, without comments."""
    text = "\n".join(
        line for line in (ROOT / "deploy/Dockerfile").read_text().splitlines() if line[:1] != "#"
    )
    stage = text.strip().replace("\\\n", " ").split("\nFROM ")[0]
    found = [INSTRUCTION.match(line.strip()) for line in stage.splitlines() if line.strip()]
    return [(one[1], one[2]) for one in found if one is not None]


def copy(source: str, target: Path) -> None:
    """COPY, with what .dockerignore leaves out."""
    ignored = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().splitlines()]
    patterns = [line for line in ignored if line[:1] not in ("", "#", "!", "*") or line.startswith("*.")]
    if (ROOT / source).is_dir():
        shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns(*patterns))
    else:
        assert not any(fnmatch.fnmatch(source, pattern) for pattern in patterns)
        shutil.copy(ROOT / source, target)


@pytest.fixture(scope="module")
def prefix() -> Iterator[Path]:
    """What the image has in /opt/messenger, in a folder that any user can enter: pytest's are closed."""
    with tempfile.TemporaryDirectory(prefix="messenger-image-") as folder:
        Path(folder).chmod(0o755)
        yield build(Path(folder))


def build(top: Path) -> Path:
    """Run the first stage with `top` as its root; gives what /opt/messenger is there."""
    subprocess.run([sys.executable, "-m", "venv", str(top / "python")], check=True, timeout=120)
    environ = {"PATH": f"{top / 'python/bin'}:/usr/bin:/bin", "HOME": str(top)}
    environ |= {
        key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }
    workdir = top
    for name, rest in build_stage():
        if name == "ENV":
            pairs = dict(pair.split("=", 1) for pair in shlex.split(rest))
            environ |= {
                key: str(top / value[1:]) if value.startswith("/") else value for key, value in pairs.items()
            }
        elif name == "WORKDIR":
            workdir = top / rest.strip("/")
            workdir.mkdir()
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                place = workdir / target
                if target.endswith("/"):
                    place.mkdir(exist_ok=True)
                copy(source, place)
        elif name == "RUN":
            done = subprocess.run(
                ["sh", "-c", rest],
                cwd=workdir,
                env=environ,
                capture_output=True,
                text=True,
                timeout=500,
                check=False,
            )
            assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"
        else:
            assert name == "FROM", name
    shutil.rmtree(workdir)
    shutil.rmtree(top / "wheels")
    return top / "opt/messenger"


def files(prefix: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in prefix.rglob("*") if path.is_file()}


def test_it_has_every_program(prefix: Path) -> None:
    for command in (["twist", "--help"], ["messenger-admin", "--version"], ["messenger-health"]):
        done = subprocess.run(
            [str(prefix / "bin" / command[0]), *command[1:]],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd="/",
        )
        assert done.returncode == (2 if command[0] == "messenger-health" else 0), done.stderr
    listed = subprocess.run(
        [str(prefix / "bin/python"), "-c", "import messenger.standalone.service, pytest"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
    )
    assert "No module named 'pytest'" in listed.stderr  # nothing that only tests need


def test_it_runs_as_anybody_and_writes_nothing(prefix: Path, tmp_path: Path) -> None:
    before = files(prefix)
    assert any(path.endswith("dropin.cache") for path in before)
    port, metrics = free_ports(2)
    environ = {
        "PATH": f"{prefix / 'bin'}:/usr/bin:/bin",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MESSENGER_GATEWAY__LISTEN": f"tcp:{port}:interface=127.0.0.1",
        "MESSENGER_GATEWAY__METRICS_LISTEN": f"tcp:{metrics}:interface=127.0.0.1",
    }
    command = ["twist", "messenger-gateway"]
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", *command]
    process = Process("gateway", command, environ, tmp_path / "log")
    process.start()
    try:
        check = [str(prefix / "bin/messenger-health"), f"http://127.0.0.1:{port}/health"]

        def well() -> bool:
            assert process.running(), process.text()
            return subprocess.run(check, capture_output=True, timeout=20, check=False).returncode == 0

        until(well, 30.0)
    finally:
        process.terminate()
        assert process.ended() == -signal.SIGTERM, process.text()  # stopped in order, `twist` says by whom
    assert "plugin cache" not in process.text()
    assert files(prefix) == before
