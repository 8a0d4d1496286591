"""The pages name what there is: settings, commands, files; and those made from the code are up to date."""

import ast
import re
from pathlib import Path

import msgspec
import pytest

from docs.reference import FOLDER, pages
from messenger.core.settings import Settings

ROOT = FOLDER.parent
PAGES = sorted([ROOT / "README.md", ROOT / "tests" / "README.md", *FOLDER.glob("*.md")])
SECTIONS = {
    one.name: {key.name for key in msgspec.structs.fields(one.type)}
    for one in msgspec.structs.fields(Settings)
}
FOLDERS = "|".join(("benchmarks", "deploy", "docs", "etc", "messenger", "tests", "twisted"))


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_page_made_from_the_code_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run `python -m docs.reference`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    paths = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text))
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    targets = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", text, re.MULTILINE))
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets - known == set()
    variables = set(re.findall(r"\bMESSENGER_([A-Z0-9]+)__([A-Z0-9_]+?)(?:__FILE)?\b", text))
    settings = {(section.lower(), key.lower()) for section, key in variables} - {("section", "key")}
    settings |= set(re.findall(r"`\[([a-z0-9]+)\] ([a-z0-9_]+)", text))
    assert [one for one in sorted(settings) if one[1] not in SECTIONS.get(one[0], ())] == []
    modules = set(re.findall(r"python -m ((?:messenger|benchmarks|tests|docs)[\w.]*)", text))
    places = [ROOT.joinpath(*module.split(".")) for module in sorted(modules)]
    assert [
        str(one) for one in places if not (one.with_suffix(".py").exists() or (one / "__main__.py").exists())
    ] == []
    services = set(re.findall(r"twist messenger-(\w+)", text))
    assert services <= {"gateway", "auth", "key", "message", "file"}


def test_no_page_takes_a_name_that_an_earlier_one_has_taken() -> None:
    """A name is given out once; who follows README.md and the pages on one server meets none that is
    taken."""
    order = ["README.md", "docs/install.md", "docs/first-conversation.md", "docs/api.md", "docs/client.md"]
    taken: dict[str, str] = {}
    for page in order:
        code = "\n".join(
            re.findall(r"^```(?:sh|python|js)\n(.*?)^```$", (ROOT / page).read_text(), re.S | re.M)
        )
        names = re.findall(
            r"(?:register (?!\w+\(\))|register\(\"|person\(\"|users create )([a-z][\w.-]{2,})(?!\w*\()", code
        )
        for name in names:
            assert name not in taken, f"{page} takes {name}, which {taken.get(name)} has taken"
            taken[name] = page
    assert {"alice", "bob", "alice-curl", "alice-python", "alice-js", "ben"} <= set(taken)


def test_what_the_tour_shows_is_where_it_says() -> None:
    rows = re.findall(
        r"^\| `(messenger/[\w/]+\.py)` \| (`[^|]+`) \|", (FOLDER / "contributing.md").read_text(), re.M
    )
    assert len(rows) > 20
    missing = []
    for path, names in rows:
        defined: set[str] = set()
        for one in ast.parse((ROOT / path).read_text()).body:
            if isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                defined.add(one.name)
            if isinstance(one, ast.ClassDef):
                inside = (
                    part for part in one.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                )
                defined |= {f"{one.name}.{part.name}" for part in inside}
        missing += [f"{path}: {name}" for name in re.findall(r"`([^`]+)`", names) if name not in defined]
    assert missing == []
