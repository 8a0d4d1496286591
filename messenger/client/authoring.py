"""What the user says in a conversation, and says of it later: texts, files, edits, deletions, timers."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from messenger.client.e2e import MAX_PAYLOAD, Delete, Edit, FileBody, Text, Timer
from messenger.client.e2e.bodies import Known, MessageReference, encode_body
from messenger.client.engine import rosters
from messenger.client.engine.batch import Batch
from messenger.client.engine.files import Progress
from messenger.client.engine.queueing import queue
from messenger.client.engine.vault import Store
from messenger.client.errors import (
    ConversationHasEnded,
    MembershipRefused,
    MessageTooLarge,
    NotApproved,
    NotFound,
    NotYours,
    QueueFull,
    ServerRefused,
    UnknownConversation,
)
from messenger.client.records import Message
from messenger.client.store.conversations import Row
from messenger.wire.times import rfc3339

if TYPE_CHECKING:
    from messenger.client.client import Client

_ROOM = 1_024  # bytes of a payload besides its text
LONGEST_TIMER = 31_536_000  # seconds


class Authoring:
    """The part of `Conversation` in which something is said."""

    id: str
    _client: "Client"

    async def send(self, text: str, *, reply_to: str | None = None) -> Message:
        """Send a text; the message, once the server has it. A call that is cancelled leaves it queued.

        In a group whose roster this device has not got yet the message waits for that. Raises
        MessageTooLarge, QueueFull, ConversationHasEnded, NotApproved, SendingFailed, SessionExpired.
        """
        return await self._client.settled(await self.enqueue(text, reply_to=reply_to))

    async def enqueue(self, text: str, *, reply_to: str | None = None) -> Message:
        """Write a text down to be sent when that is possible; it is safe once this returns.

        Raises MessageTooLarge, QueueFull, ConversationHasEnded, NotApproved.
        """
        _check_length(text)

        def put(store: Store) -> Message:
            answered = None if reply_to is None else store.messages.get(int(reply_to))
            reply = None
            if answered is not None:
                reply = MessageReference(device_id=answered.sender_device_id, client_id=answered.client_id)
            return self._put(store, Text(text=text, reply_to=reply), reply)

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

        def put(store: Store) -> Message:
            return self._put(store, FileBody(file=reference, text=text))

        return await self._client.settled(await self._queue(put))

    async def _check_open(self) -> None:
        def check(store: Store) -> None:
            row = store.conversations.get(self.id)
            if row is None or row.ended:
                raise ConversationHasEnded()

        if not self._client.engine.approved:
            raise NotApproved()
        await self._client.engine.vault.run(check)

    def _put(self, store: Store, body: Text | FileBody, reply: MessageReference | None = None) -> Message:
        if store.outbox.count() >= self._client.engine.settings.queue:
            raise QueueFull()
        row = store.conversations.get(self.id)
        if row is None:
            raise UnknownConversation()
        now = time.time()
        moment = rfc3339(int(now * 1000))
        client_id = str(uuid4())
        kind = "file" if isinstance(body, FileBody) else "text"
        store.outbox.add(
            client_id=client_id,
            conversation_id=self.id,
            kind=kind,
            body=bytes(encode_body(body)),
            sent_at=moment,
        )
        number = store.messages.add(
            conversation_id=self.id,
            client_id=client_id,
            sender_id=store.user_id,
            sender_device_id=store.device_id,
            seq=None,
            kind=kind,
            text=body.text,
            file=body.file if isinstance(body, FileBody) else None,
            reply_to=None if reply is None else reply.client_id,
            outgoing=True,
            sent_at=moment,
            received_at=moment,
            created_at=None,
            state="queued",
            expires_in=row.expires_in,
            expires_at=None if row.expires_in is None else rfc3339(int((now + row.expires_in) * 1000)),
        )
        store.conversations.touch(self.id, int(now * 1000))
        message = store.messages.get(number)
        assert message is not None
        return message

    async def _queue(self, put: Callable[[Store], Message]) -> Message:
        await self._check_open()
        message = await self._client.engine.vault.run(put)
        self._client.engine.sending.wake(self.id)
        return message

    # later

    async def edit_message(self, message: Message, text: str) -> Message:
        """Give an own message another text, for everybody. NotYours, MessageTooLarge."""
        _check_length(text)
        if not message.outgoing or message.state == "deleted":
            raise NotYours("Only a message of your own can be edited.")

        def put(store: Store) -> Edit:
            # Above every edit that others have placed so far, and below those to come.
            row = store.conversations.get(self.id)
            above = 1 if row is None or row.place is None else row.place + 1
            store.messages.edit(int(message.id), text, above)
            return Edit(message=_reference(message), text=text)

        await self._say(put)
        found = await self._client.engine.vault.run(lambda store: store.messages.get(int(message.id)))
        return found or message

    async def delete_message(self, message: Message) -> None:
        """Take a message away, for everybody: an own one, or in a group anybody's by its owner or admins.

        Others' devices go by this user's word; then the server is asked to delete its ciphertext. NotYours.
        """
        if message.seq is None:
            raise NotFound(404, "not_found", "The message has not been sent yet.")
        engine = self._client.engine

        def put(store: Store) -> Delete:
            row = store.conversations.get(self.id)
            if not message.outgoing and not (row is not None and _leads(store, row)):
                raise NotYours("Only its author, or who leads the group, can delete a message.")
            store.messages.erase(int(message.id))
            if message.sender_device_id == store.device_id:
                store.forget_sent(message.client_id, edited=message.edited)
            return Delete(message=_reference(message))

        await self._say(put)
        try:
            await engine.api.delete_message(self.id, message.seq)
        except ServerRefused:
            # Another device of one's own may not, by the server's rules; those who read have it taken away.
            if message.sender_device_id == engine.device_id:
                raise

    async def set_timer(self, expires_in: int | None) -> None:
        """How many seconds later messages are kept, 1 to 31,536,000 (a year); None for ever. ValueError.

        In a group by its owner or admins: MembershipRefused.
        """
        if expires_in is not None and not 1 <= expires_in <= LONGEST_TIMER:
            raise ValueError("A timer has 1 to 31,536,000 seconds.")

        def put(store: Store) -> Timer:
            row = store.conversations.get(self.id)
            if row is None:
                raise UnknownConversation()
            if row.type == "group" and not _leads(store, row):
                raise MembershipRefused("Only who leads the group sets how long messages are kept.")
            store.conversations.set(self.id, expires_in=expires_in)
            return Timer(expires_in=expires_in)

        await self._say(put)

    async def _say(self, put: Callable[[Store], Known]) -> None:
        """Write down a control message for everybody, and return once the server has it."""
        await self._check_open()
        client_id = await self._client.engine.vault.run(
            lambda store: queue(store, Batch.begin(), self.id, put(store))
        )
        self._client.engine.sending.wake(self.id)
        await self._client.engine.taken(client_id)


def _leads(store: Store, row: Row) -> bool:
    """Whether this user is owner or admin of a group."""
    return row.type == "group" and rosters.leads(store, row, store.user_id, row.place or 0)


def _check_length(text: str) -> None:
    if len(text.encode()) > MAX_PAYLOAD - _ROOM:
        raise MessageTooLarge(f"A message has at most {MAX_PAYLOAD - _ROOM:,} bytes.")


def _reference(message: Message) -> MessageReference:
    return MessageReference(device_id=message.sender_device_id, client_id=message.client_id)
