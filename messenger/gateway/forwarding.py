"""Which headers cross the gateway, in both directions (RFC 9110 section 7.6).

What belongs to one connection stays on it: the hop-by-hop headers, and those that `Connection` names. What
the gateway itself says of a request can't be said by its client: `X-Request-ID`, `traceparent`,
`X-Forwarded-For`, `-Proto` and `-Host` are set here, whatever `Connection` names, and `Forwarded` and
`X-Real-IP` are dropped; only a trusted proxy in front of us is heard. `X-Forwarded-For` becomes one address,
the client's as far as trusted proxies vouch for it: the services need not know who stands in front of the
gateway. Names with an underscore are dropped too, for they turn into others in some servers.
"""

from typing import Final

from twisted.internet.interfaces import ISSLTransport

from messenger.core.http.request import Request
from messenger.core.http.strict import is_host
from messenger.gateway.response import Head

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
_OURS: Final = frozenset(
    {
        b"content-length",
        b"expect",
        b"host",
        b"x-request-id",
        b"traceparent",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-server",
        b"x-real-ip",
        b"forwarded",
    }
)
_NOT_ASKED: Final = _HOP_BY_HOP | _OURS
# Set again by our own answer; Server says nothing.
_NOT_ANSWERED: Final = _HOP_BY_HOP | {
    b"content-length",
    b"date",
    b"server",
    b"x-request-id",
    b"x-content-type-options",
    b"x-powered-by",
    b"content-security-policy",
    b"alt-svc",
    b"access-control-allow-origin",
}


def _named_by_connection(values: list[bytes]) -> frozenset[bytes]:
    return frozenset(token.strip().lower() for value in values for token in value.split(b","))


def request_head(request: Request, *, upgrade: bool = False) -> bytes:
    """The head of the request to the upstream, up to and including the empty line.

    With `upgrade` it is a WebSocket handshake (RFC 6455 section 4.1).
    """
    raw = request.requestHeaders.getAllRawHeaders()
    own = request.requestHeaders.getRawHeaders(b"Connection")
    named = _named_by_connection(list(own)) if own else frozenset()
    lines = [request.method + b" " + request.uri + b" HTTP/1.1"]
    for name, values in raw:
        folded = name.lower()
        if folded in _NOT_ASKED or folded in named or b"_" in folded:
            continue
        if folded == b"tracestate" and request.trace.parent_id is None:
            continue  # it went with a trace that is none
        lines.extend(name + b": " + value for value in values)
    lines += _forwarded(request)
    if upgrade:
        lines += (b"Connection: Upgrade", b"Upgrade: websocket")
    elif request.body.length is None:
        lines.append(b"Transfer-Encoding: chunked")
    elif request.body.length or request.method in (b"POST", b"PUT", b"PATCH"):
        lines.append(b"Content-Length: %d" % request.body.length)
    if request.expects_continue:
        lines.append(b"Expect: 100-continue")
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def _forwarded(request: Request) -> list[bytes]:
    headers = request.requestHeaders
    peer = request.peer
    host = (headers.getRawHeaders(b"Host") or [b"localhost"])[0]
    proto = b"https" if ISSLTransport.providedBy(request.channel.transport) else b"http"
    shown = host
    if request.site.proxies.trusts(peer):
        given = headers.getRawHeaders(b"X-Forwarded-Proto", [proto])[-1].lower()
        proto = given if given in (b"http", b"https") else proto
        named = headers.getRawHeaders(b"X-Forwarded-Host", [host])[-1]
        shown = named if is_host(named) else host
    return [
        b"Host: " + host,
        b"X-Request-ID: " + request.request_id.encode("ascii"),
        b"traceparent: " + request.trace.traceparent.encode("ascii"),
        b"X-Forwarded-For: " + request.address.encode("ascii"),
        b"X-Forwarded-Proto: " + proto,
        b"X-Forwarded-Host: " + shown,
    ]


def answer_headers(head: Head) -> tuple[list[tuple[str, str]], bool]:
    """The headers of the answer to the client, and whether they say themselves what a cache may do."""
    named = _named_by_connection(head.values(b"connection"))
    found: list[tuple[str, str]] = []
    caches = False
    for name, value in head.headers:
        folded = name.lower()
        if folded in _NOT_ANSWERED or folded in named:
            continue
        caches = caches or folded == b"cache-control"
        found.append((name.decode("ascii"), value.decode("latin-1")))
    return found, caches


def length_of(head: Head, *, headless: bool) -> int | None:
    """The `Content-Length` to announce; for the answer to a HEAD (`headless`) the one that was announced to
    us."""
    if not headless:
        return head.length
    values = head.values(b"content-length")
    return int(values[0]) if values and values[0].isdigit() and len(values[0]) < 16 else None
