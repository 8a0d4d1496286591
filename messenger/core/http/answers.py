"""An endpoint's answers, and how an answer's head looks on the wire (RFC 9112 section 4).

Every answer bears `X-Request-ID`, `Cache-Control: no-store` unless it says otherwise,
`X-Content-Type-Options: nosniff`, `Date` (RFC 9110 section 6.6.1) and nothing that names the software. Those
that are no page of their own also say `Content-Security-Policy: default-src 'none'; frame-ancestors 'none'`:
what people upload is no page here, even if somebody's browser is talked into showing it.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time
from typing import Any

from twisted.web.http import RESPONSES

from messenger.wire.codec import encode
from messenger.wire.errors import PROBLEM_TYPE, Code, Problem

JSON_TYPE = "application/json"

# Statuses of HTTP itself that no code of the contract stands for; the code beside them is the nearest.
_TITLES = {
    408: "The request took too long",
    414: "The request's target is too long",
    417: "The expectation can't be met",
    426: "This path wants an upgrade",
    431: "The request's header is too large",
    501: "This is not implemented",
    505: "This version of HTTP is not supported",
}
_REASONS = {
    431: "Request Header Fields Too Large",
    460: "Checksum Mismatch",  # tus 1.0.0's own
}
_UNSAFE = re.compile(r"[\x00\r\n]")
_POLICY = "\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\r\n"
_NO_BODY = frozenset({204, 304})
_date: tuple[int, str] = (0, "")
_status_lines: dict[int, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its own status, headers or content type. `body` is a struct (JSON), bytes or None."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """An answer whose body is written bit by bit.

    `write` gets a `Download` and returns when all is written; it is cancelled when the client leaves.
    `length` is in bytes; None sends the body chunked.
    """

    write: "Callable[[Any], Awaitable[None]]"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


def http_date() -> str:
    """The present second as an IMF-fixdate (RFC 9110 section 5.6.7)."""
    global _date  # noqa: PLW0603 - one text serves all answers of a second
    now = int(time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def head(status: int, request_id: str, headers: Iterable[tuple[str, str]], *, caches: bool = False) -> str:
    """The head of an answer, up to and including the empty line.

    `headers` are all but those that every answer bears; ValueError where one holds a CR, LF or NUL. With
    `caches` they say themselves what a cache may do.
    """
    line = _status_lines.get(status)
    if line is None:
        reason = _REASONS.get(status) or RESPONSES.get(status, b"Unknown").decode("ascii")
        line = f"HTTP/1.1 {status} {reason}\r\nX-Content-Type-Options: nosniff\r\n"
        if 100 <= status <= 599:
            _status_lines[status] = line
    lines = [line, "Date: ", http_date(), "\r\nX-Request-ID: ", request_id]
    if not caches:
        lines.append("\r\nCache-Control: no-store")
    says_policy = False
    for name, value in headers:
        if name == "Content-Security-Policy":
            says_policy = True
        if _UNSAFE.search(value):
            raise ValueError(f"header {name} holds a control character")
        lines += ("\r\n", name, ": ", value)
    lines.append("\r\n\r\n" if says_policy else _POLICY)
    return "".join(lines)


def has_body(status: int) -> bool:
    """Whether an answer with this status may have a body (RFC 9110 section 6.4.1)."""
    return status not in _NO_BODY


def problem_parts(
    problem: Problem, request_id: str, status: int | None = None
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of a problem (RFC 9457 section 3).

    `status` stands in for the code's own where HTTP has a status that the contract has no code for.
    """
    document = problem.document(request_id)
    if status is not None:
        document |= {"status": status, "title": _TITLES.get(status, document["title"])}
    actual = problem.code.status if status is None else status
    headers = list(problem.headers.items())
    if actual == 401 and "WWW-Authenticate" not in problem.headers:
        headers.append(("WWW-Authenticate", "Bearer"))
    if problem.retry_after is not None:
        headers.append(("Retry-After", str(problem.retry_after)))
    headers.append(("Content-Type", PROBLEM_TYPE))
    return actual, headers, encode(document)


INTERNAL = Problem(Code.internal, "Something went wrong here. The request id leads to it in the log.")
