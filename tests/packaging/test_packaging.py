"""The metadata list every package, and every file that the code opens: `find:` would miss twisted.plugins."""

import configparser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def metadata() -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def test_every_package_is_listed() -> None:
    listed = metadata()["options"]["packages"].split()
    folders = {path.parent for path in (ROOT / "messenger").rglob("*.py")}
    wanted = sorted(str(folder.relative_to(ROOT)).replace("/", ".") for folder in folders)
    assert listed == [*wanted, "twisted.plugins"]


def test_every_data_file_is_listed() -> None:
    data = metadata()["options.package_data"]
    listed = {f"{package}/{name}" for package in data for name in data[package].split()}
    files = {path for path in (ROOT / "messenger").rglob("*") if path.is_file()}
    wanted = {path for path in files if path.suffix not in (".py", ".pyc")}
    assert listed == {f"{'.'.join(path.relative_to(ROOT).parts[:-1])}/{path.name}" for path in wanted}
