"""The limits of `[limits]` as a Router's admission: each route counts in its class, before its body is read.

Counted where it is served, by the service and never by the gateway on its way: the service alone knows the
route and the verified user, and so a request counts once, in one process and in many.

Routes whose class is an address's count by the client's address, as far as trusted proxies vouch for it, an
IPv6 one by its /64; all others by the user, or by address where they are open. Routes of the class `free`
(health, readiness, metrics) cost nothing; `HEAD` costs what `GET` does.
"""

from twisted.logger import Logger

from messenger.core.http.call import Call
from messenger.core.limits.gcra import refusal
from messenger.core.limits.limits import Limits, network_of

BY_ADDRESS = frozenset({"register", "login"})
FREE = "free"

log = Logger(namespace="messenger.http")


class RouteLimits:
    """An Admission. `setting` names the trusted proxies' setting for whoever forgot it."""

    def __init__(self, limits: Limits, setting: str) -> None:
        self._classes = {name: limits.of(name) for name in limits.names}
        self._classes[FREE] = None
        self._setting = setting
        self._warned = False

    async def __call__(self, call: Call) -> None:
        """Count the call; Problem `rate_limited`. The answer bears RateLimit fields either way."""
        name = call.route.class_
        limit = self._classes[name]
        if limit is None:
            return
        subject = None if name in BY_ADDRESS else call.request.user_id
        if subject is None:
            subject = network_of(self._address(call))
        cost = min(call.route.cost, limit.rate.count)
        verdict = limit.take_now(subject, cost) if limit.in_process else await limit.take(subject, cost)
        if not verdict.allowed:
            raise refusal(verdict, f"There is a limit on this: {name}.")
        call.answer_headers.update(verdict.headers)

    def _address(self, call: Call) -> str:
        address = call.address
        last_hop = (call.header("X-Forwarded-For") or address).rpartition(",")[2].strip()
        # A client on a trusted proxy's own machine has the proxy's address, and nothing is wrong.
        if not self._warned and address == call.request.peer and last_hop != address:
            self._warned = True
            # It may be no proxy, but a client that makes the header up: who it is is for debugging alone.
            log.warn(
                "who is not in {setting} forwards requests: all its clients count as one ([log] level debug"
                " says who)",
                event="untrusted_proxy",
                setting=self._setting,
            )
            log.debug("{peer} forwards requests", event="untrusted_proxy_is", peer=address)
        return address
