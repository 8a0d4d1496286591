"""The dashboard and the alert rules: whole, explained, judged by promtool where there is one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.monitoring.monitoring_files import (
    FOLDER,
    OPERATIONS,
    metrics_of,
    panel_expressions,
    panels,
    rule_tests,
    rules,
)

NAMES = [rule["alert"] for rule in rules()]
PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=str(Path(sys.executable).parent))

wants_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed: `make promtool` (Debian), or Prometheus' own release"
)


def anchors(text: str) -> set[str]:
    """Where links into a Markdown page may lead, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def promtool(*arguments: str, folder: Path = FOLDER) -> str:
    """What promtool says; AssertionError where it is not content."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_names_are_used_once() -> None:
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_and_where_to_read_on(rule: dict) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page == "docs/operations.md"
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(OPERATIONS.read_text("utf-8"))
    assert metrics_of(rule["expr"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_is_shown_quiet_firing_and_clear_again(rule: dict) -> None:
    (case,) = [one for one in rule_tests() if one["name"] == rule["alert"]]
    expected = [step["exp_alerts"] for step in case["alert_rule_test"]]
    assert [bool(alerts) for alerts in expected] == [False, True, False]
    assert expected[1][0]["exp_annotations"] == rule["annotations"]
    # What the alert looks at is what the case feeds it.
    assert {metric for one in case["input_series"] for metric in metrics_of(one["series"])} >= metrics_of(
        rule["expr"]
    )


@wants_promtool
def test_each_alert_fires_and_clears() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


@wants_promtool
def test_the_configuration_is_good() -> None:
    promtool("check", "config", "prometheus.yml")


@wants_promtool
def test_the_dashboards_expressions_are_good(tmp_path: Path) -> None:
    made = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(panel_expressions().values())
    ]
    text = yaml.safe_dump({"groups": [{"name": "dashboard", "rules": made}]})
    (tmp_path / "dashboard.yml").write_text(text)
    promtool("check", "rules", "dashboard.yml", folder=tmp_path)


def test_panels_don_t_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (place["x"] + across, place["y"] + down)
            for across in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert place["x"] + place["w"] <= 24
    assert len({panel["id"] for panel in panels()}) == len(panels())


@pytest.mark.parametrize("name", list(panel_expressions()))
def test_a_panel_shows_metrics(name: str) -> None:
    assert metrics_of(panel_expressions()[name])
