"""Nothing but the contract's paths reaches a service, by any spelling."""

import pytest

from messenger.gateway.cors import Origins, origin_text
from messenger.gateway.routes import service_of
from tests.gateway.gateway_transport import Bench


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/auth/login", "auth"),
        ("/api/v1/users", "auth"),
        ("/api/v1/users/0190-x", "auth"),
        ("/.well-known/jwks.json", "auth"),
        ("/api/v1/conversations", "message"),
        ("/api/v1/blocks/x", "message"),
        ("/api/v1/push", "message"),
        ("/api/v1/preferences", "message"),
        ("/api/v1/files/uploads/x/y", "file"),
        ("/api/v1/keys/claim", "key"),
        ("/api/v1/vault", "key"),
        ("/api/v1/vault/.hidden", "key"),
    ],
)
def test_services(path, service):
    assert service_of(path)[0] == service


OTHER = [
    "/api/v1",
    "/api/v1/",
    "/api/v1/auth/",
    "/api/v1/authx",
    "/api/v1/authx/login",
    "/api/v1//auth/login",
    "//api/v1/auth/login",
    "/api//v1/auth/login",
    "/api/v1/auth//login",
    "/api/v1/./auth/login",
    "/api/v1/auth/../keys",
    "/api/v1/auth/..",
    "/api/v1/auth/.",
    "/api/v1/vault/..",
    "/api/v1/vault/../keys",
    "/api/v1/vault/./a",
    "/api/v1/vaults/a",
    "/api/v1/auth/%2e%2e/keys",
    "/api/v1/auth%2flogin",
    "/api/v1/%61uth/login",
    "/api/v1/auth/lo%67in",
    "/api/v1/auth/login%00",
    "/api/v1/auth/login;x=y",
    "/api/v1/auth\\login",
    "/API/v1/auth/login",
    "/api/v1/Auth/login",
    "/api/v2/auth/login",
    "/v1/auth/login",
    "/auth/login",
    "/metrics",
    "/api/v1/metrics",
    "/api/v1/auth/../../../metrics",
    "/.well-known/jwks.json/",
    "/.well-known/openid-configuration",
    "/.WELL-KNOWN/jwks.json",
    "/ws/",
    "/ws/x",
    "/WS",
    "/ready/",
    "/index.html",
    "/" + "a/" * 40,
]


@pytest.mark.parametrize("path", OTHER)
def test_other_spellings_reach_nobody(path):
    assert service_of(path) is None
    bench = Bench()
    bench.request("GET", path)
    reply = bench.client.reply()
    assert (reply.status, reply.code) == (404, "not_found")
    assert bench.network.tried == []


def test_own_answers():
    bench = Bench()
    for path, member in (
        ("/health", "healthy"),
        ("/api/v1/info", "messenger.v1"),
        ("/api/v1/openapi.json", "3.1.0"),
    ):
        bench.request("GET", path)
        reply = bench.client.reply()
        assert reply.status == 200
        assert member.encode() in reply.body
        assert reply.headers["cache-control"] == "no-store"
        bench.request("POST", path)
        assert bench.client.reply().headers["allow"] == "GET, HEAD"
    # Without the web client the page about the server is at `/`, too.
    for path in ("/about", "/"):
        bench.request("GET", path)
        reply = bench.client.reply()
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["x-frame-options"] == "DENY"
        assert b"http://example.org/api/v1/auth/register" in reply.body
        assert b"not with a browser" in reply.body
    assert bench.network.tried == []


