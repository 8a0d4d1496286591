"""Durable events that the application has not taken yet, numbered by position.

Events of messages hold the message's id only, so that a text lies in one place; they are put together when
they are read. What was taken is kept for a while, for applications that keep their own position.
"""

from msgspec.structs import replace

from messenger.client import events
from messenger.client.store.account import Account
from messenger.client.store.database import Database
from messenger.client.store.messages import Messages

TAKEN_KEPT = 10_000  # events behind the application's position
_HANDLED = "handled_position"
_ABOUT_MESSAGES = (events.MessageReceived, events.MessageSent, events.MessageEdited, events.SendFailed)


class Journal:
    """The table `journal`."""

    def __init__(self, database: Database, account: Account, messages: Messages) -> None:
        self._database = database
        self._account = account
        self._messages = messages

    def add(self, event: events.Durable) -> int:
        """One more event; its position."""
        message_id = None
        if isinstance(event, _ABOUT_MESSAGES):
            message_id = int(event.message.id)
            event = replace(event, message=replace(event.message, text="", file=None))
        return self._database.insert(
            "insert into journal (message_id, body) values (?, ?)", message_id, events.encode(event)
        )

    def after(self, position: int, limit: int) -> list[events.Durable]:
        """The events behind a position."""
        found = []
        for number, message_id, body in self._database.all(
            "select position, message_id, body from journal where position > ? order by position limit ?",
            position,
            limit,
        ):
            event = replace(events.decode(bytes(body)), position=number)
            if isinstance(event, _ABOUT_MESSAGES):
                message = self._messages.get(message_id)
                if message is not None:
                    event = replace(event, message=message)
            found.append(event)
        return found

    @property
    def handled(self) -> int:
        """How far the application has come."""
        return int(self._account.get(_HANDLED) or 0)

    def set_handled(self, position: int) -> None:
        """The application has come this far; what lies far behind is dropped."""
        self._account.set(_HANDLED, str(position))
        self._database.run("delete from journal where position <= ?", position - TAKEN_KEPT)
