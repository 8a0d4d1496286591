"""Who may have how many calls under way: what one client asks for in a heap waits behind itself.

An instance works on `BY_USER` calls of a user at a time, and of open routes on `BY_ADDRESS` of a network
address, behind which many may be, but on one only that is about a password, since its slow hash is a quarter
of a second of a core; the next begin as these end. So between two calls of an attacker everybody else's turn
comes, in the event loop and at the database, however many connections it has. After an answer of more than
`LARGE` bytes the turn ends as much later as `RATE` says, for such answers cost this process, the gateway and
the database the most. At most `QUEUE` calls wait, one more is refused by 429: `[limits]` bounds how many
come, but not how long they take.

Bodies that stream take as long as their clients do. Downloads have no turn meanwhile. Uploads have turns of
their own, `UPLOADS` of a user, each of which ends later than its call: by `UPLOAD_REST` seconds, since a file
of one byte costs as much as ten messages, and by what its bytes take at `UPLOAD_RATE`. Somebody who does
nothing else would have everybody wait; a client that sends one part after the other never waits for a turn,
unless it sends faster than `UPLOADS` times that rate.
"""

from typing import Any

from messenger.core.http.admission import FREE
from messenger.core.http.call import Call
from messenger.core.limits.limits import network_of
from messenger.core.turns import Shares

BY_USER = 2
BY_ADDRESS = 4
PASSWORDS = frozenset({"login", "register"})  # classes of routes
UPLOADS = 4
UPLOAD_REST = 0.05  # seconds
UPLOAD_RATE = 8_388_608  # bytes a second
QUEUE = 100
LARGE = 32_768
RATE = 4_194_304  # bytes a second


class Fairness:
    """The turns of one router's callers."""

    def __init__(self, reactor: Any) -> None:
        self.users = Shares(reactor, BY_USER, QUEUE)
        self.uploads = Shares(reactor, UPLOADS, QUEUE)
        self.addresses = Shares(reactor, BY_ADDRESS, QUEUE)
        self.passwords = Shares(reactor, 1, QUEUE)

    async def take(self, call: Call) -> None:
        """Wait for the caller's turn; `give_back` has to follow. Problem `rate_limited`."""
        user_id = call.request.user_id
        if call.route.class_ == FREE or (call.route.streamed and user_id is None):
            return
        if user_id is not None:
            shares, subject = self.uploads if call.route.streamed else self.users, user_id
        else:
            shares = self.passwords if call.route.class_ in PASSWORDS else self.addresses
            subject = network_of(call.address)
        await shares.take(subject)
        call.turn = shares, subject

    @staticmethod
    def give_back(call: Call) -> None:
        """The call is answered, or goes on at its client's pace; nothing where it has no turn."""
        if call.turn is None:
            return
        (shares, subject), call.turn = call.turn, None
        if call.route.streamed:
            rest = UPLOAD_REST + call.request.body.received / UPLOAD_RATE
        else:
            size = call.request.sent_bytes
            rest = size / RATE if size > LARGE else 0.0
        shares.give_back(subject, rest)
