"""Whose call is worked on: a caller's own calls wait, nobody else's do, and every turn comes back.

And who was refused waits a moment before it is heard again.
"""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.http.answers import Answer, StreamedAnswer
from messenger.core.http.call import Call
from messenger.core.http.fairness import (
    BY_ADDRESS,
    BY_USER,
    LARGE,
    QUEUE,
    RATE,
    UPLOAD_RATE,
    UPLOAD_REST,
    UPLOADS,
    Fairness,
)
from messenger.core.http.router import Router
from messenger.core.http.routing import route
from messenger.core.identity import Identity
from messenger.wire.errors import Code, Problem
from tests.core.http.http_app import Authenticator
from tests.core.http.http_transport import Connection, site

API = "/api/v1"


class Users(Authenticator):
    async def identify(self, token):
        return Identity(token, "device", "session", 0, 0)


class Endpoints:
    """What is asked waits until the test says what becomes of it."""

    def __init__(self):
        self.under_way = []

    async def _wait(self):
        waiting = Deferred()
        self.under_way.append(waiting)
        return await waiting

    @route("GET", "/mine")
    async def mine(self, call: Call) -> Answer:
        """By user."""
        return Answer(200, await self._wait())

    @route("GET", "/open", open=True)
    async def open(self, call: Call) -> Answer:
        """By address."""
        return Answer(200, await self._wait())

    @route("GET", "/login", open=True, class_="login")
    async def login(self, call: Call) -> Answer:
        """One at a time of an address."""
        return Answer(200, await self._wait())

    @route("GET", "/stream")
    async def stream(self, call: Call) -> StreamedAnswer:
        """Has a turn until it streams."""

        async def write(_download):
            await self._wait()

        return StreamedAnswer(write, length=0)

    @route("POST", "/upload", streamed=True)
    async def upload(self, call: Call) -> Answer:
        """Has a turn among its user's uploads."""
        return Answer(200, await self._wait())

    @route("GET", "/health", open=True, class_="free")
    async def health(self, call: Call) -> Answer:
        """Has no turn."""
        return Answer(200, await self._wait())


class FairnessCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.endpoints = Endpoints()
        self.fairness = Fairness(self.clock)
        router = Router([self.endpoints], authenticator=Users(), fairness=self.fairness)
        self.site = site(router)

    def ask(self, path, user="ann", peer="192.0.2.7", method="GET", **more):
        client = Connection(self.site, peer)
        client.request(method, API + path, f"Authorization: Bearer {user}", **more)
        return client

    @property
    def waiting(self):
        return self.endpoints.under_way

    def end(self, result=b"x"):
        self.waiting.pop(0).callback(result)
        self.clock.advance(0)

    def assert_all_back(self):
        fairness = self.fairness
        shares = (fairness.users, fairness.uploads, fairness.addresses, fairness.passwords)
        self.assertEqual([len(one) for one in shares], [0, 0, 0, 0])

    def test_a_users_calls_wait_for_its_own(self):
        asked = [self.ask("/mine") for _ in range(5)]
        self.assertEqual(len(self.waiting), BY_USER)
        other = self.ask("/mine", "ben")
        self.assertEqual(len(self.waiting), BY_USER + 1)
        for _ in range(6):
            self.end()
        for one in (*asked, other):
            self.assertEqual(one.reply().status, 200)
        self.assert_all_back()

    def test_open_calls_wait_by_address(self):
        asked = [self.ask("/open") for _ in range(BY_ADDRESS + 2)]
        self.assertEqual(len(self.waiting), BY_ADDRESS)
        self.ask("/open", peer="198.51.100.1")
        self.assertEqual(len(self.waiting), BY_ADDRESS + 1)
        while self.waiting:
            self.end()
        for one in asked:
            self.assertEqual(one.reply().status, 200)
        self.assert_all_back()

    def test_an_address_has_one_password_looked_at_at_a_time(self):
        asked = [self.ask("/login") for _ in range(3)]
        self.ask("/open")
        self.ask("/login", peer="198.51.100.1")
        self.assertEqual(len(self.waiting), 3)
        while self.waiting:
            self.end()
        for one in asked:
            self.assertEqual(one.reply().status, 200)
        self.assert_all_back()

    def test_a_users_uploads_wait_for_its_own_and_a_moment_longer(self):
        asked = [self.ask("/upload", method="POST") for _ in range(UPLOADS + 1)]
        call = self.ask("/mine")
        other = self.ask("/upload", "ben", method="POST")
        self.assertEqual(len(self.waiting), UPLOADS + 2)
        for _ in range(UPLOADS + 2):
            self.end()
        self.assertEqual(len(self.waiting), 0)
        self.clock.advance(UPLOAD_REST)
        self.end()
        for one in (*asked, call, other):
            self.assertEqual(one.reply().status, 200)
        self.clock.advance(UPLOAD_REST)
        self.assert_all_back()

    def test_an_upload_of_much_holds_its_turn_longer(self):
        for _ in range(UPLOADS + 1):
            self.ask("/upload", method="POST", body=bytes(LARGE))
        for _ in range(UPLOADS):
            self.end()
        self.clock.advance(UPLOAD_REST)
        self.assertEqual(len(self.waiting), 0)
        self.clock.advance(LARGE / UPLOAD_RATE)
        self.assertEqual(len(self.waiting), 1)
        self.end()
        self.clock.advance(UPLOAD_REST + LARGE / UPLOAD_RATE)
        self.assert_all_back()

    def test_one_too_many_is_refused_with_when_to_come_again(self):
        for _ in range(BY_USER + QUEUE):
            self.ask("/mine")
        reply = self.ask("/mine").reply()
        self.assertEqual((reply.status, reply.code), (429, Code.rate_limited))
        self.assertEqual(reply.headers["retry-after"], "1")

    def test_a_turn_comes_back_whatever_becomes_of_the_call(self):
        for failure in (Problem(Code.conflict), ValueError("a fault"), CancelledError()):
            asked = [self.ask("/mine") for _ in range(3)]
            self.waiting.pop(0).errback(failure)
            self.clock.advance(0)
            self.assertEqual(len(self.waiting), 2)
            self.end()
            self.end()
            self.assertEqual([one.reply().status for one in asked[1:]], [200, 200])
            self.assert_all_back()
        self.flushLoggedErrors(ValueError)

    def test_a_client_that_leaves_leaves_its_turn(self):
        asked = [self.ask("/mine") for _ in range(4)]
        for one in asked:
            one.leave()
        while self.waiting:
            self.end()
        self.assert_all_back()

    def test_a_large_answer_holds_its_turn_longer(self):
        asked = [self.ask("/mine") for _ in range(BY_USER + 1)]
        self.end(b"x" * 8 * LARGE)
        self.assertEqual(asked[0].reply().status, 200)
        self.assertEqual(len(self.waiting), BY_USER - 1)
        self.clock.advance(8 * LARGE / RATE)
        self.clock.advance(0)
        self.assertEqual(len(self.waiting), BY_USER)

    def test_streams_and_health_take_no_turns(self):
        for _ in range(BY_ADDRESS + 1):
            self.ask("/stream")
            self.ask("/health")
        self.assertEqual(len(self.waiting), 2 * BY_ADDRESS + 2)
        self.assert_all_back()


class RestCase(SynchronousTestCase):
    """A connection after a refusal."""

    def connect(self, peer="192.0.2.7"):
        router = Router([Endpoints()], authenticator=Users())
        self.site = site(router, refused_seconds=0.1, trusted_proxies=["198.51.100.1"])
        return Connection(self.site, peer)

    def refuse(self, client):
        client.request("GET", API + "/mine")
        self.assertEqual(client.reply().status, 401)

    def test_the_next_request_is_looked_at_later(self):
        client = self.connect()
        self.refuse(client)
        client.request("GET", API + "/nothing")
        self.assertEqual(client.replies(), [])
        self.site.clock.advance(0.1)
        self.assertEqual(client.reply().status, 404)
        client.request("GET", API + "/nothing")
        self.assertEqual(client.reply().status, 404)

    def test_who_leaves_meanwhile_is_gone(self):
        client = self.connect()
        self.refuse(client)
        client.leave()
        self.site.clock.advance(0.1)
        self.assertEqual(self.site.connections, 0)

    def test_a_stop_waits_no_longer_than_that(self):
        client = self.connect()
        self.refuse(client)
        self.site.drain()
        self.site.clock.advance(0.1)
        self.assertTrue(client.closed)

    def test_a_proxys_connection_does_not_rest(self):
        client = self.connect("198.51.100.1")
        self.refuse(client)
        self.refuse(client)
