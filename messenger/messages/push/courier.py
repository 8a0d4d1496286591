"""One wake-up: encrypted, signed, sent, and what became of it.

The message is the same for all and all the time, so that neither its content nor its size says anything: not
who wrote, nor where, nor how much. It is encrypted to the device (RFC 8291, `aes128gcm` of RFC 8188), since a
push service may be anybody's. `Topic` has a push service keep one wake-up for a device that is off, not many.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

import http_ece
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from OpenSSL import SSL
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.logger import Logger
from twisted.web.client import ResponseFailed

from messenger.messages.domain.push import PushServer, push_server
from messenger.messages.push.outbound import NotPermitted, OutboundClient
from messenger.messages.push.vapid import Vapid
from messenger.messages.store.push import Wake
from messenger.wire.errors import Problem

MESSAGE = b'{"type":"wake"}'
KEPT_SECONDS = 86_400  # how long a push service keeps a wake-up for a device that is off
LONGEST_WAIT = 86_400.0

log = Logger()


class Result(StrEnum):
    """The outcome of a try."""

    sent = "sent"
    gone = "gone"  # there is no such endpoint any more
    later = "later"  # not now
    refused = "refused"  # the push service says no, and would again
    forbidden = "forbidden"  # its address is none that we connect to


class Answer(NamedTuple):
    """A result; where it is `later`, what the push service asks us to wait, in seconds, or 0."""

    result: Result
    wait: float = 0.0


def sealed(wake: Wake) -> bytes:
    """The message for this device: a key pair and a salt of its own each time (RFC 8291 section 3)."""
    made: bytes = http_ece.encrypt(
        MESSAGE, private_key=generate_private_key(SECP256R1()), dh=wake.p256dh, auth_secret=wake.auth
    )
    return made


class Courier:
    """Sends wake-ups."""

    def __init__(self, outbound: OutboundClient, vapid: Vapid) -> None:
        self._outbound = outbound
        self._vapid = vapid

    async def send(self, wake: Wake) -> Answer:
        """Send one; what fails is an answer too."""
        server = push_server(wake.endpoint)
        headers = {
            "Authorization": self._vapid.authorization(server.origin),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEPT_SECONDS),
            "Topic": "wake",
            "Urgency": "high",
        }
        try:
            status, answered = await self._outbound.post(wake.endpoint, server, headers, sealed(wake))
        except NotPermitted as error:
            log.warn("a push endpoint is not permitted: {why}", event="push_forbidden", why=str(error))
            return Answer(Result.forbidden)
        except (OSError, ConnectError, ConnectionClosed, ResponseFailed, SSL.Error, Problem) as error:
            log.debug("{host} can't be reached: {why}", host=server.host, why=repr(error))
            return Answer(Result.later)
        except ValueError as error:
            log.warn(
                "the push service {host} can't be resolved: {why}",
                event="push_refused",
                host=server.host,
                why=str(error),
            )
            return Answer(Result.refused)
        return _judged(server, status, answered.get("retry-after", ""))


def _judged(server: PushServer, status: int, retry_after: str) -> Answer:
    if 200 <= status < 300:
        return Answer(Result.sent)
    if status in (404, 410):
        return Answer(Result.gone)
    if status == 429 or status >= 500:
        return Answer(Result.later, seconds_of(retry_after, datetime.now(UTC)))
    # A redirect is not followed: a push service has no need of one, an attacker has.
    log.warn("{host} refuses wake-ups: {status}", event="push_refused", host=server.host, status=status)
    return Answer(Result.refused)


def seconds_of(retry_after: str, now: datetime) -> float:
    """The wait that `Retry-After` asks for (RFC 9110 section 10.2.3), at most a day; 0 for what is none."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(LONGEST_WAIT, float(retry_after[:9]))
    try:
        moment = parsedate_to_datetime(retry_after)
        return min(LONGEST_WAIT, max(0.0, (moment - now).total_seconds()))
    except (ValueError, TypeError, OverflowError):
        return 0.0
