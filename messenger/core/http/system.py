"""Each process's endpoints about itself, on its own port: `/health`, `/ready` and `/metrics`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.defer import TimeoutError as DeferTimeoutError
from twisted.internet.error import TimeoutError as TwistedTimeoutError
from twisted.internet.interfaces import IReactorTime

from messenger import __version__
from messenger.core.http.answers import Answer
from messenger.core.http.call import Call
from messenger.core.http.routing import route
from messenger.core.ids import new_id
from messenger.core.log import state as log_state
from messenger.core.room import DISK
from messenger.wire.system import Health, Readiness

CHECK_SECONDS = 2.0
READY = "ready"
READ_ONLY = "read-only"
INSTANCE = new_id()
"""Of this run of this process: who looks for a certain server by its address knows by it that it is that
one."""

Check = Callable[[], Awaitable[object]]


class NotReady(Exception):
    """A check says no; its text, which clients see, says why in a few words."""


async def readiness(reactor: IReactorTime, checks: Mapping[str, Check]) -> Readiness:
    """Run all checks side by side, each for at most 2 s. A check that returns is ready, one that raises is
    not; one that gives a text is ready, and says by it what is amiss."""
    missing: set[str] = set()

    async def run(name: str) -> str:
        async def bare() -> object:
            return await checks[name]()

        try:
            said = await Deferred.fromCoroutine(bare()).addTimeout(CHECK_SECONDS, reactor)
        except Exception as error:
            missing.add(name)
            return _state(error)
        return said if isinstance(said, str) else READY

    states = await gatherResults([Deferred.fromCoroutine(run(name)) for name in checks])
    return Readiness(ready=not missing, checks=dict(zip(checks, states, strict=True)))


def _state(error: Exception) -> str:
    if isinstance(error, TwistedTimeoutError | DeferTimeoutError):
        return f"no answer within {CHECK_SECONDS:g} s"
    if isinstance(error, NotReady):
        return str(error)
    return str(getattr(error, "state", type(error).__name__))


def why_not(found: Readiness) -> str:
    """A few words on what is not ready."""
    names = [
        f"{name} ({state})" if state.startswith((DISK, READ_ONLY)) else name
        for name, state in found.checks.items()
        if state != READY
    ]
    return "not ready: " + ", ".join(names)


class SystemEndpoints:
    """`/health`, `/ready` and `/metrics`. `checks` are by name; `registry` is what `/metrics` shows; `schema`
    gives the versions of schemas that `/health` tells of.

    Once `draining` is set `/ready` says no, so that load balancers send nobody any more.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        checks: Mapping[str, Check],
        registry: CollectorRegistry | None = None,
        schema: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self.draining = False
        self._reactor = reactor
        self._checks = checks
        self._registry = registry
        if registry is not None:
            self._up = Gauge(
                "messenger_up",
                "1 while this is there, asked with each scrape.",
                ("check",),
                registry=registry,
            )
            self._ready = Gauge("messenger_ready", "1 while `/ready` says yes.", registry=registry)
        self._schema = schema

    async def check(self) -> None:
        """Return if requests can be served; else raise NotReady, which names what is missing."""
        found = await readiness(self._reactor, self._checks)
        if self.draining:
            raise NotReady("stopping")
        if not found.ready:
            raise NotReady(why_not(found))

    def drain(self) -> None:
        """The process is about to stop: `/ready` says no from now on."""
        self.draining = True

    @route("GET", "/health", answer=Health, open=True, at_root=True, class_="free")
    async def health(self, _call: Call) -> Health:
        """The process is up."""
        return Health(version=__version__, schema=self._schema(), instance=INSTANCE)

    @route("GET", "/ready", answer=Readiness, open=True, at_root=True, class_="free", also=(503,))
    async def ready(self, _call: Call) -> Any:
        """Whether requests can be served, and the state of each engine."""
        found = await readiness(self._reactor, self._checks)
        if self.draining:
            found = Readiness(ready=False, checks={**found.checks, "process": "stopping"})
        if log_state.full:  # which keeps nobody from being served
            found = Readiness(ready=found.ready, checks={**found.checks, "log": DISK})
        return found if found.ready else Answer(503, found, {"Retry-After": "1"})

    @route("GET", "/metrics", answer=bytes, open=True, at_root=True, class_="free", media="text/plain")
    async def metrics(self, _call: Call) -> Answer:
        """Metrics in Prometheus' text format."""
        if self._registry is None:
            return Answer(200, b"", content_type=CONTENT_TYPE_PLAIN_0_0_4)
        found = await readiness(self._reactor, self._checks)
        for name, state in found.checks.items():
            self._up.labels(name).set(state == READY)
        self._ready.set(found.ready and not self.draining)
        raw = generate_latest(self._registry)
        return Answer(200, raw, content_type=CONTENT_TYPE_PLAIN_0_0_4)
