"""Each process that the settings name: is it ready, which version is it, has it descriptors left?"""

import json
import re
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from messenger import __version__
from messenger.admin.doctor.telling import Telling
from messenger.core.schemas import SCHEMAS
from messenger.core.settings import Settings

SECONDS = 4.0
MOST = 4 << 20  # bytes of an answer
FULL = 0.8

_METRIC = re.compile(r"^process_(open|max)_fds ([0-9.e+]+)$", re.MULTILINE)


def look_at_services(settings: Settings, telling: Telling, *, together: bool) -> None:
    """All of [gateway] auth, message, file and key, and the gateway's own port for monitoring; `together`
    says that all are one process, whose services are where they listen."""
    for name, url in _processes(settings, together=together):
        _look_at(name, url, settings, telling)


def _processes(settings: Settings, *, together: bool) -> Iterator[tuple[str, str]]:
    for service in SCHEMAS:
        if together:
            yield service, f"http://127.0.0.1:{_port(getattr(settings, service).listen) or '?'}"
            continue
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


def _look_at(name: str, url: str, settings: Settings, telling: Telling) -> None:
    what = f"{name} at {url.partition('://')[2]}"
    try:
        status, raw = _get(url, "/ready", settings)
        _, health = _get(url, "/health", settings)
        _, metrics = _get(url, "/metrics", settings)
        version = str(json.loads(health).get("version", "?"))
    except (OSError, HTTPException, ValueError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        telling.bad(
            what, f"does not answer ({reason})", f"is messenger-{name} started, and is this its address?"
        )
        return
    if status != 200:
        telling.bad(what, f"is not ready: {_missing(raw)}", "the engines above, or its log, say why")
    elif version != __version__:
        telling.warn(
            what, f"is version {version}, this is {__version__}", "restart it, if the update is not under way"
        )
    else:
        telling.ok(what, f"is ready, version {version}")
    found = {kind: float(value) for kind, value in _METRIC.findall(metrics.decode("utf-8", "replace"))}
    if found.get("max", 0) > 0 and found.get("open", 0) > FULL * found["max"]:
        telling.bad(
            f"{what} descriptors",
            f"{found['open']:.0f} of {found['max']:.0f} are used",
            "raise its limit (LimitNOFILE, ulimit -n): one for each socket and some more",
        )


def _get(url: str, path: str, settings: Settings) -> tuple[int, bytes]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=settings.gateway.upstream_ca or None)
        connection: HTTPConnection = HTTPSConnection(host, port, timeout=SECONDS, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(MOST)
    finally:
        connection.close()


def _missing(raw: bytes) -> str:
    try:
        checks = json.loads(raw)["checks"]
        return ", ".join(f"{name} {state}" for name, state in checks.items() if state != "ready")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "it does not say why"
