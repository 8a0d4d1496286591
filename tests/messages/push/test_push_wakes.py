"""Wake-ups: gathered, one statement for many messages, retried with patience, bounded."""

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages.model import Draft, Outcome
from messenger.messages.push import wakes as module
from messenger.messages.push.courier import Answer, Result
from messenger.messages.push.wakes import Wakes
from messenger.messages.store.push import Wake
from messenger.wire.errors import unavailable

STORED = Outcome("stored", 1, 1, 1000, None)


def batch(*conversations: str) -> list[tuple[Draft, Outcome]]:
    return [(Draft(name, "user", "device", "client", "text", b"x", None), STORED) for name in conversations]


def wake(device: str, tries: int = 1, host: str = "push.example") -> Wake:
    return Wake(device, f"https://{host}/{device}", b"p", b"a", tries, "lease", 0.5)


class Store:
    """Notes what is asked of it; the test says what is due."""

    def __init__(self) -> None:
        self.marked: list[Any] = []
        self.due: list[Wake] = []
        self.noted: list[Any] = []
        self.devices: list[str] = []
        self.gate: Deferred[None] | None = None
        self.error: Exception | None = None
        self.claims = 0

    async def _mark(self, kind: str, ids: list[str]) -> int:
        self.marked.append((kind, list(ids)))
        if self.gate is not None:
            await self.gate
        if self.error is not None:
            raise self.error
        return len(ids)

    async def mark_conversations(self, ids: list[str], window: float) -> int:
        return await self._mark("conversations", ids)

    async def mark_users(self, ids: list[str], window: float) -> int:
        return await self._mark("users", ids)

    async def mark_devices(self, ids: list[str], window: float) -> int:
        return await self._mark("devices", ids)

    async def page(self, after: str, limit: int) -> list[str]:
        return [one for one in self.devices if one > after][:limit]

    async def claim(self, limit: int, lease: float) -> list[Wake]:
        self.claims += 1
        found, self.due = self.due[:limit], self.due[limit:]
        return found

    async def woken(self, one: Wake, lease: float) -> None:
        self.noted.append(("woken", one.device_id))

    async def later(self, one: Wake, seconds: float, *, counts: bool) -> None:
        self.noted.append(("later", one.device_id, seconds, counts))

    async def forget(self, one: Wake) -> None:
        self.noted.append(("forget", one.device_id))

    async def sweep(self) -> None:
        pass