def test_the_page_s_style_is_the_one_that_its_policy_allows():
    import base64
    import hashlib
    import re

    from messenger.gateway import page

    shown = page.page("1", "http://a", web=True)
    style = re.search(rb"<style>(.*?)</style>", shown, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert f"'sha256-{digest}'" in page.HEADERS["Content-Security-Policy"]
    assert b"<script" not in shown
    assert b'<a href="/">' in shown
    assert b"&lt;" in page.page("1", "http://<a>", web=True)


class TestOrigins:
    @pytest.mark.parametrize(
        ("text", "one"),
        [
            ("https://A.example", "https://a.example"),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("http://a.example:8080", "http://a.example:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ],
    )
    def test_one_form(self, text, one):
        assert origin_text(text) == one

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "null",
            "*",
            "a.example",
            "https://",
            "https://a/",
            "https://a/b",
            "https://u@a",
            "ftp://a",
            "https://*.a",
        ],
    )
    def test_none(self, text):
        with pytest.raises(ValueError, match="not an origin"):
            origin_text(text)
        assert not Origins(["https://a.example"]).allows(text, "a.example")

    def test_own(self):
        origins = Origins()
        assert origins.allows("https://chat.example", "chat.example")
        assert origins.allows("https://chat.example", "Chat.Example:443")
        assert origins.allows("http://localhost:8080", "localhost:8080")
        assert not origins.allows("http://localhost:8081", "localhost:8080")
        assert not origins.allows("https://chat.example.evil", "chat.example")
        assert not origins.allows("https://evil", "chat.example")


class TestCors:
    def setup_method(self):
        self.bench = Bench(origins=["https://app.example"])

    def ask(self, method, *headers, path="/api/v1/auth/login"):
        self.bench.request(method, path, *headers)

    def test_preflight(self):
        self.ask(
            "OPTIONS",
            "Origin: https://app.example",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: authorization, content-type",
        )
        reply = self.bench.client.reply()
        assert reply.status == 204
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert reply.headers["access-control-allow-headers"] == "authorization, content-type"
        assert reply.headers["access-control-max-age"] == "7200"
        assert "access-control-allow-credentials" not in reply.headers
        assert self.bench.network.tried == []

    @pytest.mark.parametrize("path", ["/", "/health", "/ready", "/.well-known/jwks.json", "/ws"])
    def test_preflight_of_what_is_no_api(self, path):
        asked = "Origin: https://app.example", "Access-Control-Request-Method: GET"
        self.ask("OPTIONS", *asked, path=path)
        assert self.bench.client.reply().headers["access-control-allow-origin"] == "https://app.example"
        assert self.bench.network.tried == []

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil", "*"])
    def test_preflight_of_others(self, origin):
        self.ask("OPTIONS", f"Origin: {origin}", "Access-Control-Request-Method: POST")
        reply = self.bench.client.reply()
        assert reply.status == 403
        assert "access-control-allow-origin" not in reply.headers
        assert self.bench.network.tried == []

    def test_other_options_reach_the_service(self):
        self.ask("OPTIONS", "Origin: https://app.example", path="/api/v1/files/uploads")
        assert self.bench.peer.head()[0] == "OPTIONS /api/v1/files/uploads HTTP/1.1"
        self.bench.peer.answer(204, b"", "Tus-Version: 1.0.0")
        reply = self.bench.client.reply()
        assert reply.headers["tus-version"] == "1.0.0"
        assert reply.headers["access-control-allow-origin"] == "https://app.example"

    def test_answers_to_an_allowed_origin(self):
        self.ask("GET", "Origin: https://app.example", path="/api/v1/info")
        headers = self.bench.client.reply().headers
        assert headers["access-control-allow-origin"] == "https://app.example"
        assert "X-Request-ID" in headers["access-control-expose-headers"]
        assert headers["vary"] == "Origin"

    def test_answers_to_others(self):
        for headers in (["Origin: https://evil.example"], [], ["Origin: https://app.example"] * 2):
            self.ask("GET", *headers, path="/api/v1/info")
            found = self.bench.client.reply().headers
            assert "access-control-allow-origin" not in found
            assert found["vary"] == "Origin"

    def test_problems_bear_it_too(self):
        self.bench.network.down.add("10.0.0.1:80")
        self.ask("GET", "Origin: https://app.example")
        reply = self.bench.client.reply()
        assert reply.status == 502
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
