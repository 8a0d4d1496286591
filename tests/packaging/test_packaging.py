"""The metadata list every package, and every file that the code opens: `find:` would miss twisted.plugins."""

import ast
import configparser
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# What the web client is made of; only what is built of it is installed.
SOURCES = ROOT / "messenger" / "web" / "client"


def metadata() -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def test_every_package_is_listed() -> None:
    listed = metadata()["options"]["packages"].split()
    folders = {path.parent for path in (ROOT / "messenger").rglob("*.py") if SOURCES not in path.parents}
    wanted = sorted(str(folder.relative_to(ROOT)).replace("/", ".") for folder in folders)
    assert listed == [*wanted, "twisted.plugins"]


def test_every_data_file_is_listed() -> None:
    data = metadata()["options.package_data"]
    listed = {
        path
        for package in data
        for pattern in data[package].split()
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    found = {path for path in (ROOT / "messenger").rglob("*") if path.suffix not in (".py", ".pyc")}
    wanted = {path for path in found if path.is_file() and SOURCES not in path.parents}
    assert listed == wanted


def test_what_is_required_is_imported() -> None:
    """A requirement that nothing imports is a promise that nobody keeps, and one more thing to update."""
    # What Twisted looks for by itself, to check names in certificates.
    by_others = {"service-identity"}
    imported = set()
    for path in (ROOT / "messenger").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    modules: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for one in distributions:
            modules.setdefault(canonicalize_name(one), set()).add(module)
    required = {
        canonicalize_name(Requirement(line).name)
        for line in metadata()["options"]["install_requires"].split("\n")
        if line
    }
    assert len(required) > 15
    assert sorted(one for one in required - by_others if not modules.get(one, set()) & imported) == []