class Courier:
    """Answers what the test says; holds requests where it says nothing."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.answer: Answer | Exception | None = Answer(Result.sent)
        self.held: list[Deferred[Answer]] = []

    async def send(self, one: Wake) -> Answer:
        self.sent.append(one.device_id)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        held: Deferred[Answer] = Deferred()
        self.held.append(held)
        return await held


class WakesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.store, self.courier = Clock(), Store(), Courier()
        self.late: list[float] = []
        self.wakes = Wakes(self.clock, self.store, self.courier, 900.0, self.late.append)

    def start(self) -> None:
        self.successResultOf(ensureDeferred(self.wakes.start()))
        self.store.marked.clear()

    def test_the_only_instance_asks_less_often_for_what_is_due(self) -> None:
        self.wakes = Wakes(self.clock, self.store, self.courier, 900.0, alone=True)
        self.start()
        before = self.store.claims
        self.clock.pump([1] * 20)
        self.assertEqual(self.store.claims - before, 4)

    def test_the_only_instance_sends_at_once_what_it_has_marked_and_again_when_that_is_due(self) -> None:
        self.wakes = Wakes(self.clock, self.store, self.courier, 900.0, alone=True)
        self.start()
        self.clock.advance(1)
        self.store.due = [wake("d")]
        self.courier.answer = Answer(Result.later)
        self.wakes.committed(batch("a"))
        self.clock.advance(module.GATHER_SECONDS)
        self.assertEqual(self.courier.sent, ["d"])
        self.clock.pump([1] * (int(module.FIRST_WAIT) - 1))
        before = self.store.claims
        self.store.due = [wake("d")]
        self.clock.advance(1)
        self.assertEqual(self.courier.sent, ["d", "d"])
        self.assertEqual(self.store.claims - before, 1)

    def test_many_messages_cost_one_statement(self) -> None:
        self.start()
        for _ in range(100):
            self.wakes.committed(batch("a", "b", "a"))
        self.assertEqual(self.store.marked, [])
        self.clock.advance(module.GATHER_SECONDS)
        self.assertEqual(self.store.marked, [("conversations", ["a", "b"])])
        self.clock.advance(10)
        self.assertEqual(len(self.store.marked), 1)

    def test_a_slow_statement_is_followed_by_a_pause(self) -> None:
        self.start()
        self.store.gate = Deferred()
        self.wakes.committed(batch("a"))
        self.clock.advance(1)
        self.wakes.committed(batch("b"))
        self.clock.advance(3)
        gate, self.store.gate = self.store.gate, None
        gate.callback(None)
        self.clock.advance(29)
        self.assertEqual(self.store.marked, [("conversations", ["a"])])
        self.clock.advance(1)
        self.assertEqual(self.store.marked[1:], [("conversations", ["b"])])

    def test_users_whose_device_has_gone_are_looked_at(self) -> None:
        self.start()
        self.wakes.gone(["u"])
        self.clock.advance(1)
        self.assertEqual(self.store.marked, [("users", ["u"])])

    def test_so_many_conversations_that_all_subscriptions_are_looked_at(self) -> None:
        self.start()
        self.store.devices = ["d"]
        self.wakes.committed(batch(*(str(number) for number in range(module.GATHERED + 1))))
        self.wakes.committed(batch("beyond"))
        self.clock.advance(1)
        self.assertEqual(self.store.marked, [("devices", ["d"])])

    def test_a_look_goes_through_all_pages(self) -> None:
        self.store.devices = [f"d{number:05}" for number in range(2 * module.PAGE + 1)]
        self.successResultOf(ensureDeferred(self.wakes.start()))
        self.assertEqual([len(ids) for _, ids in self.store.marked], [module.PAGE, module.PAGE, 1])

    def test_the_database_is_away(self) -> None:
        self.start()
        self.store.error = unavailable("away")
        self.wakes.committed(batch("a"))
        self.clock.advance(1)
        self.store.error = None
        self.wakes.committed(batch("b"))
        self.clock.advance(1)
        self.assertEqual(self.store.marked[-1], ("conversations", ["b"]))

    def test_what_becomes_of_a_try(self) -> None:
        cases: list[tuple[Answer | Exception, int, Any]] = [
            (Answer(Result.sent), 1, ("woken", "d")),
            (Answer(Result.gone), 1, ("forget", "d")),
            (Answer(Result.refused), 1, ("woken", "d")),
            (Answer(Result.forbidden), 1, ("woken", "d")),
            (Answer(Result.later), 1, ("later", "d", 30.0, True)),
            (Answer(Result.later), 3, ("later", "d", 120.0, True)),
            (Answer(Result.later, 500.0), 3, ("later", "d", 500.0, True)),
            (Answer(Result.later, 5.0), 3, ("later", "d", 120.0, True)),
            (Answer(Result.later), module.TRIES, ("woken", "d")),
            (RuntimeError("what?"), 1, ("later", "d", 30.0, True)),
        ]
        self.start()
        for answer, tries, noted in cases:
            self.courier.answer = answer
            self.store.due = [wake("d", tries)]
            self.store.noted.clear()
            self.clock.advance(module.TICK_SECONDS)
            self.assertEqual(self.store.noted, [noted], answer)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.late, [0.5])
        self.assertEqual(self.wakes.results[Result.later], 6)

    def test_so_many_at_a_time_and_so_many_to_one_host(self) -> None:
        self.start()
        self.courier.answer = None
        self.store.due = [wake(str(number), host="slow.example") for number in range(40)]
        self.store.due += [wake(str(number), host=f"h{number}.example") for number in range(100, 200)]
        self.clock.pump([1.0] * 5)
        self.assertEqual(len(self.courier.held), module.CONCURRENT)
        self.assertEqual(self.wakes.under_way, module.CONCURRENT)
        to_slow = [device for device in self.courier.sent if int(device) < 100]
        self.assertEqual(len(to_slow), module.TO_ONE_HOST)
        self.assertIn(("later", "39", module.BUSY_SECONDS, False), self.store.noted)
        self.courier.answer = Answer(Result.sent)
        for held in self.courier.held:
            held.callback(Answer(Result.sent))
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.wakes.under_way, 0)
        self.assertEqual(self.store.due, [])

    def test_a_stop_waits_for_what_is_under_way_and_starts_nothing(self) -> None:
        self.start()
        self.courier.answer = None
        self.store.due = [wake("d")]
        self.clock.advance(1)
        self.wakes.committed(batch("a"))
        stopped = ensureDeferred(self.wakes.stop())
        self.assertNoResult(stopped)
        self.clock.advance(10)
        self.assertEqual(self.store.marked, [])
        self.courier.held[0].callback(Answer(Result.sent))
        self.successResultOf(stopped)
        self.assertEqual(self.store.noted, [("woken", "d")])
