"""Parameters of a request outside its body: the access token of its head, and its query."""

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from messenger.wire.errors import Code, Problem

if TYPE_CHECKING:
    from messenger.core.http.request import Request

_MOST_PARAMETERS = 100
_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def bearer_token(request: "Request") -> str:
    """The token of `Authorization: Bearer` (RFC 6750 section 2.1); Problem `unauthorized` without one."""
    values = request.requestHeaders.getRawHeaders(b"Authorization")
    match = _BEARER.fullmatch(values[0]) if values and len(values) == 1 else None
    if match is None:
        raise Problem(Code.unauthorized, "An access token is wanted: Authorization: Bearer TOKEN.")
    return match[1].decode("ascii")


def parse_query(query: bytes) -> dict[str, str]:
    """The parameters of a query, percent-decoded as UTF-8, `+` for a space; Problem `bad_request` for a
    repeated name, for what is no UTF-8, for a bad escape and for more than 100 parameters."""
    if not query:
        return {}
    found: dict[str, str] = {}
    pairs = query.split(b"&")
    if len(pairs) > _MOST_PARAMETERS:
        raise Problem(Code.bad_request, f"A query has at most {_MOST_PARAMETERS} parameters.")
    if _BAD_ESCAPE.search(query):
        raise Problem(Code.bad_request, "The query holds a bad percent-escape.")
    for pair in pairs:
        if not pair:
            continue
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        try:
            key, text = unquote_to_bytes(name).decode("utf-8"), unquote_to_bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            raise Problem(Code.bad_request, "The query is not UTF-8.") from None
        if key in found:
            raise Problem(Code.bad_request, "A query names each parameter once.")
        found[key] = text
    return found
