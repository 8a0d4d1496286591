"""Frames from the server: the durable ones are stored and then acknowledged, the others passed on.

Messages, changes and answers that come together are committed together. Before the rules see them, what they
need is asked of the server: conversations and keys that are not known, and messages in between that did not
come. Nothing is read from the socket meanwhile, so that a backlog never piles up here. If something can't be
asked now, nothing is acknowledged, and it all comes again over the next connection.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from messenger.client import events
from messenger.client.engine.asking import Asking
from messenger.client.engine.batch import Batch
from messenger.client.engine.receiving import Behind, give_up
from messenger.client.engine.run import Asked, Durable, Lacks, Taken, attempt
from messenger.client.engine.sending import Sending
from messenger.client.engine.vault import Store, Vault
from messenger.client.errors import NotFound, ServerRefused, ServerUnreachable, SessionExpired
from messenger.client.net.api import Api
from messenger.client.net.socket import ErrorFrame, ServerFrame, Socket
from messenger.wire import frames
from messenger.wire.conversations import Change, Message

log = logging.getLogger("messenger.client")

CATCH_UP_SECONDS = 10.0
LOOKED_AT = 200  # messages at the end of a conversation that is new here
PAGE = 50  # messages of a gap that are fetched and stored at a time


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
        self._looked: set[str] = set()  # conversations without a known place whose end was looked at
        self._progressed = asyncio.Event()  # set, and another one made, with each commit
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

    async def _take_run(self, socket: Socket, run: list[Durable], filled: str | None = None) -> None:
        """Take a run in by one transaction, unless something has to be asked of the server first.

        In the conversation `filled` nothing more is fetched: what is missing there is told.
        """
        asked = Asked()
        if filled is not None:
            asked.filled.add(filled)
        while run:
            batch = Batch.begin(frozenset(asked.users))
            try:
                found = await self._vault.run(partial(attempt, batch=batch, run=run, asked=asked))
            except Behind as behind:
                asked.users.add(behind.user_id)
                await self._asking.learn(behind.user_id)
                continue
            if isinstance(found, Lacks):
                await self._ask(socket, found, run, asked)
                continue
            self._committed(socket, batch, found)
            run = found.rest
            if run:
                await self._asking.learn(await self._vault.run(lambda store: store.user_id))
                asked = Asked(filled=asked.filled)

    async def _ask(self, socket: Socket, lacks: Lacks, run: list[Durable], asked: Asked) -> None:
        for conversation_id in lacks.conversations:
            asked.conversations.add(conversation_id)
            with suppress(NotFound):
                await self._asking.conversation(conversation_id)
        if lacks.users:
            asked.names.update(lacks.users)
            await self._asking.names(lacks.users)
        if lacks.senders:
            asked.senders.update(lacks.senders)
            await self._asking.learn_senders(lacks.senders)
        for conversation_id, holes in lacks.holes.items():
            asked.filled.add(conversation_id)
            await self._fill(socket, conversation_id, holes, run)

    async def _fill(self, socket: Socket, conversation_id: str, holes: list[int], run: list[Durable]) -> None:
        """Fetch what lies between what is stored and what comes now; it is stored before."""
        seqs = [
            one.seq for one in run if not isinstance(one, Change) and one.conversation_id == conversation_id
        ]
        top = max(seqs, default=holes[-1] + 1)
        while holes:
            after = holes[0] - 1
            page = await self._api.messages(conversation_id, after, PAGE)
            page = [one for one in page if one.conversation_id == conversation_id and after < one.seq < top]
            last = max((one.seq for one in page), default=holes[-1])
            # What came with a lower seq goes before; when its turn comes again it is no news.
            here = [one for one in run if isinstance(one, Message) and one.seq < last]
            here = [one for one in here if one.conversation_id == conversation_id]
            merged: list[Durable] = [*(one for one in page if one.seq in holes), *here]
            merged.sort(key=lambda one: one.seq if isinstance(one, Message) else 0)
            await self._take_run(socket, merged, conversation_id)
            holes = [seq for seq in holes if seq > last]

    def _committed(self, socket: Socket, batch: Batch, taken: Taken) -> None:
        for frame in taken.frames:
            if isinstance(frame, frames.SentFrame):
                self._sending.answered(frame)
        for conversation_id, seq in batch.acks.items():
            socket.say(frames.Ack(conversation_id=conversation_id, seq=seq))  # type: ignore[arg-type]
        for conversation_id, change in taken.changes.items():
            socket.say(frames.Ack(conversation_id=conversation_id, change=change))  # type: ignore[arg-type]
            self._asking.forget_view(conversation_id)
        for conversation_id in batch.wake:
            self._sending.wake(conversation_id)
        if batch.approved:
            self.on_approved()
        progressed, self._progressed = self._progressed, asyncio.Event()
        progressed.set()

    async def fetch(self, socket: Socket, conversation_id: str, last_seq: int) -> None:
        """Fetch what is missing up to a place, the last one of the conversation as the server says."""
        holes = await self._vault.run(lambda store: missing(store, conversation_id, last_seq))
        if not holes and last_seq and conversation_id not in self._looked:
            self._looked.add(conversation_id)
            holes = await self._unknown(conversation_id, last_seq)
        if holes:
            await self._fill(socket, conversation_id, holes, [])

    async def give_up(self) -> None:
        """Tell what nobody has sent again for a day, and judge what has waited for it."""
        asked: set[str] = set()
        while True:
            batch = Batch.begin(frozenset(asked))
            try:
                await self._vault.run(lambda store, b=batch: give_up(store, b))  # type: ignore[misc]
            except Behind as behind:
                asked.add(behind.user_id)
                try:
                    await self._asking.learn(behind.user_id)
                except (ServerUnreachable, ServerRefused, SessionExpired) as error:
                    log.debug("messages that wait can't be judged now: %s", error)
                    return
                continue
            for conversation_id in batch.wake:
                self._sending.wake(conversation_id)
            return

    async def _unknown(self, conversation_id: str, last_seq: int) -> list[int]:
        """The last places of a conversation of which this profile knows none, where they hold messages of
        this very device: then it was restored from a copy that is older than the conversation."""
        own, row = await self._vault.run(
            lambda store: (store.device_id, store.conversations.get(conversation_id))
        )
        if row is None or row.place is not None or row.ended:
            return []
        page = await self._api.messages(conversation_id, max(0, last_seq - LOOKED_AT), LOOKED_AT)
        seqs = [one.seq for one in page if one.sender_device_id == own and one.seq <= last_seq]
        return list(range(min(seqs), last_seq + 1)) if seqs else []

    async def reached(self, conversation_id: str, seq: int) -> None:
        """Return once this place of a conversation is here, or after ten seconds: it may be held back."""
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while True:
                    progressed = self._progressed
                    row = await self._vault.run(lambda store: store.conversations.get(conversation_id))
                    if row is None or row.place is None or row.place >= seq:
                        return
                    await progressed.wait()
        except TimeoutError:
            log.debug("place %d of conversation %s has not come", seq, conversation_id)

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
        def put(store: Store) -> tuple[bool, str]:
            news = store.conversations.receipt(frame.conversation_id, frame.user_id, frame.kind, frame.seq)
            row = store.conversations.get(frame.conversation_id)
            if row is not None and frame.kind == "read" and frame.user_id == store.user_id:
                store.conversations.set(frame.conversation_id, read_seq=max(row.read_seq, frame.seq))
            return news, store.conversations.name(frame.user_id)

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
            lambda store: store.conversations.with_member(frame.user_id)
        ):
            self._asking.forget_view(conversation_id)
        self._asking.stale(frame.user_id)
        await self._asking.learn(frame.user_id)

    async def _name(self, user_id: str) -> str:
        await self._asking.names([user_id])
        return await self._vault.run(lambda store: store.conversations.name(user_id))


def missing(store: Store, conversation_id: str, last_seq: int) -> list[int]:
    """The places of a conversation that are not known, or are in doubt, up to the one that the server says is
    its last."""
    row = store.conversations.get(conversation_id)
    if row is None or row.place is None or row.ended:
        return []
    doubted = store.history.doubted(conversation_id, min(row.place, last_seq))
    if row.place >= last_seq:
        return doubted
    return doubted + store.conversations.holes(conversation_id, row.place, last_seq + 1)
