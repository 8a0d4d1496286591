"""Who may read our answers from a page of another site: CORS (Fetch standard, sections 3.2 and 4.8).

By default nobody but the gateway's own page. Origins that are configured get `Access-Control-Allow-Origin`
with their own name, never a star, and never credentials: access tokens travel in a header that scripts set.
`null` is no origin anybody can vouch for, so it is never allowed. A preflight is answered here and never
reaches a service.
"""

import re
from collections.abc import Sequence

PREFLIGHT_SECONDS = 7_200  # what browsers accept at most
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_EXPOSED = ", ".join(
    (
        "X-Request-ID",
        "Retry-After",
        "Location",
        "ETag",
        "Accept-Ranges",
        "Content-Range",
        "X-File-ID",
        "Upload-Offset",
        "Upload-Length",
        "Upload-Expires",
        "Upload-Metadata",
        "Tus-Resumable",
        "Tus-Version",
        "Tus-Extension",
        "Tus-Max-Size",
        "Tus-Checksum-Algorithm",
        "RateLimit-Limit",
        "RateLimit-Remaining",
        "RateLimit-Reset",
        "RateLimit-Policy",
    )
)
_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9-]{1,64}(?:[ \t]*,[ \t]*[A-Za-z0-9-]{1,64}){0,63}")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def origin_text(text: str) -> str:
    """An origin in its one form; ValueError for what is none (`null`, a star, a URL with a path)."""
    match = _ORIGIN.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not an origin: {text!r} (expected SCHEME://HOST or SCHEME://HOST:PORT)")
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{host}:{port}"


class Origins:
    """The origins that are allowed, beside the one that a request itself was sent to."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = frozenset(origin_text(text) for text in allowed)

    def __bool__(self) -> bool:
        return bool(self._allowed)

    def listed(self, origin: str) -> bool:
        """Whether this origin is configured."""
        try:
            return origin_text(origin) in self._allowed
        except ValueError:
            return False

    def own(self, origin: str, host: str) -> bool:
        """Whether this is the origin of `host`, a request's Host.

        The scheme is not ours to know: TLS may end in front of us.
        """
        try:
            name = origin_text(origin)
        except ValueError:
            return False
        scheme, _, authority = name.partition("://")
        return authority == host.lower().removesuffix(":" + _DEFAULT_PORTS[scheme])

    def allows(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may use us."""
        return self.own(origin, host) or self.listed(origin)


def answer_headers(origin: str) -> tuple[tuple[str, str], ...]:
    """Headers of an answer to an allowed origin."""
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", _EXPOSED),
        ("Vary", "Origin"),
    )


def preflight_headers(origin: str, asked: str | None) -> list[tuple[str, str]]:
    """Headers of the answer to an allowed origin's preflight.

    `asked` is its Access-Control-Request-Headers.
    """
    headers = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", METHODS),
        ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
        ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    if asked and _HEADER_NAMES.fullmatch(asked):
        headers.append(("Access-Control-Allow-Headers", asked))
    return headers
