"""A listening HTTP server as a part of a process (see core/lifecycle.py).

Its stop loses nobody who could still be served (the order is that of a load balancer's draining): `draining`
is called, so that `/ready` says no; for `drain_seconds` everything goes on, while whoever asks `/ready` sends
its clients elsewhere and each answer ends its connection; then what the kernel has accepted already is taken
in and the listeners close, for a listener that closes resets what still waits in its queue; then idle
connections close, and those with a request under way get up to `FINISH_SECONDS` for it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from messenger.core.hangup import on_hangup
from messenger.core.http.listen import Listener, listener
from messenger.core.http.site import Application, Site
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.waits import pause, within

FINISH_SECONDS = 5.0

log = Logger(namespace="messenger.http")


class HttpServer:
    """Serves `app` on one or several endpoints such as `tcp:8080:interface=127.0.0.1` (see listen.py).

    `name` is for the log; `setting` is the configuration's name of the endpoints, for whoever has to change
    them. `draining` is called as the stop begins, `drain_seconds` before the listeners close. Further
    arguments are the Site's. Once it listens, `urls` are where it is reached from this machine, and
    `hosts` the addresses that it listens on, `0.0.0.0` for all of IPv4 and empty for a Unix socket.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        endpoint: str | Sequence[str],
        app: Application,
        *,
        setting: str | None = None,
        draining: Callable[[], object] | None = None,
        drain_seconds: float = 0.0,
        **site: Any,
    ) -> None:
        self.site = Site(reactor, app, **site)
        self.port = 0
        self.grace = drain_seconds
        self._reactor = reactor
        self.name = name
        self.endpoints = [endpoint] if isinstance(endpoint, str) else list(endpoint)
        self._setting = setting or f"{name}.listen"
        self._draining = draining
        self._listening: list[Any] = []
        self.urls: list[str] = []
        self.hosts: list[str] = []
        self._on_stop: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Listen; StartError where an endpoint is malformed or taken. Then `port` is the first's number."""
        if not self.endpoints:
            raise StartError(f"{self._setting} names no endpoint", EX_CONFIG)
        try:
            for text in self.endpoints:
                await self._listen(text)
        except BaseException:
            await self._close()
            raise
        self.port = getattr(self._listening[0].getHost(), "port", 0)

    async def _listen(self, text: str) -> None:
        try:
            endpoint = listener(self._reactor, text)
        except ValueError as error:
            raise StartError(f"{self._setting} is no endpoint: {text!r} ({error})", EX_CONFIG) from None
        try:
            port: Any = await endpoint.listen(self.site)
        except (CannotListenError, OSError) as error:
            why = getattr(error, "socketError", error)
            raise StartError(f"can't listen on {text}: {why}; change {self._setting}") from None
        self._listening.append(port)
        tls = isinstance(endpoint, Listener) and endpoint.certificate is not None
        self.urls.append(url_of(port.getHost(), tls=tls))
        self.hosts.append(getattr(port.getHost(), "host", ""))
        if isinstance(endpoint, Listener) and endpoint.certificate is not None:
            self._on_stop.append(on_hangup(self._reactor, endpoint.certificate.reload))
        log.info("{name} listens on {endpoint}", event="listening", name=self.name, endpoint=text)

    async def stop(self) -> None:
        """Drain, accept no more, let requests under way finish for up to 5 s, then cut what is left."""
        if self._draining is not None:
            self._draining()
        try:
            if self.grace > 0:
                self.site.part()
                await pause(self._reactor, self.grace)
        finally:
            await self._close()
        self.site.drain()
        try:
            await within(self._reactor, FINISH_SECONDS, self.site.empty())
        except TimeoutError:
            log.info("{name} cuts what is left", event="cut", name=self.name, left=self.site.connections)
        finally:
            self.site.abort()  # also where the process gives us less time than that

    async def _close(self) -> None:
        self.urls.clear()
        self.hosts.clear()
        while self._on_stop:
            self._on_stop.pop()()
        while self._listening:
            port = self._listening.pop()
            self._take_waiting(port)
            stopped: Deferred[Any] | None = port.stopListening()
            if stopped is not None:
                await stopped

    def _take_waiting(self, port: Any) -> None:
        accept = getattr(port, "doRead", None)
        if accept is None:
            return
        before = -1
        while self.site.accepted != before:
            before = self.site.accepted
            accept()


def url_of(host: Any, *, tls: bool) -> str:
    """Where what listens at `host`, an address of Twisted's, is reached from the same machine: a URL, or
    `unix:PATH`."""
    port = getattr(host, "port", None)
    if port is None:
        name = getattr(host, "name", b"")
        return f"unix:{name.decode('utf-8', 'replace') if isinstance(name, bytes) else name}"
    address = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host.host, host.host)  # noqa: S104
    return f"http{'s' if tls else ''}://{f'[{address}]' if ':' in address else address}:{port}"
