"""A conversation, as an application holds it: a snapshot of what is known, and what can be done in it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING, Literal, Self
from uuid import uuid4

from messenger.client.e2e import (
    MAX_PAYLOAD,
    ConversationMetadata,
    FileBody,
    MetadataKey,
    Text,
    seal_conversation_metadata,
)
from messenger.client.e2e.bodies import encode_body
from messenger.client.engine import controls
from messenger.client.engine.changes import LEFT
from messenger.client.engine.files import Progress
from messenger.client.engine.receiving import Batch
from messenger.client.engine.vault import Shelf
from messenger.client.errors import (
    ConversationHasEnded,
    MessageTooLarge,
    NotApproved,
    NotFound,
    QueueFull,
    UnknownConversation,
)
from messenger.client.records import Member, Message, Person
from messenger.client.store.conversations import Row
from messenger.wire import frames
from messenger.wire.codec import Uuid
from messenger.wire.times import rfc3339

if TYPE_CHECKING:
    from messenger.client.client import Client

_ROOM = 1_024  # bytes of a payload besides its text


class Conversation:
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

    def __init__(self, client: "Client", row: Row, shelf: Shelf) -> None:
        self._client = client
        self._read(row, shelf)

    def __repr__(self) -> str:
        return f"<Conversation {self.id} {self.title!r}>"

    def _read(self, row: Row, shelf: Shelf) -> None:
        self.id = row.conversation_id
        self.type = "direct" if row.type == "direct" else "group"
        self.title = row.title or f"{row.type} {row.conversation_id[-8:]}"
        self.role, self.updated_at, self.read_seq = row.role, row.updated_at, row.read_seq
        self.ended = bool(row.ended)
        self.unread = shelf.messages.unread(row.conversation_id, row.read_seq)
        latest = shelf.messages.history(row.conversation_id, 1, None)
        self.last_message = latest[-1] if latest else None
        self.peer = None
        self.verified = False
        if row.peer_id is not None:
            self.peer = Person(user_id=row.peer_id, username=shelf.conversations.name(row.peer_id))
            self.verified = shelf.known(row.peer_id).verified
        others = [
            one for one in shelf.conversations.members(row.conversation_id) if one.user_id != shelf.user_id
        ]
        self.peer_delivered_seq = min((one.delivered_seq for one in others), default=0)
        self.peer_read_seq = min((one.read_seq for one in others), default=0)

    async def refresh(self) -> Self:
        """Read again what is known. UnknownConversation."""

        def read(shelf: Shelf) -> None:
            row = shelf.conversations.get(self.id)
            if row is None:
                raise UnknownConversation()
            self._read(row, shelf)

        await self._client.engine.vault.run(read)
        return self

    # messages

    async def send(self, text: str, *, reply_to: str | None = None) -> Message:
        """Send a text; the message, once the server has it. A call that is cancelled leaves it queued.

        Raises MessageTooLarge, QueueFull, ConversationHasEnded, NotApproved, SendingFailed, SessionExpired.
        """
        return await self._client.settled(await self.enqueue(text, reply_to=reply_to))

    async def enqueue(self, text: str, *, reply_to: str | None = None) -> Message:
        """Write a text down to be sent when that is possible; it is safe once this returns.

        Raises MessageTooLarge, QueueFull, ConversationHasEnded, NotApproved.
        """
        if len(text.encode()) > MAX_PAYLOAD - _ROOM:
            raise MessageTooLarge(f"A message has at most {MAX_PAYLOAD - _ROOM:,} bytes.")

        def put(shelf: Shelf) -> Message:
            answered = None if reply_to is None else shelf.messages.get(int(reply_to))
            return self._put(shelf, Text(text=text, reply_to=answered.client_id if answered else None))

        return await self._queue(put)

    async def send_file(
        self,
        path: str | Path,
        *,
        text: str = "",
        name: str | None = None,
        media_type: str | None = None,
        progress: Progress | None = None,
    ) -> Message:
        """Encrypt and upload a file in constant memory, then send the message that holds its key.

        `progress` is called with bytes done and bytes in all. Raises as `send` does; FileTooLarge, OSError.
        """
        await self._check_open()
        reference = await self._client.transfers.send(
            self.id, Path(path), name=name, media_type=media_type, progress=progress
        )

        def put(shelf: Shelf) -> Message:
            return self._put(shelf, FileBody(file=reference, text=text))

        return await self._client.settled(await self._queue(put))

    async def _check_open(self) -> None:
        def check(shelf: Shelf) -> None:
            row = shelf.conversations.get(self.id)
            if row is None or row.ended:
                raise ConversationHasEnded()

        if not self._client.engine.approved:
            raise NotApproved()
        await self._client.engine.vault.run(check)

    def _put(self, shelf: Shelf, body: Text | FileBody) -> Message:
        if shelf.outbox.count() >= self._client.engine.settings.queue:
            raise QueueFull()
        now = time.time()
        moment = rfc3339(int(now * 1000))
        client_id = str(uuid4())
        kind = "file" if isinstance(body, FileBody) else "text"
        shelf.outbox.add(
            client_id=client_id,
            conversation_id=self.id,
            kind=kind,
            body=bytes(encode_body(body)),
            sent_at=moment,
        )
        number = shelf.messages.add(
            conversation_id=self.id,
            client_id=client_id,
            sender_id=shelf.user_id,
            sender_device_id=shelf.device_id,
            seq=None,
            kind=kind,
            text=body.text,
            file=body.file if isinstance(body, FileBody) else None,
            reply_to=body.reply_to if isinstance(body, Text) else None,
            outgoing=True,
            sent_at=moment,
            received_at=moment,
            created_at=None,
            state="queued",
        )
        shelf.conversations.touch(self.id, int(now * 1000))
        message = shelf.messages.get(number)
        assert message is not None
        return message

    async def _queue(self, put: Callable[[Shelf], Message]) -> Message:
        await self._check_open()
        message = await self._client.engine.vault.run(put)
        self._client.engine.sending.wake(self.id)
        return message

    async def history(self, limit: int = 50, before: str | None = None) -> list[Message]:
        """The latest messages that this device has, or those before one (its id), oldest first."""
        return await self._client.engine.vault.run(
            lambda shelf: shelf.messages.history(self.id, limit, None if before is None else int(before))
        )

    async def delete_message(self, message: Message) -> None:
        """Have the server take a message's content away, for everybody. NotAllowed."""
        if message.seq is None:
            raise NotFound(404, "not_found", "The message has not been sent yet.")
        await self._client.engine.api.delete_message(self.id, message.seq)
        await self._client.engine.vault.run(lambda shelf: shelf.messages.erase(int(message.id)))

    async def mark_read(self, message: Message | None = None) -> None:
        """The user has read up to this message, or everything."""

        def put(shelf: Shelf) -> int:
            row = shelf.conversations.get(self.id)
            if row is None:
                raise UnknownConversation()
            seq = message.seq if message is not None and message.seq is not None else row.place or 0
            seq = max(seq, row.read_seq)
            shelf.conversations.set(self.id, read_seq=seq)
            return seq

        self.read_seq = await self._client.engine.vault.run(put)
        self._client.say(frames.Read(conversation_id=Uuid(self.id), seq=self.read_seq))

    async def typing(self, is_typing: bool = True) -> None:
        """The user is typing, or has stopped. Lapses after 6 s; goes nowhere while there is no connection."""
        self._client.say(frames.Typing(conversation_id=Uuid(self.id), is_typing=is_typing))

    # members

    async def members(self) -> list[Member]:
        """Who is in it, as the server says now, or said last."""
        if self._client.engine.tokens.alive and not self.ended:
            await self._client.tolerant(self._client.engine.asking.members(self.id))

        def read(shelf: Shelf) -> Sequence[Member]:
            return [
                Member(
                    user_id=one.user_id,
                    username=shelf.conversations.name(one.user_id),
                    role=one.role,
                    joined_at=one.joined_at,
                    delivered_seq=one.delivered_seq,
                    read_seq=one.read_seq,
                    verified=shelf.known(one.user_id).verified,
                )
                for one in shelf.conversations.members(self.id)
            ]

        return list(await self._client.engine.vault.run(read))

    async def add(self, username: str, role: Literal["admin", "member"] = "member") -> None:
        """Add a user to the group. NotAllowed, Blocked, UnknownUser."""
        person = await self._client.user(username)
        await self._client.engine.api.add_member(self.id, person.user_id, role)
        self._client.engine.asking.forget_view(self.id)
        await self._client.tolerant(self._client.engine.asking.members(self.id))
        await self.share_title()

    async def share_title(self) -> None:
        """Give the key of the group's name to everybody."""

        def put(shelf: Shelf) -> None:
            row = shelf.conversations.get(self.id)
            if row is not None and row.metadata_key is not None:
                now = time.time()
                batch = Batch(now, rfc3339(int(now * 1000)))
                controls.queue(shelf, batch, self.id, MetadataKey(key=row.metadata_key), [])

        await self._client.engine.vault.run(put)
        self._client.engine.sending.wake(self.id)

    async def remove(self, username: str) -> None:
        """Remove a user from the group: the next message goes under keys that they don't get. NotAllowed."""
        person = await self._client.user(username)
        await self._client.engine.api.remove_member(self.id, person.user_id)
        self._client.engine.asking.forget_view(self.id)
        await self._client.tolerant(self._client.engine.asking.members(self.id))

    async def leave(self) -> None:
        """Leave the group; what was said stays here."""
        engine = self._client.engine
        await engine.api.remove_member(self.id, engine.user_id)
        await engine.vault.run(lambda shelf: shelf.conversations.set(self.id, ended=LEFT))
        self.ended = True

    async def set_role(self, username: str, role: Literal["owner", "admin", "member"]) -> None:
        """Give a member another role. NotAllowed."""
        person = await self._client.user(username)
        await self._client.engine.api.set_role(self.id, person.user_id, role)
        await self._client.tolerant(self._client.engine.asking.members(self.id))

    async def rename(self, title: str) -> None:
        """Give the group another name, under a new key. NotAllowed."""
        key = new_key()
        sealed = seal_conversation_metadata(key, ConversationMetadata(name=title))
        await self._client.engine.api.set_metadata(self.id, sealed)
        await self._client.engine.vault.run(lambda shelf: controls.retitle(shelf, self.id, sealed, key))
        self.title = title
        await self.share_title()


def new_key() -> bytes:
    """The key of a group's name."""
    return token_bytes(32)
