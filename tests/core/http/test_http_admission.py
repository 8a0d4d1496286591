"""Which class a call counts in, by whom, and what its answer says."""

from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.admin.openapi import groups
from messenger.core.http.admission import FREE, RouteLimits
from messenger.core.http.call import Call
from messenger.core.http.router import Router
from messenger.core.http.routing import route
from messenger.core.http.system import SystemEndpoints
from messenger.core.identity import Identity
from messenger.core.limits.limits import Limits
from messenger.core.limits.metrics import LimitsMetrics
from messenger.core.settings import Limits as LimitSettings
from messenger.wire.errors import Code, Problem
from tests.core.http.http_app import ALICE, UUID, Authenticator
from tests.core.http.http_transport import Connection, Logged, site

GOOD = "Authorization: Bearer good"
API = "/api/v1"


class Users(Authenticator):
    async def identify(self, token):
        if token.startswith("user-"):
            return Identity(token, "device", "session", 0, 0)
        return await super().identify(token)


class Endpoints:
    """A route of each kind."""

    @route("GET", "/other")
    async def other(self, call: Call) -> None:
        """By user."""

    @route("POST", "/claim", class_="claim")
    async def claim(self, call: Call) -> None:
        """By user."""

    @route("POST", "/send", class_="send")
    async def send(self, call: Call) -> None:
        """By user, in the process."""

    @route("POST", "/login", class_="login", open=True)
    async def login(self, call: Call) -> None:
        """By address."""

    @route("GET", "/open", open=True)
    async def open(self, call: Call) -> None:
        """By address, for want of a user."""

    @route("OPTIONS", "/other", open=True)
    async def options(self, call: Call) -> None:
        """What tus asks."""

    @route("DELETE", "/things/{thing_id}")
    async def delete(self, call: Call) -> None:
        """Refuses by itself."""
        raise Problem(Code.forbidden)


