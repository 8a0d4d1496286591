"""Who is to be woken, and seeing each wake-up through.

PostgreSQL is the queue: a row of `message.push` whose `due_at` is set is a wake-up to be sent, by whichever
instance claims it. The claim is a lease; an instance that dies with it loses nothing but that time. (It is
not work on the bus: that is done one piece at a time within half a minute, and a push service may ask us to
come back in an hour.)

No message waits for any of this, and none costs a statement: the conversations that a batch has moved are
gathered, and once a second one statement finds who of their members is away and behind. So a burst of a
thousand messages is one statement. What that misses (an instance died in that second; a device was thought
connected until its instance was buried) is found by looking at all subscriptions now and then, as core/work
does.

One wake-up a device, until it has come or the window has passed: it fetches all that is waiting, so a second
one would say nothing new, cost it battery, and use up what push services allow. A device that comes is woken
again for the next message after it has gone.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from messenger.core.periodic import Periodic
from messenger.messages.domain.push import SILENT, push_server
from messenger.messages.model import Draft, Outcome
from messenger.messages.push.courier import Answer, Courier, Result
from messenger.messages.store.push import PushStore, Wake
from messenger.wire.errors import Problem

GATHER_SECONDS = 1.0
SHARE = 10.0  # a statement that takes long is followed by a pause of so many times that
GATHERED = 10_000
LOOK_SECONDS = 120.0
PAGE = 1_000
TICK_SECONDS = 1.0
ALONE_SECONDS = 5.0
CONCURRENT = 64  # under way at a time, and so many a second at most
TO_ONE_HOST = 32
BUSY_SECONDS = 3.0
LEASE_SECONDS = 60.0  # more than a request may take
FIRST_WAIT = 30.0
LONGEST_BACKOFF = 3_600.0
TRIES = 8
SWEEP_SECONDS = 60.0
_NO_DEVICE = "00000000-0000-0000-0000-000000000000"

log = Logger()


class Wakes:
    """A part of one instance. `window` is in seconds; `late(seconds)` hears how late each wake-up was that a
    push service took. `results` counts tries by what became of them.

    `alone`: nobody else makes wake-ups due, so where none is known of the claims pause for ALONE_SECONDS.
    """

    def __init__(
        self,
        reactor: Any,
        store: PushStore,
        courier: Courier,
        window: float,
        late: Callable[[float], object] = lambda _: None,
        alone: bool = False,
    ) -> None:
        self._reactor = reactor
        self._store = store
        self._courier = courier
        self._window = window
        self._late = late
        self._pause = ALONE_SECONDS if alone else 0.0
        self._rests_until = float("-inf")
        self._due = float("inf")  # the first that this instance has put off
        self._conversations: dict[str, None] = {}
        self._users: dict[str, None] = {}
        self._timer: Any = None
        self._marking = False
        self._stopping = False
        self._hosts: Counter[str] = Counter()
        self._idle: list[Deferred[None]] = []
        self._looking = Periodic(reactor, LOOK_SECONDS, "looking for who is to be woken", self._look)
        self._sending = Periodic(reactor, TICK_SECONDS, "sending wake-ups", self._send_due)
        self._sweeping = Periodic(reactor, SWEEP_SECONDS, "removal of push endpoints", store.sweep)
        self.results: Counter[str] = Counter()
        self.under_way = 0

    async def start(self) -> None:
        for periodic in (self._looking, self._sending, self._sweeping):
            await periodic.start()

    async def stop(self) -> None:
        """Let what is under way come to its end; what is only gathered is found by who looks next."""
        self._stopping = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for periodic in (self._sweeping, self._sending, self._looking):
            await periodic.stop()
        if self.under_way:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle

    # who is to be woken

    def committed(self, stored: list[tuple[Draft, Outcome]]) -> None:
        """Messages that this instance has committed."""
        if len(self._conversations) <= GATHERED:  # beyond that, all subscriptions are looked at
            for draft, _ in stored:
                if draft.kind != SILENT:
                    self._conversations[draft.conversation_id] = None
        if self._conversations:
            self._mark_later()

    def gone(self, user_ids: Iterable[str]) -> None:
        """Users of whom a device is connected no more: it may have missed what came before that showed."""
        if len(self._users) <= GATHERED:
            self._users.update(dict.fromkeys(user_ids))
        self._mark_later()

    def _mark_later(self, seconds: float = GATHER_SECONDS) -> None:
        if self._timer is None and not self._marking and not self._stopping:
            self._timer = self._reactor.callLater(seconds, self._begin_marking)

    def _begin_marking(self) -> None:
        self._timer = None
        ensureDeferred(self._mark())

    async def _mark(self) -> None:
        began = self._reactor.seconds()
        self._marking = True
        conversations, self._conversations = list(self._conversations), {}
        users, self._users = list(self._users), {}
        try:
            if len(conversations) + len(users) > GATHERED:
                self._looking.soon()  # so many that looking at all of them costs less
            else:
                marked = 0
                if conversations:
                    marked += await self._store.mark_conversations(conversations, self._window)
                if users:
                    marked += await self._store.mark_users(users, self._window)
                if marked:
                    self._send_soon()
        except Problem as problem:
            log.warn("wake-ups wait for the next look: {detail}", detail=problem.detail)
        except Exception:
            log.failure("wake-ups wait for the next look")
        finally:
            self._marking = False
            if self._conversations or self._users:
                self._mark_later(max(GATHER_SECONDS, SHARE * (self._reactor.seconds() - began)))

    async def _look(self) -> None:
        after, marked = _NO_DEVICE, 0
        while not self._stopping:
            devices = await self._store.page(after, PAGE)
            if devices:
                marked += await self._store.mark_devices(devices, self._window)
            if len(devices) < PAGE:
                break
            after = devices[-1]
        if marked:
            self._send_soon()

    # sending

    def _send_soon(self) -> None:
        self._rests_until = float("-inf")
        self._sending.soon()

    async def _send_due(self) -> None:
        room = CONCURRENT - self.under_way
        now = self._reactor.seconds()
        if room <= 0 or self._stopping or now < min(self._rests_until, self._due):
            return
        self._rests_until = now + self._pause
        if now >= self._due:
            self._due = float("inf")
        try:
            claimed = await self._store.claim(room, LEASE_SECONDS)
        except Exception:
            self._rests_until = float("-inf")
            raise
        for wake in claimed:
            self._rests_until = float("-inf")
            self.under_way += 1
            ensureDeferred(self._see_through(wake))

    async def _later(self, wake: Wake, seconds: float, *, counts: bool) -> None:
        await self._store.later(wake, seconds, counts=counts)
        self._due = min(self._due, self._reactor.seconds() + seconds)

    async def _see_through(self, wake: Wake) -> None:
        host = _host_of(wake)
        self._hosts[host] += 1
        try:
            if self._hosts[host] > TO_ONE_HOST:
                await self._later(wake, BUSY_SECONDS, counts=False)
            else:
                await self._settle(wake, await self._try(wake))
        except Problem as problem:
            # The lease ends, and somebody sends it again: twice is harmless, never is not.
            log.warn("a wake-up's outcome could not be stored: {detail}", detail=problem.detail)
        except Exception:
            log.failure("a wake-up's outcome could not be stored")
        finally:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
            self.under_way -= 1
            while self._idle and not self.under_way:
                self._idle.pop().callback(None)

    async def _try(self, wake: Wake) -> Answer:
        try:
            return await self._courier.send(wake)
        except Exception:
            log.failure("a wake-up could not be sent")
            return Answer(Result.later)

    async def _settle(self, wake: Wake, answer: Answer) -> None:
        result = answer.result
        self.results[result] += 1
        if result is Result.sent:
            self._late(wake.late)
            await self._store.woken(wake, LEASE_SECONDS)
        elif result is Result.gone:
            await self._store.forget(wake)
            log.info("a push endpoint is gone", event="push_gone", device_id=wake.device_id)
        elif result is Result.later and wake.tries < TRIES:
            backoff = min(LONGEST_BACKOFF, FIRST_WAIT * 2.0 ** (wake.tries - 1))
            await self._later(wake, max(backoff, answer.wait), counts=True)
        else:
            log.warn(
                "a wake-up is given up; the device finds its messages when it connects",
                event="push_given_up",
                device_id=wake.device_id,
                why=result,
            )
            await self._store.woken(wake, LEASE_SECONDS)


def _host_of(wake: Wake) -> str:
    try:
        return push_server(wake.endpoint).host
    except ValueError:  # stored by another version, which took it
        return ""
