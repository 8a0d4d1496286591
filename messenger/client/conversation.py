"""A conversation, as an application holds it: a snapshot of what is known, and what can be done in it."""

from typing import TYPE_CHECKING, Literal, Self

from messenger.client.authoring import Authoring
from messenger.client.engine import rosters
from messenger.client.engine.audience import users_of
from messenger.client.engine.vault import Store
from messenger.client.errors import UnknownConversation
from messenger.client.events import Event, IdentityChanged, ServerWarning
from messenger.client.group import Group
from messenger.client.records import Message, Person
from messenger.client.store.conversations import Row
from messenger.wire import frames
from messenger.wire.codec import Uuid

if TYPE_CHECKING:
    from messenger.client.client import Client

MOST_LOOKED_AT = 10_000  # events


class Conversation(Group, Authoring):
    """A direct conversation or a group. Attributes are as of when it was read; `refresh` reads again."""

    id: str
    type: Literal["direct", "group"]
    title: str
    peer: Person | None
    role: str
    unread: int
    ended: bool
    last_message: Message | None
    updated_at: str
    verified: bool
    read_seq: int
    peer_delivered_seq: int
    peer_read_seq: int
    waits_for_roster: bool

    def __init__(self, client: "Client", row: Row, store: Store) -> None:
        self._client = client
        self._read(row, store)

    def __repr__(self) -> str:
        return f"<Conversation {self.id} {self.title!r}>"

    def _read(self, row: Row, store: Store) -> None:
        self.id = row.conversation_id
        self.type = "direct" if row.type == "direct" else "group"
        self.title = row.title or f"{row.type} {row.conversation_id[-8:]}"
        self.role, self.updated_at, self.read_seq = row.role, row.updated_at, row.read_seq
        self.ended = bool(row.ended)
        self.unread = store.messages.unread(row.conversation_id, row.read_seq)
        latest = store.messages.history(row.conversation_id, 1, None)
        self.last_message = latest[-1] if latest else None
        self.peer = None
        self.verified = False
        self.waits_for_roster = False
        if row.type == "group":
            standing = rosters.current(store, row.conversation_id)
            self.waits_for_roster = standing is None
            self.role = (None if standing is None else standing.role_of(store.user_id)) or self.role
        if row.peer_id is not None:
            self.peer = Person(user_id=row.peer_id, username=store.conversations.name(row.peer_id))
            self.verified = store.known(row.peer_id).verified
        others = [
            one for one in store.conversations.members(row.conversation_id) if one.user_id != store.user_id
        ]
        self.peer_delivered_seq = min((one.delivered_seq for one in others), default=0)
        self.peer_read_seq = min((one.read_seq for one in others), default=0)

    async def refresh(self) -> Self:
        """Read again what is known. UnknownConversation."""

        def read(store: Store) -> None:
            row = store.conversations.get(self.id)
            if row is None:
                raise UnknownConversation()
            self._read(row, store)

        await self._client.engine.vault.run(read)
        return self

    # messages

    async def look(self) -> list[Event]:
        """What there is to know before anything is sent here: the members' keys are asked for anew, and what
        the rules found about this conversation or its members is given, once, as far as no application has
        handled it. The events stay unhandled. ServerUnreachable.
        """
        engine = self._client.engine

        def users(store: Store) -> set[str]:
            row = store.conversations.get(self.id)
            return set() if row is None else {*users_of(store, row)} - {store.user_id}

        about = await engine.vault.run(users)
        await engine.asking.ensure_fresh(sorted(about))

        def found(store: Store) -> list[Event]:
            looked = f"looked/{self.id}"
            position = max(store.journal.handled, int(store.account.get(looked) or 0))
            events = store.journal.after(position, MOST_LOOKED_AT)
            if events:
                store.account.set(looked, str(events[-1].position))
            return [
                one
                for one in events
                if (isinstance(one, IdentityChanged) and one.user_id in about)
                or (
                    isinstance(one, ServerWarning)
                    and (one.conversation_id == self.id or one.user_id in about)
                )
            ]

        return await engine.vault.run(found)

    async def history(self, limit: int = 50, before: str | None = None) -> list[Message]:
        """The latest messages that this device has, or those before one (its id), oldest first."""
        return await self._client.engine.vault.run(
            lambda store: store.messages.history(self.id, limit, None if before is None else int(before))
        )

    async def mark_read(self, message: Message | None = None) -> None:
        """The user has read up to this message, or everything."""

        def put(store: Store) -> int:
            row = store.conversations.get(self.id)
            if row is None:
                raise UnknownConversation()
            seq = message.seq if message is not None and message.seq is not None else row.place or 0
            seq = max(seq, row.read_seq)
            store.conversations.set(self.id, read_seq=seq)
            return seq

        self.read_seq = await self._client.engine.vault.run(put)
        self._client.say(frames.Read(conversation_id=Uuid(self.id), seq=self.read_seq))

    async def typing(self, is_typing: bool = True) -> None:
        """The user is typing, or has stopped. Lapses after 6 s; goes nowhere while there is no connection."""
        self._client.say(frames.Typing(conversation_id=Uuid(self.id), is_typing=is_typing))
