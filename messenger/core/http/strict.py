"""Which request heads are refused although Twisted's parser lets them pass (RFC 9112 sections 2 to 7).

Two parsers in a row could read each of these in two ways (section 11.2): no Host, more than one or an odd
one, a target that is no path or for another host, header names that become framing ones when `_` is read as
`-`, `Transfer-Encoding` other than `chunked` or on HTTP/1.0, absurd lengths. CONNECT and TRACE are nobody's
business here, and of expectations there is one.
"""

import re

from twisted.web.http_headers import Headers

LONGEST_NUMBER = 15  # digits of a length: a petabyte
ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

_HOST = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_OTHER_VERSION = re.compile(rb"[A-Z]+ [!-~]+ HTTP/(?!1\.[01]$)[0-9](?:\.[0-9])?")
_REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE"})
_DISGUISED = (b"Transfer_Encoding", b"Content_Length")


class Refusal(Exception):
    """The request is answered with `status` and the connection closed."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def check_framing(name: bytes, value: bytes, version: bytes) -> None:
    """Refuse a Content-Length or a Transfer-Encoding that is not plain (RFC 9112 section 6)."""
    if name == b"Content-Length":
        if not value.isdigit():
            raise Refusal(400, "Content-Length is no number.")
        if len(value) > LONGEST_NUMBER:
            raise Refusal(413, "Content-Length is too large.")
    elif name == b"Transfer-Encoding":
        coding = value.lower()
        if version != b"HTTP/1.1" or coding == b"identity":
            raise Refusal(400, "Transfer-Encoding is chunked or left out, and HTTP/1.1's.")
        if coding != b"chunked":
            raise Refusal(501, "The only transfer coding is chunked.")


def check_head(method: bytes, target: bytes, version: bytes, headers: Headers) -> tuple[bytes, bool]:
    """The target as path and query, and whether the client waits for `100 Continue`; Refusal for the rest."""
    hosts = headers.getRawHeaders(b"Host", [])
    if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
        raise Refusal(400, "A request has exactly one Host.")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise Refusal(400, "Host is malformed.")
    if method in _REFUSED_METHODS:
        raise Refusal(405, "This method is not served here.", {"Allow": ALLOWED})
    if target[:1] != b"/" and not (target == b"*" and method == b"OPTIONS"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise Refusal(400, "The target is no path.")
        if not hosts or absolute[1].lower() != hosts[0].lower():
            raise Refusal(400, "The target's host is not the one in Host.")
        target = absolute[2] if absolute[2][:1] == b"/" else b"/" + absolute[2]
    if b"#" in target or max(target) > 126:
        raise Refusal(400, "The target holds a character that must be percent-encoded.")
    for name in _DISGUISED:
        if headers.hasHeader(name):
            raise Refusal(400, "A header name holds an underscore where a hyphen belongs.")
    expectations = headers.getRawHeaders(b"Expect")
    if not expectations or version != b"HTTP/1.1":
        return target, False
    if len(expectations) > 1 or expectations[0].lower() != b"100-continue":
        raise Refusal(417, "The only expectation is 100-continue.")
    return target, True


def is_other_version(line: bytes) -> bool:
    """Whether this is a request line of a version that is not HTTP/1.1 or 1.0."""
    return _OTHER_VERSION.fullmatch(line) is not None


def is_host(value: bytes) -> bool:
    """Whether this is a host with or without a port, as in `Host` (RFC 9110 section 7.2)."""
    return _HOST.fullmatch(value) is not None


def closes(values: list[bytes]) -> bool:
    """Whether one of the `Connection` headers says `close` (RFC 9112 section 9.6)."""
    return any(token.strip().lower() == b"close" for value in values for token in value.split(b","))
