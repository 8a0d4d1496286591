"""docker-compose.yml as data, with its variables filled in as Compose does from .env."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.facts import ROOT, Process, probe

FILE = ROOT / "docker-compose.yml"
APPLICATION = ("gateway", "auth", "key", "message", "file", "migrate")
_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Z_0-9]+)(?:(:-|:\?)([^}]*))?\})")


def dotenv(path: Path) -> dict[str, str]:
    """The variables of a .env file."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(value: Any, variables: Mapping[str, str]) -> Any:
    """`value` with `${NAME:-default}` and `${NAME:?why}` replaced; ValueError for one that must be given."""

    def replace(found: re.Match[str]) -> str:
        dollar, name, kind, rest = found.groups()
        if dollar:
            return "$"
        text = variables.get(name, "")
        if text or kind is None:
            return text
        if kind == ":?":
            raise ValueError(f"{name}: {rest}")
        return rest or ""

    if isinstance(value, str):
        return _VARIABLE.sub(replace, value)
    if isinstance(value, list):
        return [filled(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, variables) for key, item in value.items()}
    return value


def services(file: Path = FILE, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file's services, filled in."""
    given = dotenv(ROOT / "deploy/compose/env") if variables is None else variables
    found: dict[str, Any] = filled(yaml.safe_load(file.read_text())["services"], given)
    return found


def process(name: str, service: Mapping[str, Any], folder: Path = ROOT) -> Process:
    """A service of ours as a process."""
    files = {f"/run/secrets/{secret}": folder / "secrets" / secret for secret in service.get("secrets", ())}
    for volume in service.get("volumes", ()):
        if isinstance(volume, dict):
            files[volume["target"]] = folder / volume["source"]
    test = service["healthcheck"].get("test", [])
    if test:
        assert test[:2] == ["CMD", "messenger-health"], test
    return Process(
        name,
        service["command"],
        {key: str(value) for key, value in service["environment"].items()},
        files,
        [probe(test[2])] if test else [],
        seconds(service["stop_grace_period"]),
    )


def seconds(text: str) -> float:
    """A duration such as 20s or 1m."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text)
    assert found, text
    return 60.0 * int(found[1] or 0) + int(found[2] or 0)
