"""Each release in the changelog names its web client, so that whoever was given a page can compare it."""

import re
from pathlib import Path

from messenger import __version__
from messenger.web.assets import load

ROOT = Path(__file__).parents[2]
RELEASE = re.compile(r"^## \[(\d[^\]]*)\].*?$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
WEB = re.compile(r"^Web client: `([0-9a-f]{64})`\.$", re.MULTILINE)


def trouble(text: str, version: str, sha256: str) -> list[str]:
    """The releases that do not name their web client, or, of this version, another one than it has."""
    found = []
    for name, notes in RELEASE.findall(text):
        said = WEB.findall(notes)
        if len(said) != 1 or (name == version and said != [sha256]):
            found.append(name)
    return found


def test_each_release_names_its_web_client() -> None:
    assert trouble((ROOT / "CHANGELOG.md").read_text(), __version__, load().sha256) == []


def test_a_release_that_does_not_is_found() -> None:
    one, other = "1" * 64, "2" * 64
    head = f"# Changelog\n\n## [Unreleased]\n\n- This.\n\n## [2.0.0] - 2027-02-01\n\nWeb client: `{one}`.\n\n"
    text = head + f"## [1.0.0] - 2027-01-01\n\nWeb client: `{other}`.\n\n### Added\n"
    assert trouble(text, "2.0.0", one) == []
    assert trouble(text, "2.0.0", other) == ["2.0.0"]
    assert trouble(text, "3.0.0", other) == []
    assert trouble(text.replace(f"Web client: `{other}`.", "No word."), "2.0.0", one) == ["1.0.0"]
