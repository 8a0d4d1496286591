"""All parts of a running client, put together."""

import asyncio
import logging
from collections.abc import Coroutine

import msgspec

from messenger.client import events
from messenger.client.engine import sealing
from messenger.client.engine.asking import Asking
from messenger.client.engine.connection import Connection
from messenger.client.engine.controls import approved
from messenger.client.engine.feed import Feed
from messenger.client.engine.inbox import Inbox
from messenger.client.engine.publishing import Publishing
from messenger.client.engine.sending import Sending
from messenger.client.engine.vault import Settled, Shelf, Vault
from messenger.client.errors import (
    ClientError,
    SendingFailed,
    ServerRefused,
    ServerUnreachable,
    SessionExpired,
)
from messenger.client.net.api import Api
from messenger.client.net.http import Http
from messenger.client.net.socket import Socket
from messenger.client.net.tokens import SessionTokens, Tokens
from messenger.client.records import Message
from messenger.client.settings import Settings

log = logging.getLogger("messenger.client")

OVER = ("session_ended", "taken_over", "removed")
EXPIRE_EVERY = 60.0  # seconds between two looks for expired messages
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
            serve=self.inbox.take,  # type: ignore[arg-type]
            up=self._up,
            down=self._down,
            tell=self._tell_state,
            ended=self._ended,
            identity=lambda: (self.user_id, self.device_id),
        )
        self.inbox.on_prekeys = self._keys_wanted.set
        self.inbox.on_approved = self.now_approved
        self.inbox.on_synced = self._synced.set
        self.inbox.on_token = self.connection.token_answered
        self.sending.on_dead = self._lane_failed
        self._waiters: dict[str, asyncio.Future[None]] = {}
        vault.on_settled = self._settled

    @classmethod
    async def make(cls, vault: Vault, http: Http, settings: Settings) -> "Engine":
        """The engine of an open profile."""

        def read(shelf: Shelf) -> tuple[tuple[str, str, str], Tokens | None, bool]:
            raw = shelf.account.raw("tokens")
            tokens = None if raw is None else msgspec.json.decode(raw, type=Tokens)
            server = shelf.account.get("server") or ""
            return (server, shelf.user_id, shelf.device_id), tokens, approved(shelf)

        async def remember(tokens: Tokens | None) -> None:
            raw = None if tokens is None else msgspec.json.encode(tokens)
            await vault.run(lambda shelf: shelf.account.set("tokens", raw))

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
        if self.failure is not None:
            raise self.failure
        waiter = self._waiters.get(message.client_id)
        if waiter is None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters[message.client_id] = waiter
            found = await self.vault.run(lambda shelf: shelf.messages.get(int(message.id)))
            if found is None or found.state != "queued":
                # It was answered before anybody waited.
                self._waiters.pop(message.client_id, None)
                if found is not None and found.state == "failed":
                    raise SendingFailed("The message was refused.")
                return
        if self.state in OVER:
            raise SessionExpired("The session has ended; the message waits for the next one.")
        await asyncio.shield(waiter)

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
        if self.approved:
            await self.asking.learn(self.user_id)
        await self.asking.all_conversations()

    def _up(self, socket: Socket) -> None:
        state: events.ConnectionState = "online" if self.approved else "waiting_for_approval"
        self._tell_state(state, "", None)
        if self.approved:
            self.sending.connected(socket)
            self._background(self.sending.resume())

    def _down(self) -> None:
        self._synced.clear()
        self.sending.disconnected()

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
            await self.vault.run(lambda shelf: shelf.tell(events.TakenOver()))
        else:
            await self.tokens.replace(None)
            await self.vault.run(lambda shelf: shelf.tell(events.SessionEnded(reason=reason)))
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
            await self.vault.run(lambda shelf: sealing.forget_sent(shelf, self.tokens.now()))

    async def _expire(self) -> None:
        """Have expired messages leave the store while nothing else happens: any transaction does it."""
        while True:
            await self.vault.run(lambda _: None)
            await asyncio.sleep(EXPIRE_EVERY)
