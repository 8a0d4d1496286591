"""What deploy/monitoring says, as tests need it: expressions, and the metrics that they name."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "monitoring"
OPERATIONS = ROOT / "docs" / "operations.md"

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_METRIC = re.compile(r"\b(?:messenger|process)_[a-z0-9_]+\b|\bup\b")
# What Grafana fills in: an interval, and what is chosen above the panels.
_FILLED_IN = {"$__rate_interval": "5m", "$job": "messenger.*"}


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    loaded = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def rule_tests() -> list[dict[str, Any]]:
    """The tests of alerts_test.yml."""
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts_test.yml").read_text("utf-8"))["tests"]
    return found


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels that show something."""
    found: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def panel_expressions() -> dict[str, str]:
    """The dashboard's expressions by panel and target, with what Grafana fills in."""
    found = {}
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for variable, value in _FILLED_IN.items():
                expression = expression.replace(variable, value)
            found[f"{panel['title']} {target['refId']}"] = expression
    return found


def metrics_of(expression: str) -> set[str]:
    """The metrics that a PromQL expression names."""
    return set(_METRIC.findall(_QUOTED.sub('""', expression)))
