"""A module without I/O can be used without the house: importing it loads little else of ours, no reactor."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WIRE = "messenger.wire"
RULES = (
    WIRE,
    "messenger.core.clock",
    "messenger.core.identity",
    "messenger.core.ids",
    "messenger.core.outgoing",
)
# What each may load besides itself and the packages that it is in: modules and packages, by their names.
ALONE = {
    "messenger.wire.frames": (WIRE,),
    "messenger.core.clock": (),
    "messenger.core.http.conditions": (),
    "messenger.core.http.proxies": (),
    "messenger.core.limits.gcra": (WIRE,),
    "messenger.core.bus.origins": (WIRE, "messenger.core.ids"),
    "messenger.core.outgoing": (WIRE,),
    "messenger.core.bus.routes": (WIRE, "messenger.core.ids", "messenger.core.bus.origins"),
    "messenger.gateway.cors": (),
    "messenger.gateway.frames": (),
    "messenger.gateway.routes": (),
    "messenger.auth.totp": (),
    "messenger.auth.refresh": (WIRE,),
    "messenger.auth.domain.verdicts": (*RULES, "messenger.auth.model"),
    "messenger.auth.domain.sessions": (
        *RULES,
        "messenger.auth.domain",
        "messenger.auth.model",
        "messenger.auth.refresh",
        "messenger.auth.totp",
    ),
    "messenger.keys.points": (),
    "messenger.keys.domain": (*RULES, "messenger.keys.model", "messenger.keys.points"),
    "messenger.keys.vault.domain": (WIRE,),
    "messenger.files.ranges": (),
    "messenger.files.domain": (*RULES, "messenger.files.measured", "messenger.files.model"),
    "messenger.files.resumable.tus": (WIRE,),
    "messenger.messages.live.follower": (WIRE, "messenger.messages.live.page", "messenger.messages.model"),
    "messenger.client.e2e": (WIRE, "messenger.client.e2e"),
    "messenger.client.errors": (),
}
# These need Twisted for what it parses or waits with, and start nothing of it.
WITH_TWISTED = {
    "messenger.core.turns": (WIRE,),
    "messenger.core.http.strict": (),
    "messenger.core.http.chunked": (),
    "messenger.gateway.response": ("messenger.core.http.chunked",),
}


def loaded_by(module: str) -> set[str]:
    """The modules that a fresh interpreter has once it has imported this one."""
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


# These packages are the Python client's interface: theirs are the names that applications import.
INTERFACES = {"messenger/client/__init__.py", "messenger/client/e2e/__init__.py"}


def test_packages_import_nothing() -> None:
    """A package that imports one of its modules loads it, and all that this one needs, for each of them."""
    importing = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "messenger").rglob("__init__.py")
        if any(
            isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert importing == INTERFACES


@pytest.mark.parametrize("module", sorted({**ALONE, **WITH_TWISTED}))
def test_it_loads_little_else(module: str) -> None:
    loaded = loaded_by(module)
    allowed = {**ALONE, **WITH_TWISTED}[module]
    ours = {name for name in loaded if is_in(name, "messenger")}
    others = {
        name
        for name in ours
        if not is_in(module, name)  # the module, and the packages that it is in
        and not any(is_in(name, one) or is_in(one, name) for one in allowed)
    }
    assert others == set()
    assert "twisted.internet.reactor" not in loaded
    if module in ALONE:
        assert not {name for name in loaded if is_in(name, "twisted")}
