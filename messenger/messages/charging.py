"""The cost of frames to their user: each `send` one of `[limits] send`, each other one of `[limits] frame`.

Pings, pongs and fragments are frames, too. Both limits count by user, in this process alone: no frame waits
for Redis. What does not decode counts as a frame for each `FREE_BYTES` it has, for it was read all the same.
One too many is answered by an `error` `rate_limited` with `retry_after`, and nothing else is done about it. A
device that goes on regardless has its socket closed with 4429: it may be refused `REFUSALS.count` times at
once, and that often again in each `REFUSALS.period` seconds. A new socket does not start that count afresh:
none is opened for the device until half of it is forgotten, and on one that is open already what it says is
not even looked at until some is.
"""

from messenger.core.identity import Identity
from messenger.core.limits.gcra import Charge, Rate, refusal, seconds, wait_for
from messenger.core.limits.limits import Limit
from messenger.core.limits.stores import LocalCounts
from messenger.wire.errors import Code, Problem

REFUSALS = Rate.of(100, 10)
FREE_BYTES = 16_384
_KIND = "refusal"


class TooFast(Exception):
    """The device takes no notice of refusals: its socket is to be closed."""


class Charges:
    """The limits of one instance's sockets; None is no limit. `refusals` are this instance's counts."""

    def __init__(self, send: Limit | None, frame: Limit | None, refusals: LocalCounts) -> None:
        self._send = send
        self._frame = frame
        self._refusals = refusals

    def patient(self, device_id: str) -> bool:
        """Whether the device has refusals left."""
        charge = Charge(_KIND, device_id, REFUSALS.increment, REFUSALS.bound)
        return self._refusals.fits((charge,)).allowed

    def open(self, device_id: str) -> None:
        """Problem `rate_limited` where the device has to wait before it opens another socket."""
        charge = Charge(_KIND, device_id, REFUSALS.bound // 2, REFUSALS.bound)
        known = self._refusals.fits((charge,))
        if not known.allowed:
            raise Problem(
                Code.rate_limited,
                "Frames came on regardless of refusals.",
                retry_after=seconds(wait_for((charge,), known.debts)),
            )

    def send(self, identity: Identity) -> None:
        """One more message; Problem `rate_limited`, or TooFast."""
        self._take(self._send, identity, 1, "Messages are coming too fast.")

    def frame(self, identity: Identity, unread: int = 0) -> None:
        """One more of the others, or `unread` bytes that are none; Problem `rate_limited`, or TooFast."""
        self._take(self._frame, identity, 1 + unread // FREE_BYTES, "Frames are coming too fast.")

    def _take(self, limit: Limit | None, identity: Identity, count: int, detail: str) -> None:
        if limit is None:
            return
        verdict = limit.take_now(identity.user_id, min(count, limit.rate.count))
        if verdict.allowed:
            return
        patient, _ = self._refusals.take(_KIND, identity.device_id, REFUSALS.increment, REFUSALS.bound)
        if not patient:
            raise TooFast
        raise refusal(verdict, detail)
