"""What may cross the gateway, beyond framing (crossing.py): headers, paths, Expect."""

from tests.gateway.crossing import CASES, CHUNKED, END, GET, HOST, POST, A, passes, refused

__all__ = ["CASES"]

# RFC 9110 section 7.6.1: hop-by-hop headers, and what Connection can't strip.

passes(
    "hop-by-hop headers stay",
    GET,
    HOST,
    "Connection: keep-alive, X-Mine\r\nKeep-Alive: 5\r\nTE: trailers\r\n",
    "Trailer: X-A\r\nProxy-Connection: close\r\nProxy-Authorization: x\r\nX-Mine: 1\r\n",
    END,
    absent=("connection", "keep-alive", "te", "trailer", "proxy-connection", "proxy-authorization", "x-mine"),
)
passes(
    "Connection strips none of ours",
    GET,
    HOST,
    "Connection: close, X-Request-ID, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Host\r\n",
    END,
    present={"host": "example.org", "x-forwarded-proto": "http", "x-forwarded-host": "example.org"},
)
passes(
    "Connection strips no length",
    POST,
    HOST,
    "Connection: Content-Length\r\nContent-Length: 5\r\n",
    END,
    "abcde",
    body=b"abcde",
)
passes(
    "Connection strips no coding",
    POST,
    HOST,
    "Connection: Transfer-Encoding\r\n",
    CHUNKED,
    END,
    "5\r\nabcde\r\n0\r\n\r\n",
    body=b"abcde",
)
passes(
    "h2c stays",
    GET,
    HOST,
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    END,
    absent=("upgrade", "http2-settings", "connection"),
)
passes(
    "a WebSocket elsewhere stays",
    GET,
    HOST,
    "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    END,
    absent=("upgrade",),
)
refused(
    426,
    "a WebSocket of another version",
    "GET /ws HTTP/1.1\r\n",
    HOST,
    "Connection: Upgrade\r\n",
    "Upgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    END,
)
refused(
    400,
    "a WebSocket with a body",
    "GET /ws HTTP/1.1\r\n",
    HOST,
    "Connection: Upgrade\r\nContent-Length: 5\r\n",
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    END,
    "abcde",
)
refused(
    400,
    "a WebSocket without a key",
    "GET /ws HTTP/1.1\r\n",
    HOST,
    "Connection: Upgrade\r\n",
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    END,
)
refused(426, "no WebSocket at its path", "GET /ws HTTP/1.1\r\n", HOST, END)
refused(
    405,
    "a WebSocket by POST",
    "POST /ws HTTP/1.1\r\n",
    HOST,
    "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    END,
)

# What the gateway says itself.

passes(
    "forwarding headers are the gateway's",
    GET,
    HOST,
    "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n",
    "X-Forwarded-Port: 1\r\n",
    "X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Prefix: /x\r\nX-Forwarded-Server: y\r\n",
    END,
    absent=("forwarded", "x-real-ip", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-server"),
    present={"x-forwarded-proto": "http", "x-forwarded-host": "example.org"},
)
passes(
    "names with an underscore stay",
    GET,
    HOST,
    "X_Forwarded_For: 6.6.6.6\r\nX_A: b\r\nX_Request_ID: c\r\n",
    END,
    absent=("x_forwarded_for", "x_a", "x_request_id"),
)
passes("a good request id", GET, HOST, "X-Request-ID: a.b-c_1\r\n", END, present={"x-request-id": "a.b-c_1"})
passes("a bad request id is replaced", GET, HOST, "X-Request-ID: a b\r\n", END, absent=("x-request-id: a b",))
passes("two request ids are replaced", GET, HOST, "X-Request-ID: a\r\nX-Request-ID: b\r\n", END)

# Paths: nothing internal is reachable, by any spelling.

for path in (
    "/metrics",
    "/api/v1",
    "/api/v1/",
    "/api/v1/auth/",
    "/api/v1//auth/me",
    "//api/v1/auth/me",
    "/api/v1/auth//me",
    "/api/v1/./auth/me",
    "/api/v1/auth/../../../metrics",
    "/api/v1/auth/..",
    "/api/v1/auth/%2e%2e/%2e%2e/metrics",
    "/api/v1/auth%2fme",
    "/api/v1/%61uth/me",
    "/api/v1/auth/me%00",
    "/api/v1/auth/me;x=1",
    "/api/v1/auth/me/",
    "/api/v1/auth\\me",
    "/api/v1/auth/..%5c..%5cmetrics",
    "/API/V1/auth/me",
    "/api/v1/AUTH/me",
    "/api/v2/auth/me",
    "/api/v1/authx/me",
    "/api/v1/authme",
    "/api/v1/messages",
    "/.well-known/jwks.json/",
    "/.well-known/../metrics",
    "/ws/",
    "/ws/metrics",
    "/api/v1/auth/.",
    "/api/v1/auth/...;/metrics",
    "/api/v1/auth/me~%",
    "/api/v1/auth/%u002e%u002e/metrics",
    "/api/v1/auth/%c0%ae%c0%ae/metrics",
    "/api/v1/auth/" + "a/" * 40 + "b",
):
    refused(404, f"path {path}", f"GET {path} HTTP/1.1\r\n", HOST, END)

# RFC 9110 section 10.1.1: Expect.

refused(417, "another expectation", POST, HOST, "Expect: 200-maybe\r\nContent-Length: 5\r\n", END, "abcde")
refused(
    417, "two expectations", POST, HOST, "Expect: 100-continue\r\n" * 2, "Content-Length: 5\r\n", END, "abcde"
)
refused(
    417,
    "a list of expectations",
    POST,
    HOST,
    "Expect: 100-continue, x\r\nContent-Length: 5\r\n",
    END,
    "abcde",
)
passes(
    "100-continue without waiting for it",
    POST,
    HOST,
    "Expect: 100-continue\r\nContent-Length: 5\r\n",
    END,
    "abcde",
    body=b"abcde",
)
passes("100-continue on HTTP/1.0 means nothing", f"GET {A} HTTP/1.0\r\n", "Expect: 100-continue\r\n", END)
