"""A server as a part of a process, and what a process says of itself."""

from prometheus_client import CollectorRegistry, Counter
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from messenger import __version__
from messenger.core.http.router import Router
from messenger.core.http.server import HttpServer
from messenger.core.http.system import INSTANCE, SystemEndpoints
from messenger.core.lifecycle import StartError
from tests.core.http.http_app import Endpoints, router
from tests.core.http.http_transport import Connection, site


def run(coroutine):
    return Deferred.fromCoroutine(coroutine)


class ServerCase(SynchronousTestCase):
    def setUp(self):
        self.reactor = MemoryReactorClock()
        self.endpoints = Endpoints()
        self.drained = []
        self.server = HttpServer(
            self.reactor,
            "auth",
            "tcp:8081:interface=127.0.0.1",
            router(self.endpoints),
            draining=lambda: self.drained.append(True),
        )

    def test_listens(self):
        self.successResultOf(run(self.server.start()))
        [(port, factory, _backlog, interface)] = self.reactor.tcpServers
        assert (port, interface) == (8081, "127.0.0.1")
        assert factory is self.server.site

    def test_tls_clients_are_told_that_this_is_http_1_1(self):
        assert IProtocolNegotiationFactory.providedBy(self.server.site)
        assert self.server.site.acceptableProtocols() == [b"http/1.1"]

    def test_several_endpoints(self):
        both = ["tcp:8081:interface=127.0.0.1", "unix:/nowhere/at/all"]
        server = HttpServer(self.reactor, "auth", both, router(self.endpoints))
        self.successResultOf(run(server.start()))
        assert len(self.reactor.tcpServers) == len(self.reactor.unixServers) == 1
        error = self.failureResultOf(
            run(HttpServer(self.reactor, "auth", [], router(self.endpoints)).start()), StartError
        ).value
        assert error.status == 78

    def test_where_one_is_taken_none_is_kept(self):
        closed = []
        listen = self.reactor.listenTCP

        def taken(port, *arguments, **named):
            if port == 2:
                raise CannotListenError("", 2, OSError(98, "Address already in use"))
            found = listen(port, *arguments, **named)
            found.stopListening = lambda: closed.append(port)
            return found

        self.reactor.listenTCP = taken
        server = HttpServer(self.reactor, "auth", ["tcp:1", "tcp:2"], router(self.endpoints))
        self.failureResultOf(run(server.start()), StartError)
        assert closed == [1]

    def test_draining_comes_before_closing(self):
        server = HttpServer(
            self.reactor,
            "auth",
            "tcp:8081",
            router(self.endpoints),
            draining=lambda: self.drained.append(True),
            drain_seconds=5.0,
        )
        self.successResultOf(run(server.start()))
        stopping = run(server.stop())
        assert self.drained == [True]
        late = Connection(server.site)
        late.request("GET", "/api/v1/page")
        assert late.reply().headers["connection"] == "close"
        late.leave()
        self.reactor.advance(4.9)
        assert server.site.buildProtocol(None) is not None
        self.assertNoResult(stopping)
        self.reactor.advance(0.2)
        self.successResultOf(stopping)
        assert server.site.buildProtocol(None) is None

    def test_a_taken_port_is_one_line(self):
        def taken(*arguments, **named):
            raise CannotListenError("127.0.0.1", 8081, OSError(98, "Address already in use"))

        self.reactor.listenTCP = taken
        error = self.failureResultOf(run(self.server.start()), StartError).value
        assert "tcp:8081:interface=127.0.0.1" in str(error)
        assert "Address already in use" in str(error)
        assert "auth.listen" in str(error)
        assert "\n" not in str(error)

    def test_a_malformed_endpoint_is_a_wrong_setting(self):
        for text in ("nonsense", "tcp:x", "tcp", "tcp:1:what=3"):
            server = HttpServer(self.reactor, "auth", text, router(self.endpoints))
            error = self.failureResultOf(run(server.start()), StartError).value
            assert error.status == 78
            assert text in str(error)

    def test_stop_waits_for_what_is_under_way(self):
        self.successResultOf(run(self.server.start()))
        busy, idle = Connection(self.server.site), Connection(self.server.site)
        busy.request("GET", "/api/v1/slow")
        stopping = run(self.server.stop())
        self.reactor.advance(0.1)
        assert self.drained == [True]
        for _ in range(15):
            self.reactor.advance(0.1)
        assert idle.closed
        assert not busy.closed
        idle.leave()
        self.reactor.advance(0.1)
        self.assertNoResult(stopping)
        self.endpoints.waiting[0].callback(1)
        assert busy.reply().headers["connection"] == "close"
        busy.leave()
        self.reactor.advance(0.1)
        self.successResultOf(stopping)
        assert self.reactor.getDelayedCalls() == []

    def test_stop_does_not_wait_for_ever(self):
        self.successResultOf(run(self.server.start()))
        busy = Connection(self.server.site)
        busy.request("GET", "/api/v1/slow")
        stopping = run(self.server.stop())
        for _ in range(60):
            self.reactor.advance(0.1)
        self.successResultOf(stopping)
        assert busy.closed

    def test_a_stop_that_is_cut_short_cuts_connections(self):
        self.successResultOf(run(self.server.start()))
        busy = Connection(self.server.site)
        busy.request("GET", "/api/v1/slow")
        stopping = run(self.server.stop())
        stopping.cancel()
        self.failureResultOf(stopping, CancelledError)
        assert busy.closed


class SystemCase(SynchronousTestCase):
    def setUp(self):
        self.registry = CollectorRegistry()
        self.checks = {}
        self.clock = MemoryReactorClock()
        self.endpoints = SystemEndpoints(self.clock, self.checks, self.registry, lambda: {"auth": "0007"})
        self.client = Connection(site(Router([self.endpoints])))

    def ask(self, path):
        self.client.request("GET", path)
        return self.client.reply()

    def test_health(self):
        assert self.ask("/health").json == {
            "version": __version__,
            "status": "healthy",
            "schema": {"auth": "0007"},
            "instance": INSTANCE,
        }

    def test_ready(self):
        async def good():
            pass

        async def bad():
            raise ConnectionError("the password is hunter2")

        self.checks["database"] = good
        assert self.ask("/ready").json == {"ready": True, "checks": {"database": "ready"}}
        self.checks["nats"] = bad
        reply = self.ask("/ready")
        assert reply.status == 503
        assert reply.json == {"ready": False, "checks": {"database": "ready", "nats": "ConnectionError"}}
        assert reply.headers["retry-after"] == "1"

    def test_a_check_may_say_what_is_amiss_and_be_ready(self):
        async def halting():
            return "ready, but halting"

        self.checks["nats"] = halting
        reply = self.ask("/ready")
        assert reply.status == 200
        assert reply.json == {"ready": True, "checks": {"nats": "ready, but halting"}}

    def test_a_check_that_hangs_is_not_ready(self):
        async def hangs():
            await Deferred()

        self.checks["nats"] = hangs
        self.client.request("GET", "/ready")
        assert self.client.replies() == []
        self.clock.advance(2.1)
        assert self.client.reply().json == {"ready": False, "checks": {"nats": "no answer within 2 s"}}

    def test_draining(self):
        self.endpoints.draining = True
        assert self.ask("/ready").status == 503
        assert self.ask("/health").status == 200

    def test_metrics(self):
        Counter("messenger_things", "Things.", registry=self.registry).inc()
        reply = self.ask("/metrics")
        assert b"messenger_things_total 1.0" in reply.body
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
