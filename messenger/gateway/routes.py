"""Which paths the gateway serves, and by whom: the contract's table, and nothing beside it.

A path belongs to a service where it equals one of the prefixes or goes on below one. It is looked at as it
was sent: percent-escapes, empty segments, dot segments and a trailing slash are no spelling of any of our
paths, so what one server could read as another path is none at all. What the services keep for themselves
(`/health`, `/ready`, `/metrics`) lies outside the table.
"""

import re

API = "/api/v1"

_TABLE = {
    f"{API}/auth": "auth",
    f"{API}/users": "auth",
    f"{API}/conversations": "message",
    f"{API}/blocks": "message",
    f"{API}/push": "message",
    f"{API}/preferences": "message",
    f"{API}/files": "file",
    f"{API}/keys": "key",
    f"{API}/vault": "key",
}
_EXACT = {"/.well-known/jwks.json": "auth"}
SOCKET_PATH = "/ws"
SOCKET_SERVICE = "message"
SERVICES = ("auth", "message", "file", "key")

_PLAIN = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+){3,16}", re.ASCII)


def service_of(path: str) -> tuple[str, str] | None:
    """The service that answers this path, and the prefix that says so (for logs and metrics); None for
    nobody."""
    exact = _EXACT.get(path)
    if exact is not None:
        return exact, path
    if not _PLAIN.fullmatch(path):
        return None
    end = path.find("/", len(API) + 1)
    prefix = path if end < 0 else path[:end]
    service = _TABLE.get(prefix)
    return None if service is None else (service, prefix)
