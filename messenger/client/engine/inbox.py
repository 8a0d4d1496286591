"""Frames from the server: the durable ones are stored and then acknowledged, the others passed on.

Messages, changes and answers that come together are committed together. Before the rules see them, what they
need is asked of the server: conversations and keys that are not known, and messages in between that did not
come. Nothing is read from the socket meanwhile, so that a backlog never piles up here. If something can't be
asked now, nothing is acknowledged, and it all comes again over the next connection.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from messenger.client import events
from messenger.client.engine import receiving, settling
from messenger.client.engine.asking import Asking
from messenger.client.engine.changes import take_change
from messenger.client.engine.receiving import Batch
from messenger.client.engine.sending import Sending
from messenger.client.engine.vault import Shelf, Vault
from messenger.client.errors import NotFound
from messenger.client.net.api import Api
from messenger.client.net.socket import ErrorFrame, ServerFrame, Socket
from messenger.wire import frames
from messenger.wire.conversations import Change, Message
from messenger.wire.times import rfc3339

PAGE = 50  # messages of a gap that are fetched and stored at a time
Durable = frames.SentFrame | frames.MessageFrame | frames.ChangeFrame | Message


class Inbox:
    """Takes frames. `tell` gets ephemeral events, `approved` is called once this device is."""

    def __init__(
        self,
        vault: Vault,
        api: Api,
        asking: Asking,
        sending: Sending,
        tell: Callable[[events.Event], None],
    ) -> None:
        self._vault = vault
        self._api = api
        self._asking = asking
        self._sending = sending
        self._tell = tell
        self.on_prekeys: Callable[[], None] = lambda: None
        self.on_approved: Callable[[], None] = lambda: None
        self.on_synced: Callable[[], None] = lambda: None
        self.on_token: Callable[[frames.TokenFrame | ErrorFrame], None] = lambda _: None

    async def take(self, socket: Socket, found: Sequence[ServerFrame]) -> None:
        """Take the frames of one WebSocket message. ServerUnreachable, ServerRefused where asking failed."""
        run: list[Durable] = []
        for frame in found:
            if isinstance(frame, frames.SentFrame | frames.MessageFrame | frames.ChangeFrame):
                run.append(frame)
                continue
            await self._take_run(socket, run)
            run = []
            await self._take_other(frame)
        await self._take_run(socket, run)

    # durable

    async def _take_run(self, socket: Socket, run: list[Durable]) -> None:
        if not run:
            return
        run = await self._known(run)
        await self._fill(socket, run)
        await self._commit(socket, run)

    async def _known(self, run: list[Durable]) -> list[Durable]:
        """The run, less what belongs to conversations that are gone for this user."""
        gone: set[str] = set()
        for conversation_id in dict.fromkeys(_conversation(one) for one in run):
            try:
                await self._asking.know([conversation_id])
            except NotFound:
                gone.add(conversation_id)
        return [one for one in run if _conversation(one) not in gone]

    async def _fill(self, socket: Socket, run: list[Durable]) -> None:
        """Fetch what lies between what is stored and what comes now; it is stored before."""
        for conversation_id, seqs in _seqs(run).items():
            holes = await self._vault.run(lambda shelf, c=conversation_id, s=seqs: _holes(shelf, c, s))  # type: ignore[misc]
            while holes:
                after = holes[0] - 1
                page = await self._api.messages(conversation_id, after, PAGE)
                page = [one for one in page if one.conversation_id == conversation_id and one.seq > after]
                page = [one for one in sorted(page, key=lambda one: one.seq) if one.seq < max(seqs)]
                last = max((one.seq for one in page), default=holes[-1])
                fetched = [one for one in page if one.seq in holes]
                # What came with a lower seq goes before; when its turn comes again it is no news.
                here = [one for one in run if isinstance(one, Message) and one.seq < last]
                here = [one for one in here if one.conversation_id == conversation_id]
                merged: list[Message] = [*fetched, *here]
                merged.sort(key=lambda one: one.seq)
                await self._commit(socket, merged)
                holes = [seq for seq in holes if seq > last]

    async def _commit(self, socket: Socket, run: Sequence[Durable]) -> None:
        messages = [one for one in run if isinstance(one, Message)]
        senders = [(one.sender_id, one.sender_device_id) for one in messages if one.sender_id]
        changes = [one for one in run if isinstance(one, Change)]
        await self._asking.names([user for user, _ in senders] + _users(changes))
        own = await self._vault.run(lambda shelf: shelf.device_id)
        await self._asking.learn_senders([one for one in senders if one[1] != own])
        now = time.time()
        batch = Batch(now, rfc3339(int(now * 1000)))
        told = await self._vault.run(lambda shelf: _store(shelf, batch, run))
        for frame in run:
            if isinstance(frame, frames.SentFrame):
                self._sending.answered(frame)
        for conversation_id, seq in batch.acks.items():
            socket.say(frames.Ack(conversation_id=conversation_id, seq=seq))  # type: ignore[arg-type]
        for conversation_id, change in told.items():
            socket.say(frames.Ack(conversation_id=conversation_id, change=change))  # type: ignore[arg-type]
            self._asking.forget_view(conversation_id)
        for conversation_id in batch.wake:
            self._sending.wake(conversation_id)
        if batch.approved:
            self.on_approved()

    # the others

    async def _take_other(self, frame: ServerFrame) -> None:
        if isinstance(frame, frames.Synced):
            self.on_synced()
        elif isinstance(frame, ErrorFrame):
            self.on_token(frame)
            self._sending.answered(frame)
        elif isinstance(frame, frames.TokenFrame):
            self.on_token(frame)
        elif isinstance(frame, frames.Receipt):
            await self._take_receipt(frame)
        elif isinstance(frame, frames.TypingFrame):
            name = await self._name(frame.user_id)
            self._tell(
                events.TypingChanged(
                    conversation_id=frame.conversation_id,
                    user_id=frame.user_id,
                    username=name,
                    is_typing=frame.is_typing,
                )
            )
        elif isinstance(frame, frames.PresenceFrame):
            name = await self._name(frame.user_id)
            self._tell(
                events.PresenceChanged(
                    user_id=frame.user_id,
                    username=name,
                    status=frame.status,
                    last_seen_at=frame.last_seen_at,
                )
            )
        elif isinstance(frame, frames.DeviceFrame):
            await self._take_device(frame)
        elif isinstance(frame, frames.PrekeysFrame):
            self.on_prekeys()

    async def _take_receipt(self, frame: frames.Receipt) -> None:
        def put(shelf: Shelf) -> tuple[bool, str]:
            news = shelf.conversations.receipt(frame.conversation_id, frame.user_id, frame.kind, frame.seq)
            row = shelf.conversations.get(frame.conversation_id)
            if row is not None and frame.kind == "read" and frame.user_id == shelf.user_id:
                shelf.conversations.set(frame.conversation_id, read_seq=max(row.read_seq, frame.seq))
            return news, shelf.conversations.name(frame.user_id)

        news, name = await self._vault.run(put)
        if news:
            self._tell(
                events.ReceiptReceived(
                    conversation_id=frame.conversation_id,
                    user_id=frame.user_id,
                    username=name,
                    kind=frame.kind,
                    seq=frame.seq,
                )
            )

    async def _take_device(self, frame: frames.DeviceFrame) -> None:
        for conversation_id in await self._vault.run(
            lambda shelf: shelf.conversations.with_member(frame.user_id)
        ):
            self._asking.forget_view(conversation_id)
        await self._asking.learn(frame.user_id)

    async def _name(self, user_id: str) -> str:
        await self._asking.names([user_id])
        return await self._vault.run(lambda shelf: shelf.conversations.name(user_id))


def _store(shelf: Shelf, batch: Batch, run: Sequence[Durable]) -> dict[str, int]:
    """Take a run in; how far the changes of each conversation have come."""
    told: dict[str, int] = {}
    # Answers first: an own message's place is no hole for what comes after it.
    for one in sorted(run, key=lambda one: not isinstance(one, frames.SentFrame)):
        if isinstance(one, Message):
            receiving.take_message(shelf, batch, one)
        elif isinstance(one, frames.ChangeFrame):
            take_change(shelf, one.conversation_id, one)
            told[one.conversation_id] = max(one.change, told.get(one.conversation_id, 0))
        else:
            queued = shelf.outbox.get(one.ref)
            if queued is not None and queued.conversation_id == one.conversation_id and queued.attempts:
                settling.settle(shelf, queued, one.seq, one.created_at)
    return told


def _conversation(one: Durable) -> str:
    return one.conversation_id


def _seqs(run: Iterable[Durable]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one in run:
        if isinstance(one, Message):
            found.setdefault(one.conversation_id, []).append(one.seq)
    for one in run:
        if isinstance(one, frames.SentFrame) and one.conversation_id in found:
            seqs = found[one.conversation_id]
            if one.seq < max(seqs):
                seqs.append(one.seq)
    return found


def _holes(shelf: Shelf, conversation_id: str, seqs: list[int]) -> list[int]:
    row = shelf.conversations.get(conversation_id)
    if row is None or row.place is None:
        return []
    here = set(seqs)
    return [
        seq for seq in shelf.conversations.holes(conversation_id, row.place, max(seqs)) if seq not in here
    ]


def _users(changes: Iterable[Change]) -> list[str]:
    found = []
    for one in changes:
        found += [user for user in (one.actor_id, one.user_id) if isinstance(user, str)]
    return found
