"""On which instance a user's socket had better be: where the sockets of its shard's users are.

Any instance is right, but one that has the users of few shards has less to hear from the others. So all
gateways prefer the same one, without asking each other, by rendezvous hashing (Thaler and Ravishankar, 1998):
of the instances that are there, the one with the highest hash of its address and the shard. An instance that
goes or comes changes the preference of its own share alone.

The user is whom the access token names, and the gateway does not verify that: it is a hint. Who lies in it is
refused by the instance all the same. So that nobody can send much to one instance by lying (or by having
accounts in one shard), the preference ends where an instance is ahead of the mean by SKEW, in its sockets or
in what it was asked lately; this bound is that of consistent hashing with bounded loads (Mirrokni, Thorup and
Zadimoghaddam, 2018). Then, and without a token (tickets), the fewest sockets decide.
"""

from binascii import Error, a2b_base64
from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from messenger.core.http.request import Request
from messenger.gateway.addresses import Address
from messenger.wire.frames import BEARER_PREFIX
from messenger.wire.shards import shard_of

SKEW = 1.5  # times the mean: at eight instances the shards' own spread stays below it
SLACK = 16  # sockets, or handshakes, that are nothing yet
LONGEST_TOKEN = 4_096  # what services take

_BEARER = BEARER_PREFIX.encode()


class _Claims(msgspec.Struct):
    sub: str


_claims = msgspec.json.Decoder(_Claims)


def shard_hint(request: Request) -> int | None:
    """The shard of the user whom the request's access token (RFC 7519) names; None where there is none, or
    none that can be read."""
    token = _token(request)
    parts = token.split(b".") if len(token) <= LONGEST_TOKEN else []
    if len(parts) != 3:
        return None
    payload = parts[1].replace(b"-", b"+").replace(b"_", b"/")
    try:
        return shard_of(_claims.decode(a2b_base64(payload + b"==")).sub)
    except (Error, msgspec.DecodeError, UnicodeError):
        return None


def _token(request: Request) -> bytes:
    # Where the message service looks for it, and in the same order.
    headers = request.requestHeaders
    given = headers.getRawHeaders(b"Authorization")
    if given:
        scheme, _, token = given[0].partition(b" ")
        return token.strip() if scheme.lower() == b"bearer" else b""
    for value in headers.getRawHeaders(b"Sec-WebSocket-Protocol", []):
        for name in value.split(b","):
            if name.strip().startswith(_BEARER):
                return name.strip()[len(_BEARER) :]
    return b""


def preferred(shard: int, addresses: Sequence[Address], now: float) -> Address | None:
    """Which of the addresses, all of them awake, to ask for a socket of the shard's; None where another rule
    had better decide."""
    willing = [one for one in addresses if one.declines_until <= now]
    if not willing:
        return None
    first = max(willing, key=lambda one: _weight(shard, one))
    ahead = _ahead(first.sockets + first.in_flight, [one.sockets + one.in_flight for one in addresses])
    asked = _ahead(first.asked.count(now), [one.asked.count(now) for one in addresses])
    return None if ahead or asked else first


def _weight(shard: int, address: Address) -> bytes:
    return blake2b(f"{shard} {address}".encode(), digest_size=8).digest()


def _ahead(mine: float, all_: Sequence[float]) -> bool:
    return mine > SKEW * sum(all_) / len(all_) + SLACK
