"""A listening HTTP server as a part of a process (see core/lifecycle.py)."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from messenger.core.http.site import Application, Site
from messenger.core.lifecycle import EX_CONFIG, StartError

DRAIN_SECONDS = 5.0
_POLL_SECONDS = 0.05

log = Logger(namespace="messenger.http")


class HttpServer:
    """Serves `app` on a Twisted endpoint such as `tcp:8080:interface=127.0.0.1`.

    `name` is for the log; `setting` is the configuration's name of the endpoint, for whoever has to change
    it. `draining` is called as the stop begins. Further arguments are the Site's.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        endpoint: str,
        app: Application,
        *,
        setting: str | None = None,
        draining: Callable[[], object] | None = None,
        **site: Any,
    ) -> None:
        self.site = Site(reactor, app, **site)
        self.port = 0
        self._reactor = reactor
        self._name = name
        self._endpoint = endpoint
        self._setting = setting or f"{name}.listen"
        self._draining = draining
        self._listening: Any = None

    async def start(self) -> None:
        """Listen; StartError where the endpoint is malformed or taken. Then `port` is the port's number."""
        try:
            endpoint = serverFromString(self._reactor, self._endpoint)
        except (ValueError, TypeError, KeyError) as error:
            raise StartError(
                f"{self._setting} is no endpoint: {self._endpoint!r} ({error})", EX_CONFIG
            ) from None
        try:
            self._listening = await endpoint.listen(self.site)
        except (CannotListenError, OSError) as error:
            why = getattr(error, "socketError", error)
            raise StartError(f"can't listen on {self._endpoint}: {why}; change {self._setting}") from None
        self.port = getattr(self._listening.getHost(), "port", 0)
        log.info("{name} listens on {endpoint}", event="listening", name=self._name, endpoint=self._endpoint)

    async def stop(self) -> None:
        """Accept no more, let requests under way finish for up to 5 s, then cut what is left."""
        if self._draining is not None:
            self._draining()
        stopped: Deferred[Any] | None = self._listening.stopListening()
        if stopped is not None:
            await stopped
        self.site.drain()
        deadline = self._reactor.seconds() + DRAIN_SECONDS
        try:
            while self.site.connections and self._reactor.seconds() < deadline:
                await deferLater(self._reactor, _POLL_SECONDS, lambda: None)
        finally:
            self.site.abort()  # also where the process gives us less time than that
