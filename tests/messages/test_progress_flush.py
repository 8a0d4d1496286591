"""CursorStore are written together, and a database that is away is asked once for all who wait."""

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages import progress as progress_module
from messenger.messages.model import Ack, Mark, Risen
from messenger.messages.progress import Progress
from messenger.wire.errors import unavailable


class Store:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Deferred[list[Risen]]] = []

    async def acknowledge(self, acks: list[Ack]) -> list[Risen]:
        self.asked.append(Deferred())
        return await self.asked[-1]

    async def read(self, marks: list[Mark]) -> list[Risen]:
        return []


class FlushTests(SynchronousTestCase):
    def test_sockets_that_open_while_the_database_is_away_do_not_queue_up(self) -> None:
        store = Store()
        progress = Progress(Clock(), store, lambda *_: None)
        progress.ack(Ack("device", "user", "c", 1, None))
        waiting = [ensureDeferred(progress.flush()) for _ in range(10)]
        for _ in range(2):
            store.asked[-1].errback(unavailable("The database is away."))
        for one in waiting:
            self.successResultOf(one)
        self.assertLessEqual(len(store.asked), 3)

    def test_what_one_flush_moved_is_told_at_once(self) -> None:
        store, told = Store(), []
        progress = Progress(Clock(), store, lambda *moved: told.append(moved))
        risen = [Risen(f"c{number}", "user", "device", 1, 2) for number in range(3)]
        progress.ack(Ack("device", "user", "c0", 1, None))
        progress.read(Mark("c0", "user", "device", 1))
        flushed = ensureDeferred(progress.flush())
        store.asked[-1].callback(risen)
        self.successResultOf(flushed)
        self.assertEqual(told, [(risen, [])])

    def test_what_was_acknowledged_is_told_though_marks_have_to_wait(self) -> None:
        class Half(Store):
            async def read(self, marks: list[Mark]) -> list[Risen]:
                raise unavailable("The database is away.")

        store, told = Half(), []
        progress = Progress(Clock(), store, lambda *moved: told.append(moved))
        progress.ack(Ack("device", "user", "c", 1, None))
        progress.read(Mark("c", "user", "device", 1))
        flushed = ensureDeferred(progress.flush())
        store.asked[-1].callback([Risen("c", "user", "device", 1, 2)])
        self.successResultOf(flushed)
        self.assertEqual(told, [([Risen("c", "user", "device", 1, 2)], [])])
        self.assertEqual(progress.waiting, 1)

    def test_marks_of_any_number_of_conversations_do_not_pile_up(self) -> None:
        self.patch(progress_module, "PENDING", 3)
        progress = Progress(Clock(), Store(), lambda *_: None)
        for number in range(10):
            progress.ack(Ack("device", "user", f"c{number}", 1, None))
            progress.read(Mark(f"c{number}", "user", "device", 1))
        progress.ack(Ack("device", "user", "c0", 2, None))
        self.assertEqual(progress.waiting, 3)

    def test_marks_of_a_former_history_are_not_written_into_the_new_one(self) -> None:
        # A place that was acknowledged before may hold another message now, which has not been seen.
        store = Store()
        progress = Progress(Clock(), store, lambda *_: None)
        progress.ack(Ack("device", "user", "c", 45, None))
        writing = ensureDeferred(progress.flush())
        progress.ack(Ack("device", "user", "c", 46, None))
        progress.forget()
        store.asked[-1].errback(unavailable("A standby of the database has taken over."))
        self.successResultOf(writing)
        self.assertEqual((progress.waiting, len(store.asked)), (0, 1))
