"""All parts of a running client, put together."""

import asyncio
import logging
from collections.abc import Coroutine

import msgspec

from messenger.client import events
from messenger.client.e2e.account import own_conversation_id
from messenger.client.engine import history, membership, rosters, sealing
from messenger.client.engine.approval import approved
from messenger.client.engine.asking import Asking
from messenger.client.engine.batch import Batch
from messenger.client.engine.connection import Connection
from messenger.client.engine.feed import Feed
from messenger.client.engine.inbox import Inbox
from messenger.client.engine.publishing import Publishing
from messenger.client.engine.sending import Sending
from messenger.client.engine.vault import Settled, Store, Vault
from messenger.client.errors import (
    ClientError,
    SendingFailed,
    ServerRefused,
    ServerUnreachable,
    SessionExpired,
)
from messenger.client.net.api import Api, Open
from messenger.client.net.http import Http
from messenger.client.net.socket import Socket
from messenger.client.net.tokens import SessionTokens, Tokens
from messenger.client.records import Message
from messenger.client.settings import Settings
from messenger.wire import frames

log = logging.getLogger("messenger.client")

OVER = ("session_ended", "taken_over", "removed")
EXPIRE_EVERY = 60.0  # seconds between two looks for expired messages
RECONNECT_SPREAD = 10.0  # until the server has said
LONGEST_SPREAD = 3_600.0
KEYS_EVERY = 6 * 3_600.0  # seconds between two looks at the own keys