class AdmissionCase(SynchronousTestCase):
    def setUp(self):
        self.logged = Logged(self)
        self.clock = Clock()
        self.build(other="3/s", claim="2/h", send="1/m", login="2/m")

    def build(self, **rates):
        self.limits = Limits(LimitSettings(**rates), self.clock.seconds)
        admission = RouteLimits(self.limits, "[auth] trusted_proxies")
        endpoints = [Endpoints(), SystemEndpoints(self.clock, {})]
        self.router = Router(endpoints, authenticator=Users(), admission=admission)

    def ask(self, method, path, *headers, peer="192.0.2.7", trusted=(), raw=False):
        client = Connection(site(self.router, trusted_proxies=trusted), peer)
        client.request(method, path if raw else API + path, *headers)
        return client.reply()

    def codes(self, times, *arguments, **more):
        return [self.ask(*arguments, **more).status for _ in range(times)]

    def test_what_an_answer_says(self):
        headers = self.ask("POST", "/claim", GOOD).headers
        assert headers["ratelimit-limit"] == "2"
        assert headers["ratelimit-remaining"] == "1"
        assert headers["ratelimit-reset"] == "1800"
        assert headers["ratelimit-policy"] == "2;w=3600"
        assert "retry-after" not in headers

    def test_what_a_refusal_says(self):
        self.codes(2, "POST", "/claim", GOOD)
        self.clock.advance(60)
        reply = self.ask("POST", "/claim", GOOD)
        assert (reply.status, reply.code) == (429, "rate_limited")
        assert reply.headers["retry-after"] == reply.headers["ratelimit-reset"] == "1740"
        assert reply.headers["ratelimit-remaining"] == "0"
        assert self.limits.refused == {"claim": 1}

    def test_errors_bear_the_fields_too(self):
        assert self.ask("DELETE", f"/things/{UUID}", GOOD).headers["ratelimit-remaining"] == "2"

    def test_users_are_counted_whatever_their_addresses(self):
        assert self.codes(2, "POST", "/claim", GOOD) == [204, 204]
        assert self.codes(1, "POST", "/claim", GOOD, peer="192.0.2.8") == [429]
        assert self.codes(1, "POST", "/claim", "Authorization: Bearer user-2") == [204]

    def test_classes_are_counted_apart_and_head_as_get(self):
        assert self.codes(2, "GET", "/other", GOOD) == [204, 204]
        assert self.codes(2, "HEAD", "/other", GOOD) == [204, 429]
        assert self.codes(2, "POST", "/send", GOOD) == [204, 429]
        assert self.codes(1, "POST", "/claim", GOOD) == [204]

    def test_addresses_are_counted_where_nobody_is_logged_in(self):
        assert self.codes(4, "GET", "/open") == [204, 204, 204, 429]
        assert self.codes(1, "GET", "/open", peer="192.0.2.8") == [204]
        assert self.codes(1, "GET", "/other", GOOD) == [204]

    def test_a_logged_in_client_still_logs_in_by_address(self):
        assert self.codes(3, "POST", "/login", GOOD) == [204, 204, 429]

    def test_an_address_is_what_trusted_proxies_say(self):
        trusted = ["192.0.2.0/24"]
        for address, expected in (("203.0.113.1", [204, 204, 429]), ("203.0.113.2", [204])):
            header = f"X-Forwarded-For: 6.6.6.6, {address}"
            assert self.codes(len(expected), "POST", "/login", header, trusted=trusted) == expected
        assert self.logged_words("untrusted_proxy") == []

    def test_an_untrusted_header_is_not_heard_and_says_so_once(self):
        headers = [f"X-Forwarded-For: 203.0.113.{number}" for number in range(3)]
        assert [self.ask("POST", "/login", header).status for header in headers] == [204, 204, 429]
        [event] = self.logged_words("untrusted_proxy")
        assert event["setting"] == "[auth] trusted_proxies"
        assert "192.0.2.7" not in str(event)
        [event] = self.logged_words("untrusted_proxy_is")
        assert (event["peer"], event["log_level"].name) == ("192.0.2.7", "debug")

    def test_a_client_on_the_proxys_own_machine_is_no_untrusted_proxy(self):
        header = "X-Forwarded-For: 192.0.2.7"
        assert self.ask("POST", "/login", header, trusted=["192.0.2.7"]).status == 204
        assert self.logged_words("untrusted_proxy") == []

    def logged_words(self, word):
        return [event for event in self.logged.events if event.get("event") == word]

    def test_an_ipv6_client_is_its_network(self):
        trusted = ["192.0.2.7"]
        codes = [
            self.ask("POST", "/login", f"X-Forwarded-For: 2001:db8::{number}", trusted=trusted).status
            for number in range(3)
        ]
        assert codes == [204, 204, 429]

    def test_options_count_by_address(self):
        # Tus asks so without a token; by the thousand it is everybody else's time.
        codes = self.codes(99, "OPTIONS", "/other")
        assert set(codes) == {204, 429}
        assert codes == sorted(codes)

    def test_health_and_strangers_are_free(self):
        for path in ("/health", "/ready", "/metrics"):
            assert set(self.codes(9, "GET", path, raw=True)) == {200}
        assert set(self.codes(9, "GET", "/nowhere")) == {404}
        assert set(self.codes(9, "GET", "/other")) == {401}

    def test_a_call_may_count_for_several(self):
        limit = Limits(LimitSettings(other="6/m"), self.clock.seconds).of("other")
        self.assertTrue(self.successResultOf(ensureDeferred(limit.take("ann", 5))).allowed)
        refused = self.successResultOf(ensureDeferred(limit.take("ann", 5)))
        self.assertEqual((refused.allowed, refused.retry_after), (False, 40))
        self.clock.advance(40)
        self.assertTrue(self.successResultOf(ensureDeferred(limit.take("ann", 5))).allowed)

    def test_what_is_off_has_no_fields(self):
        self.build(other="off")
        assert set(self.codes(9, "GET", "/other", GOOD)) == {204}
        assert "ratelimit-limit" not in self.ask("GET", "/other", GOOD).headers

    def test_metrics(self):
        registry = CollectorRegistry()
        LimitsMetrics(registry, self.limits)
        self.codes(3, "POST", "/claim", GOOD)
        text = generate_latest(registry).decode()
        assert 'messenger_limits_refused_total{class="claim"} 1.0' in text
        assert 'messenger_limits_refused_total{class="guess"} 0.0' in text
        assert "messenger_limits_debts 1.0" in text
        assert "messenger_limits_shared" not in text
        assert ALICE.user_id not in text


def test_every_route_of_the_api_is_in_a_class():
    known = {*LimitSettings.__struct_fields__, FREE}
    for group in groups():
        for one in group.routes:
            assert one.class_ in known, one.path
            assert not one.class_.startswith("guess")
