"""docs/vectors/scenarios.json: the core makes it, and an implementation of primitives alone plays it, too."""

import ast
import copy
import re
from pathlib import Path
from typing import Any

import pytest

from messenger.client.e2e import bodies, errors
from messenger.client.engine.naming import reason_of
from tests.client.scenarios.core import Core
from tests.client.scenarios.file import PATH, stored, text_of
from tests.client.scenarios.long import long_scenario
from tests.client.scenarios.running import Machine, replay
from tests.client.scenarios.stories import all_scenarios
from tests.client.scenarios.verbs import VERBS
from tests.client.second.basics import WORD_OF
from tests.client.second.machine import Second

SCENARIOS = stored()
STEPS = [step for scenario in SCENARIOS for step in scenario["steps"]]
# Only the engine, which knows conversations, raises these; a store that is damaged is nobody's to replay.
ELSEWHERE = {"BadState", "NotApprovedYet", "ContactChanged", "NotInAudience", "NotTheAuthor"}

BASES = {"EncryptionError", "Undecryptable", "Replayed", "Refiled", "Untrusted", "FileError", "KdfError"}
RAISED = [one for one in vars(errors).values() if isinstance(one, type) and one.__name__ not in BASES]
PAGE = PATH.parents[1] / "encryption.md"


def test_the_file_is_what_the_core_makes() -> None:
    assert text_of(all_scenarios()) == PATH.read_text(), "python -m tests.client.scenarios makes it anew"


@pytest.mark.parametrize("machine", [Core, Second])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_a_scenario_comes_out_as_the_file_says(scenario: dict[str, Any], machine: type[Machine]) -> None:
    replay(machine(), scenario)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_thousand_random_steps_come_out_alike(seed: int) -> None:
    scenario, refusals = long_scenario(seed)
    assert len(scenario["steps"]) >= 1_000
    assert len(refusals) >= 8
    replay(Core(), scenario)
    replay(Second(), scenario)


def test_every_refusal_stands_in_it_by_its_name_and_word() -> None:
    events = [event for step in STEPS if step["do"] == "learn" for event in step["gives"]["told"]]
    told = {(one["error"], one["word"]) for one in STEPS + events if "error" in one}
    names = {name for name, _ in told}
    assert names == {one.__name__ for one in RAISED} - ELSEWHERE
    assert told == {(name, WORD_OF[name]) for name in names}
    assert names == WORD_OF.keys()


def test_the_page_has_the_same_words() -> None:
    section = PAGE.read_text().partition("## Refusals")[2].partition("\n## ")[0]
    said: dict[str, str] = {}
    for row in re.findall(r"^\| (`.*`) \| (`.*`) \|$", section, re.MULTILINE):
        words, names = (re.findall(r"`(\w+)`", column) for column in row)
        said |= dict(zip(names, words * len(names) if len(words) == 1 else words, strict=False))
    assert said == {one.__name__: reason_of(one.__new__(one)) for one in RAISED if one.__name__ != "BadState"}


def test_every_body_and_every_verb_stands_in_it() -> None:
    taken = {step["gives"]["body"]["type"] for step in STEPS if step["do"] == "body" and "gives" in step}
    assert taken >= bodies._TYPES
    assert {step["do"] for step in STEPS} == VERBS.keys()


def test_the_second_implementation_has_nothing_of_the_first() -> None:
    for path in (Path(__file__).parent / "second").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [one.name for one in node.names]
                )
                for name in names:
                    top = name.split(".")[0]
                    assert name.startswith("tests.client.second") or top not in ("messenger", "tests"), path
                    assert top not in ("x3dh", "doubleratchet", "msgspec"), path


@pytest.mark.parametrize("machine", [Core, Second])
def test_a_step_that_comes_out_otherwise_is_found(machine: type[Machine]) -> None:
    """One byte of an envelope, the word of a refusal, a random byte."""
    ratchet = next(one for one in SCENARIOS if one["name"] == "ratchet")

    def with_change(verb: str, member: str, change: Any) -> dict[str, Any]:
        changed = copy.deepcopy(ratchet)
        step = next(one for one in changed["steps"] if one["do"] == verb and member in one)
        step[member] = change(step[member])
        return changed

    def flipped(text: str) -> str:
        return text[:-1] + ("0" if text[-1] != "0" else "1")

    for changed in (
        with_change("seal", "gives", lambda gives: {"envelope": flipped(gives["envelope"])}),
        with_change("open", "word", lambda word: word + "!"),
        with_change("start", "random", lambda random: [flipped(random[0]), *random[1:]]),
    ):
        with pytest.raises(AssertionError):
            replay(machine(), changed)
