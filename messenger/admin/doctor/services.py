"""Each process that the settings name: is it ready, which version is it, has it descriptors left?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from messenger import __version__
from messenger.admin.doctor.findings import Findings
from messenger.admin.doctor.requests import Ask, NoAnswer
from messenger.core.schemas import SCHEMAS
from messenger.core.settings import Settings
from messenger.standalone.server import Server

FULL = 0.8

_METRIC = re.compile(r"^process_(open|max)_fds ([0-9.e+]+)$", re.MULTILINE)


async def look_at_services(settings: Settings, ask: Ask, findings: Findings) -> None:
    """All of [gateway] auth, message, file and key, and the gateway's own port for monitoring."""
    for name, url in _processes(settings):
        await _look_at(name, url, ask, findings)


async def look_at_server(server: Server | None, data: Path, ask: Ask, findings: Findings) -> None:
    """The `twist messenger` on the data in `data`: where it says that it listens, not where anybody might."""
    if server is None:
        findings.bad(
            "server",
            f"none is ready on {data}",
            f"start it by `twist messenger --data {data}`, or say --before-start",
        )
        return
    for name, urls in server.urls.items():
        for url in urls:
            if name == "gateway":
                await _look_at_entry(url, ask, findings)
            else:
                await _look_at(name.removesuffix("-metrics"), url, ask, findings, server.instance)


async def _look_at_entry(url: str, ask: Ask, findings: Findings) -> None:
    """Where clients come in. It tells them no instance."""
    what = f"clients' entry {url}"
    try:
        status, _ = await ask(url, "/ready", True)
    except NoAnswer as error:
        findings.bad(what, f"does not answer ({error})", "its log says why")
        return
    findings.judge(status == 200, what, f"/ready says {status}", "the engines above, or its log, say why")


def _processes(settings: Settings) -> Iterator[tuple[str, str]]:
    for service in SCHEMAS:
        for one in getattr(settings.gateway, service):
            yield service, one if "://" in one else f"http://{one}"
    port = _port(settings.gateway.metrics_listen)
    if port:
        yield "gateway", f"http://127.0.0.1:{port}"


def _port(endpoint: str) -> str:
    """The port of a `tcp:` endpoint; empty where it is of another kind."""
    kind, _, rest = endpoint.partition(":")
    port = rest.partition(":")[0].removeprefix("port=")
    return port if kind == "tcp" and port.isdecimal() else ""


async def _look_at(name: str, url: str, ask: Ask, findings: Findings, instance: str | None = None) -> None:
    """A process; `instance` is which it has to be, where that is known."""
    what = f"{name} at {url.partition('://')[2] or url}"
    known = instance is not None
    try:
        status, raw = await ask(url, "/ready", known)
        _, health = await ask(url, "/health", known)
        _, metrics = await ask(url, "/metrics", known)
        said = json.loads(health)
        version = str(said.get("version", "?"))
    except (NoAnswer, ValueError, AttributeError) as error:
        reason = str(error) if isinstance(error, NoAnswer) else "its answer is none of ours"
        advice = f"is messenger-{name} started, and is this its address?"
        findings.bad(what, f"does not answer ({reason})", advice)
        return
    if known and said.get("instance") != instance:
        findings.bad(
            what, "is another server's", "the one on this data has ended, or lost its port; see its log"
        )
        return
    if status != 200:
        findings.bad(what, f"is not ready: {_missing(raw)}", "the engines above, or its log, say why")
    elif version != __version__:
        findings.warn(
            what, f"is version {version}, this is {__version__}", "restart it, if the update is not under way"
        )
    else:
        findings.ok(what, f"is ready, version {version}")
    found = {kind: float(value) for kind, value in _METRIC.findall(metrics.decode("utf-8", "replace"))}
    if found.get("max", 0) > 0 and found.get("open", 0) > FULL * found["max"]:
        findings.bad(
            f"{what} descriptors",
            f"{found['open']:.0f} of {found['max']:.0f} are used",
            "raise its limit (LimitNOFILE, ulimit -n): one for each socket and some more",
        )


def _missing(raw: bytes) -> str:
    try:
        checks = json.loads(raw)["checks"]
        return ", ".join(f"{name} {state}" for name, state in checks.items() if state != "ready")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "it does not say why"
