"""The order of refusals, JSON bodies, queries, answers and errors."""

import json
import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.http.call import NotIdentified
from messenger.core.http.metrics import HttpMetrics
from messenger.core.http.router import Router
from messenger.wire.errors import Code, Problem
from tests.core.http.http_app import UUID, Authenticator, Endpoints, router
from tests.core.http.http_transport import Connection, Logged, site

GOOD = "Authorization: Bearer good"
JSON = "Content-Type: application/json"
API = "/api/v1"


class RouterCase(SynchronousTestCase):
    def setUp(self):
        self.endpoints = Endpoints()
        self.logged = Logged(self)
        self.registry = CollectorRegistry()
        self.site = site(router(self.endpoints), metrics=HttpMetrics(self.registry))
        self.client = Connection(self.site)

    def ask(self, method, path, *headers, body=b"", raw=False):
        self.client.request(method, path if raw else API + path, *headers, body=body)
        return self.client.reply()

    def assertProblem(self, reply, status, code):
        assert (reply.status, reply.code) == (status, code)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["status"] == status
        assert reply.json["request_id"] == reply.headers["x-request-id"]
        assert reply.headers["cache-control"] == "no-store"

    def test_json_answer(self):
        reply = self.ask("POST", "/sum", JSON, body=b'{"a":1,"b":2}')
        assert (reply.status, reply.json) == (201, {"total": 3})
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["content-length"] == str(len(reply.body))
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "date" in reply.headers
        assert "server" not in reply.headers
        assert "connection" not in reply.headers
        assert not self.client.closed

    def test_no_content(self):
        reply = self.ask("DELETE", f"/things/{UUID}")
        assert (reply.status, reply.body) == (204, b"")
        assert "content-length" not in reply.headers
        assert "transfer-encoding" not in reply.headers

    def test_parameters(self):
        reply = self.ask("GET", f"/things/{UUID}/parts/7")
        assert reply.json == {"total": 7}
        assert self.endpoints.calls == [{"thing_id": UUID.lower(), "seq": "7"}]

    def test_unknown_path(self):
        for path in ("/nothing", "/things/5/parts/1", f"/things/{UUID}/parts/x", "/me/", "//me", "/%6de"):
            self.assertProblem(self.ask("GET", path), 404, "not_found")
        self.assertProblem(self.ask("GET", "/me", raw=True), 404, "not_found")

    def test_known_path_other_method(self):
        reply = self.ask("POST", "/me", GOOD)
        self.assertProblem(reply, 405, "method_not_allowed")
        assert reply.headers["allow"] == "GET, HEAD"
        assert self.ask("FOO", "/sum").headers["allow"] == "POST"
        assert self.ask("OPTIONS", "/sum").status == 405

    def test_head_is_get_without_a_body(self):
        got = self.ask("GET", "/me", GOOD)
        head = self.ask("HEAD", "/me", GOOD)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        assert self.ask("HEAD", "/nothing").status == 404
        assert self.ask("HEAD", "/sum").status == 405
        assert not self.client.closed

    def test_access_token(self):
        assert self.ask("GET", "/me", "authorization: bEARER good").status == 200
        assert self.endpoints.calls == ["alice-id"]
        for headers in (
            [],
            ["Authorization: Basic good"],
            ["Authorization: Bearer"],
            ["Authorization: Bearer go od"],
            ["Authorization: Bearer good", "Authorization: Bearer good"],
            ["Authorization: Bearer bad"],
            ["Authorization: Bearergood"],
        ):
            reply = self.ask("GET", "/me", *headers)
            self.assertProblem(reply, 401, "unauthorized")
            assert reply.headers["www-authenticate"] == "Bearer"
        self.assertProblem(self.ask("GET", "/me", "Authorization: Bearer expired"), 401, "token_expired")

    def test_identity_of_an_open_route(self):
        self.assertProblem(self.ask("GET", "/identity"), 500, "internal")
        assert len(self.flushLoggedErrors(NotIdentified)) == 1

    def test_authentication_comes_before_the_body(self):
        self.client.request("POST", API + "/private", JSON, "Content-Length: 500000")
        self.assertProblem(self.client.reply(), 401, "unauthorized")

    def test_slow_authentication_holds_the_body_back(self):
        authenticator = Authenticator()
        authenticator.pending = Deferred()
        client = Connection(site(Router([self.endpoints], authenticator=authenticator)))
        client.request("POST", API + "/private", JSON, GOOD, "Content-Length: 9")
        client.send(b'{"a":')
        assert client.transport.producerState == "paused"
        authenticator.pending.callback(None)
        assert client.transport.producerState == "producing"
        client.send(b"  5}")
        assert client.reply().json == {"total": 5}

    def test_body_types(self):
        body = b'{"a":1}'
        for good in ("application/json", "Application/JSON ; charset=utf-8", "application/json;x=y"):
            assert self.ask("POST", "/sum", f"Content-Type: {good}", body=body).status == 201
        for bad in ("text/plain", "application/jsonp", "application/x-www-form-urlencoded", ""):
            reply = self.ask("POST", "/sum", f"Content-Type: {bad}", body=body)
            self.assertProblem(reply, 415, "unsupported_media_type")
        self.assertProblem(self.ask("POST", "/sum", body=body), 415, "unsupported_media_type")
        self.assertProblem(self.ask("POST", "/sum", JSON, JSON, body=body), 415, "unsupported_media_type")
        assert not self.client.closed

    def test_bad_bodies(self):
        for body in (
            b"{",
            b"[]",
            b"null",
            b'{"a":"1"}',
            b'{"b":1}',
            b'{"a":1}x',
            b'{"a":"\xff"}',
            b"[" * 100_000,
            b'{"a":1,"c":' + b'{"x":' * 50_000 + b"1" + b"}" * 50_001,
            b'{"a":1e400}',
            b"\xef\xbb\xbf{}",
        ):
            self.assertProblem(self.ask("POST", "/sum", JSON, body=body), 400, "bad_request")
        assert not self.client.closed

    def test_unknown_members_are_ignored(self):
        assert self.ask("POST", "/sum", JSON, body=b'{"a":1,"z":[{}]}').status == 201

    def test_missing_body(self):
        self.assertProblem(self.ask("POST", "/sum", JSON), 400, "bad_request")
        self.assertProblem(self.ask("POST", "/sum"), 400, "bad_request")
        self.client.request("POST", API + "/sum", JSON, "Transfer-Encoding: chunked", body=b"", chunked=True)
        self.client.send(b"0\r\n\r\n")
        self.assertProblem(self.client.reply(), 400, "bad_request")

    def test_query(self):
        assert self.ask("GET", "/page").json == {"total": 50}
        assert self.ask("GET", "/page?limit=7&unknown=x").json == {"total": 7}
        assert self.ask("GET", "/page?limit=%37&cursor=a%2Bb+c").json == {"total": 7}
        for bad in (
            "limit=0",
            "limit=201",
            "limit=x",
            "limit=1e1",
            "limit=10.0",
            "limit=%20" + "10",
            "limit=",
            "limit=",
            "limit=1&limit=1",
            "limit=1&%6cimit=1",
            "cursor=%ff",
            "cursor=%zz",
            "cursor=%",
            "cursor=" + "x" * 513,
            "&".join(f"a{n}=1" for n in range(200)),
        ):
            self.assertProblem(self.ask("GET", f"/page?{bad}"), 400, "bad_request")

    def test_unexpected_error_tells_nothing(self):
        reply = self.ask("GET", "/broken", "X-Request-ID: find-me")
        self.assertProblem(reply, 500, "internal")
        assert b"inner detail" not in reply.body
        [_failure] = self.flushLoggedErrors(RuntimeError)
        [event] = [event for event in self.logged.events if event.get("event") == "failure"]
        assert event["request_id"] == "find-me"
        assert not self.client.closed

    def test_a_fault_in_a_store_is_a_500_and_no_not_found(self):
        for number, kind in enumerate((KeyError, LookupError, IndexError, FileNotFoundError)):
            self.endpoints.fault = kind("what is inside")
            reply = self.ask("GET", "/fault", f"X-Request-ID: find-{number}")
            self.assertProblem(reply, 500, "internal")
            assert b"what is inside" not in reply.body
            assert len(self.flushLoggedErrors(kind)) == 1
            event = [event for event in self.logged.events if event.get("event") == "failure"][-1]
            assert event["request_id"] == f"find-{number}"

    def test_own_answer(self):
        reply = self.ask("GET", "/own")
        assert (reply.status, reply.body) == (203, b"plain")
        assert reply.headers["cache-control"] == "max-age=1"
        assert reply.headers["content-type"] == "text/plain"
        assert reply.headers["x-own"] == "192.0.2.7"

    def test_header_injection_is_an_internal_error(self):
        reply = self.ask("GET", "/injected")
        self.assertProblem(reply, 500, "internal")
        assert "set-cookie" not in reply.headers
        assert len(self.flushLoggedErrors(ValueError)) == 1

    def test_request_id(self):
        assert self.ask("GET", "/page", "X-Request-ID: A.b_c-9").headers["x-request-id"] == "A.b_c-9"
        seen = set()
        for bad in ("", "x" * 65, "a b", "ä", "a;b", '"a"'):
            made = self.ask("GET", "/page", f"X-Request-ID: {bad}").headers["x-request-id"]
            assert re.search("^[A-Za-z0-9._-]{1,64}$", made)
            assert made != bad
            seen.add(made)
        assert len(seen) == 6

    def test_admission_judges_before_the_body(self):
        async def admit(call):
            call.answer_headers["RateLimit-Remaining"] = "0"
            if call.method == "POST":
                raise Problem(Code.rate_limited, retry_after=3)

        self.client = Connection(site(router(self.endpoints, admission=admit)))
        assert self.ask("GET", "/page").headers["ratelimit-remaining"] == "0"
        reply = self.ask("POST", "/sum", JSON, body=b"{}")
        self.assertProblem(reply, 429, "rate_limited")
        assert reply.headers["retry-after"] == "3"
        assert reply.headers["ratelimit-remaining"] == "0"

    def test_log_names_the_route_and_no_secret(self):
        self.ask("GET", f"/things/{UUID}/parts/7?cursor=querysecret", "X-Request-ID: r1")
        self.ask("GET", "/me?x=querysecret", GOOD, "Cookie: cookiesecret")
        self.ask("GET", "/unknown/pathsecret")
        self.client.request("TRACE", "/pathsecret")
        events = self.logged.requests()
        assert [(event["route"], event["status"], event["method"]) for event in events] == [
            ("/api/v1/things/{thing_id}/parts/{seq}", 200, "GET"),
            ("/api/v1/me", 200, "GET"),
            ("unmatched", 404, "GET"),
            ("unmatched", 405, "other"),
        ]
        assert events[0]["request_id"] == "r1"
        assert events[1]["user_id"] == "alice-id"
        assert (events[1]["bytes_in"], events[1]["bytes_out"]) == (0, 11)
        text = json.dumps([{name: str(value) for name, value in event.items()} for event in events])
        for secret in ("querysecret", "good", "cookiesecret", "pathsecret", UUID):
            assert secret not in text

    def test_metrics_have_bounded_labels(self):
        self.ask("GET", f"/things/{UUID}/parts/7")
        for number in range(5):
            self.ask("GET", f"/unknown/{number}")
            self.ask(f"FOO{number}", "/me")
        text = generate_latest(self.registry).decode()
        assert (
            'requests_total{method="GET",route="/api/v1/things/{thing_id}/parts/{seq}",status="200"} 1.0'
            in text
        )
        assert '{method="GET",route="unmatched",status="404"} 5.0' in text
        assert '{method="other",route="/api/v1/me",status="405"} 5.0' in text
        assert "messenger_http_request_duration_seconds_bucket" in text
        assert "FOO" not in text

    def test_routes_that_need_a_token_need_an_authenticator(self):
        with pytest.raises(ValueError, match="authenticator"):
            Router([self.endpoints])

    def test_client_address(self):
        forwarded = "X-Forwarded-For: 198.51.100.9, 203.0.113.5, 10.0.0.3"
        assert self.ask("GET", "/own", forwarded).headers["x-own"] == "192.0.2.7"
        trusting = site(router(self.endpoints), trusted_proxies=["192.0.2.0/24", "10.0.0.0/8"])
        self.client = Connection(trusting)
        assert self.ask("GET", "/own", forwarded).headers["x-own"] == "203.0.113.5"
        assert self.ask("GET", "/own").headers["x-own"] == "192.0.2.7"
        assert self.ask("GET", "/own", "X-Forwarded-For: junk").headers["x-own"] == "192.0.2.7"
        self.client = Connection(trusting, peer="198.51.100.1")
        assert self.ask("GET", "/own", forwarded).headers["x-own"] == "198.51.100.1"
