"""Starts a service with one promise broken, to show that the checker sees it.

    python -m tests.system.checker.sabotage MODE messenger-message

    outbox-off    nothing goes from the outbox to the bus, neither at once nor by the relay
    relay-off     what NATS did not take at once stays in the outbox
    early-answer  `sent` comes before the commit, which follows a moment later
    news-lost     what is published reaches nobody, and its publisher believes that it did

Only tests start this; what runs is the real service but for the one thing.
"""

import sys
from typing import Any


def outbox_off() -> None:
    """No event leaves."""
    from messenger.core.outbox import Outbox

    relay_off()
    Outbox.send_parts = lambda *_: None  # type: ignore[method-assign]


def relay_off() -> None:
    """No event is relayed."""
    from messenger.core.outbox import Outbox

    async def nothing(_: Outbox) -> None:
        return

    Outbox._relay_left_over = nothing  # type: ignore[method-assign]


def early_answer() -> None:
    """The batch's transaction is left open while its senders are answered."""
    from twisted.internet.defer import ensureDeferred
    from twisted.internet.task import deferLater

    from messenger.core.database.pool import Database
    from messenger.messages.store import messages

    honest = Database.write

    async def write(self: Database, sql: str, parameters: Any = None, *, epoch: str | None = None) -> Any:
        if sql != messages._COMMIT:
            return await honest(self, sql, parameters, epoch=epoch)
        connection = await self._lease()
        await connection.run("begin", None)
        rows, _ = await connection.run(sql, parameters)

        async def commit_later() -> None:
            try:
                await deferLater(self._reactor, 0.3, lambda: None)
                await connection.run("commit", None)
            finally:
                self._connections.leases.give_back(connection)

        ensureDeferred(commit_later()).addErrback(lambda _: None)
        return rows

    Database.write = write  # type: ignore[method-assign]


def news_lost() -> None:
    """Events are numbered and lost."""
    from messenger.core.bus.connection import Bus

    async def lose(self: Bus, subject: str, payload: bytes, event_id: str) -> None:
        del payload, event_id
        self._numbering.headers(subject)

    Bus.publish = lose  # type: ignore[method-assign]


MODES = {
    "outbox-off": outbox_off,
    "relay-off": relay_off,
    "early-answer": early_answer,
    "news-lost": news_lost,
}


def main() -> None:
    """Break the promise, then be `twist`."""
    mode = sys.argv.pop(1)
    from messenger.core.reactor import install_reactor

    install_reactor()
    MODES[mode]()
    from twisted.application.twist._twist import Twist

    Twist.main()


if __name__ == "__main__":
    main()
