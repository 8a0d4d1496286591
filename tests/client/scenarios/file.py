"""docs/vectors/scenarios.json: a step a line, so that a change of one shows as one."""

import json
from pathlib import Path
from typing import Any

from tests.client.scenarios.verbs import VERBS

PATH = Path(__file__).parents[3] / "docs" / "vectors" / "scenarios.json"


def text_of(scenarios: list[dict[str, Any]]) -> str:
    """The file."""
    parts = []
    for scenario in scenarios:
        steps = ",\n".join(f"  {_line(step)}" for step in scenario["steps"])
        name, about = _line(scenario["name"]), _line(scenario["about"])
        parts.append(f'{{"name": {name}, "about": {about}, "steps": [\n{steps}\n]}}')
    verbs = ",\n".join(f" {_line(name)}: {_line(about)}" for name, about in VERBS.items())
    return '{"verbs": {\n' + verbs + '\n},\n"scenarios": [\n' + ",\n".join(parts) + "\n]}\n"


def stored() -> list[dict[str, Any]]:
    """The scenarios as they stand."""
    found: list[dict[str, Any]] = json.loads(PATH.read_text())["scenarios"]
    return found


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