class Engine:
    """One device, at work."""

    def __init__(
        self, vault: Vault, http: Http, tokens: SessionTokens, settings: Settings, facts: tuple[str, str, str]
    ) -> None:
        self.vault = vault
        self.http = http
        self.tokens = tokens
        self.settings = settings
        self.server, self.user_id, self.device_id = facts
        self.api = Api(http, tokens)
        self.feed = Feed(vault, settings.ephemeral)
        self.asking = Asking(vault, self.api, settings)
        self.sending = Sending(vault, self.api, self.asking, settings.first_retry, settings.last_retry)
        self.inbox = Inbox(vault, self.api, self.asking, self.sending, self.feed.tell)
        self.publishing = Publishing(vault, self.api)
        self.state: events.ConnectionState = "offline"
        self.detail = ""
        self.approved = False
        self._synced = asyncio.Event()
        self._answered = asyncio.Event()  # the first try to connect has come to something
        self._keys_wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._backgrounds: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None
        self.connection = Connection(
            self.server,
            tokens,
            first_retry=settings.first_retry,
            last_retry=settings.last_retry,
            timeout=settings.request_timeout,
            prepare=self._prepare,
            greeted=self._greeted,
            serve=self.inbox.take,  # type: ignore[arg-type]
            up=self._up,
            down=self._down,
            tell=self._tell_state,
            ended=self._ended,
            identity=lambda: (self.user_id, self.device_id),
            spread=lambda: RECONNECT_SPREAD if self._spread is None else self._spread,
        )
        self.inbox.on_prekeys = self._keys_wanted.set
        self.inbox.on_approved = self.now_approved
        self.inbox.on_synced = lambda: self._background(self._catch_up())
        self.inbox.on_token = self.connection.token_answered
        self.sending.on_dead = self._lane_failed
        self.sending.reached = self.inbox.reached
        self._spread: float | None = None  # over how many seconds those who are sent away come back
        self._heads: dict[str, int] = {}  # the last place of each conversation, as the server said
        self._ready: Socket | None = None  # the connection whose backlog is through
        self._waiters: dict[str, asyncio.Future[None]] = {}
        vault.on_settled = self._settled

    @classmethod
    async def make(cls, vault: Vault, http: Http, settings: Settings) -> "Engine":
        """The engine of an open profile."""

        def read(store: Store) -> tuple[tuple[str, str, str], Tokens | None, bool]:
            membership.freeze_legacy(store)
            raw = store.account.raw("tokens")
            tokens = None if raw is None else msgspec.json.decode(raw, type=Tokens)
            server = store.account.get("server") or ""
            return (server, store.user_id, store.device_id), tokens, approved(store)

        async def remember(tokens: Tokens | None) -> None:
            raw = None if tokens is None else msgspec.json.encode(tokens)
            await vault.run(lambda store: store.account.set("tokens", raw))

        facts, tokens, is_approved = await vault.run(read)
        engine = cls(vault, http, SessionTokens(http, tokens, remember), settings, facts)
        engine.approved = is_approved
        return engine

    # running

    @property
    def running(self) -> bool:
        """Whether it was started."""
        return bool(self._tasks)

    def start(self) -> None:
        """Connect, and stay connected."""
        if self._tasks:
            return
        loop = asyncio.get_running_loop()
        for run in (self.connection.run, self._keep_keys, self._expire):
            task = loop.create_task(run())
            task.add_done_callback(self._task_ended)
            self._tasks.append(task)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    def _lane_failed(self) -> None:
        if self.sending.failed is not None:
            self._fail(self.sending.failed)

    def _fail(self, error: BaseException) -> None:
        """A bug, or a store that can't be written: stop, and let the next call and the iterator say so."""
        log.error("the client has stopped: %r", error)
        self.failure = error
        for task in self._tasks:
            task.cancel()
        self._tell_state("offline", f"The client has stopped: {error}", None)
        self.feed.close()
        self._give_up(ClientError(f"The client has stopped: {error}"))
        self._synced.set()

    async def stop(self) -> None:
        """Disconnect; what waits to be sent stays in the store."""
        socket = self.connection.socket
        if socket is not None:
            await socket.flush()
        tasks, self._tasks = [*self._tasks, *self._backgrounds], []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.sending.stop()
        self._give_up(SendingFailed("The client was closed; the message waits.", code="closed"))
        self.state = "offline"

    async def reached(self) -> None:
        """Return once the server has answered; ServerUnreachable where the first try to connect failed."""
        await self._answered.wait()
        if self.state == "offline":
            raise ServerUnreachable(self.detail or f"{self.server} can't be reached.")

    async def synced(self) -> None:
        """Return once the backlog is through and what waited was tried."""
        await self._synced.wait()
        if self.failure is not None:
            raise self.failure
        if self.state in OVER:
            raise SessionExpired(f"The connection is over: {self.detail or self.state}.")
        await self.sending.idle()

    async def settled(self, message: Message) -> None:
        """Return once the server has an own message. SendingFailed, SessionExpired."""
        if await self.taken(message.client_id):
            return
        # It was answered before anybody waited.
        found = await self.vault.run(lambda store: store.messages.get(int(message.id)))
        if found is not None and found.state == "failed":
            raise SendingFailed("The message was refused.")

    async def taken(self, client_id: str) -> bool:
        """Return once the server has answered for what was queued under this client_id; False where nothing
        is. SendingFailed, SessionExpired."""
        if self.failure is not None:
            raise self.failure
        waiter = self._waiters.get(client_id)
        if waiter is None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters[client_id] = waiter
            if await self.vault.run(lambda store: store.outbox.get(client_id)) is None and not waiter.done():
                self._waiters.pop(client_id, None)
                return False
        if self.state in OVER:
            raise SessionExpired("The session has ended; the message waits for the next one.")
        await asyncio.shield(waiter)
        return True

    def _settled(self, settled: Settled) -> None:
        waiter = self._waiters.pop(settled.client_id, None)
        if waiter is None or waiter.done():
            return
        if settled.code is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(SendingFailed(settled.detail, code=settled.code))

    def _give_up(self, error: ClientError) -> None:
        """Nobody waits for answers any more; what is queued stays queued."""
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters.values():
            if not waiter.done():
                waiter.set_exception(error)
                waiter.exception()  # seen, though nobody may be waiting

    # the connection

    async def _prepare(self) -> None:
        """Before each connection: own keys published, conversations known, devices asked for anew."""
        self.asking.forget_views()
        await self.asking.names([self.user_id])
        await self.publishing.refresh()
        await self.own_conversation()
        if self.approved:
            await self.asking.learn(self.user_id)
        self._heads = await self.asking.all_conversations()
        if self.approved:
            await self._take_over_groups()

    async def _greeted(self, hello: frames.Hello) -> None:
        """Where the server's database has another history than was seen last, begin that."""
        now = self.tokens.now()
        if await self.vault.run(lambda store: history.is_known(store, hello.epoch, now)):
            return
        # Asked anew: what was asked before the connection may have been of the former history.
        ends = {
            one.conversation_id: history.End(one.last_seq, one.last_change)
            for one in await self.api.conversations()
            if one.ended_at is None
        }
        await self.vault.run(lambda store: history.begin(store, hello.epoch, ends, now))
        self._heads = {name: end.seq for name, end in ends.items()}
        self.asking.forget_views()

    async def _take_over_groups(self) -> None:
        """Make the rosters of this user's groups from before rosters."""
        for conversation_id, user_ids in await self.vault.run(membership.to_take_over):
            await self.asking.ensure_fresh(user_ids)
            batch = Batch.begin()
            await self.vault.run(
                lambda store, c=conversation_id, b=batch: membership.take_over(store, b, c)  # type: ignore[misc]
            )

    async def own_conversation(self) -> str:
        """The conversation in which one's own devices speak to each other: one for all of them, made once.

        Whatever the server makes of it, only one's own listed devices are encrypted to in it.
        """
        known = await self.vault.run(lambda store: store.account.get("own_conversation"))
        if known is not None:
            return known
        said = await self.api.create_conversation("group", [], None, own_conversation_id(self.user_id))
        await self.asking.take(said, own=True)
        await self.vault.run(lambda store: store.account.set("own_conversation", said.conversation_id))
        return said.conversation_id

    def _up(self, socket: Socket) -> None:
        state: events.ConnectionState = "online" if self.approved else "waiting_for_approval"
        self._tell_state(state, "", None)
        if self._spread is None:
            self._background(self._learn_spread())
        if self.approved and self._ready is socket:
            self.sending.connected(socket)
            self._background(self.sending.resume())

    def _down(self) -> None:
        self._synced.clear()
        self._ready = None
        self.sending.disconnected()

    async def _learn_spread(self) -> None:
        """Ask, once, what is asked of those who are sent away together."""
        try:
            said = (await Open(self.http).info()).reconnect_spread
        except (ServerUnreachable, ServerRefused) as error:
            log.debug("the server does not say what it asks of those whom it sends away: %s", error)
            return
        self._spread = min(max(0.0, float(said)), LONGEST_SPREAD)

    async def _catch_up(self) -> None:
        """The backlog is through: fetch what was acknowledged before and is not here, and let what waits go.

        Only now it is known whether this profile is an older copy, which must not write under its old keys.
        """
        socket = self.connection.socket
        if socket is None:
            return
        try:
            for conversation_id, last_seq in self._heads.items():
                try:
                    await self.inbox.fetch(socket, conversation_id, last_seq)
                except ServerRefused as error:
                    log.debug("the end of conversation %s can't be had: %s", conversation_id, error)
        except (ServerUnreachable, SessionExpired) as error:
            log.debug("the last messages could not be fetched: %s", error)
            socket.drop()
            return
        if self.connection.socket is not socket:
            return
        self._ready = socket
        if self.approved:
            self.sending.connected(socket)
            await self.sending.resume()
        self._synced.set()

    def now_approved(self) -> None:
        """This device has its account key."""
        self.approved = True
        if self.connection.socket is not None:
            self._up(self.connection.socket)
        self._keys_wanted.set()

    def _tell_state(self, state: events.ConnectionState, detail: str, retry_in: float | None) -> None:
        self.state, self.detail = state, detail
        if state != "connecting":
            self._answered.set()
        self.feed.tell(events.StateChanged(state=state, detail=detail, retry_in=retry_in))

    async def _ended(self, reason: str) -> None:
        if reason == "taken_over":
            await self.vault.run(lambda store: store.tell(events.TakenOver()))
        else:
            await self.tokens.replace(None)
            await self.vault.run(lambda store: store.tell(events.SessionEnded(reason=reason)))
            self._tell_state("removed" if reason == "removed" else "session_ended", reason, None)
        self._give_up(SessionExpired("The session has ended; the message waits for the next one."))
        self._synced.set()

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._backgrounds.add(task)
        task.add_done_callback(self._backgrounds.discard)
        task.add_done_callback(self._task_ended)

    # the own keys

    async def _keep_keys(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._keys_wanted.wait(), KEYS_EVERY)
            except TimeoutError:
                log.debug("time to look at the own keys")
            self._keys_wanted.clear()
            try:
                await self.publishing.refresh()
            except (ServerUnreachable, ServerRefused, SessionExpired) as error:
                log.debug("the own keys could not be looked after now: %s", error)
            await self.vault.run(lambda store: sealing.forget_sent(store, self.tokens.now()))

    async def _ask_for_roster(self, conversation_id: str) -> None:
        """Messages wait for a roster that should have come with them."""
        try:
            if await self.sending.ask_for_roster(conversation_id):
                self.sending.wake(conversation_id)
        except (ServerUnreachable, ServerRefused, SessionExpired) as error:
            log.debug("the roster of %s could not be asked for now: %s", conversation_id, error)

    async def _expire(self) -> None:
        """Have expired messages leave the store while nothing else happens, as any transaction does, and tell
        of those that nobody has sent again."""
        while True:
            await self.inbox.give_up()
            for conversation_id in await self.vault.run(rosters.lacked):
                await self._ask_for_roster(conversation_id)
            if self.connection.socket is not None:
                await self.vault.run(lambda store: history.still_seen(store, self.tokens.now()))
            await asyncio.sleep(EXPIRE_EVERY)
