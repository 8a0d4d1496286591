"""What waits in the outbox goes to the server, conversation by conversation, one message of each at a time.

Only the server's answer ends a message: until then the same draft goes out again, under the same client_id,
over as many connections as it takes. `devices_changed` has the devices and their keys read again and the
message encrypted anew. A full outbox refuses more (QueueFull).
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from messenger.client.e2e import SentMessage
from messenger.client.e2e.errors import EncryptionError, PayloadTooLarge
from messenger.client.engine import directory, rosters, sealing, settling
from messenger.client.engine.asking import Asking
from messenger.client.engine.audience import users_of
from messenger.client.engine.batch import Batch
from messenger.client.engine.directory import Refusal
from messenger.client.engine.sealing import Needs, Sealed, Waits
from messenger.client.engine.vault import Settled, Store, Vault
from messenger.client.errors import (
    ClientError,
    IdentityRefused,
    RateLimited,
    ServerRefused,
    ServerUnreachable,
    SessionExpired,
)
from messenger.client.net.api import Api
from messenger.client.net.backoff import Backoff
from messenger.client.net.socket import ErrorFrame, Socket
from messenger.wire.frames import SentFrame
from messenger.wire.keys import Bundle

LANES = 16  # conversations that are served at a time
ROUNDS = 8  # of encrypting one message anew, before it is given up
ANSWER_SECONDS = 60.0  # without an answer for so long the connection is given up

Answer = SentFrame | ErrorFrame
_draft = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Gone(Exception):
    """The connection went away before the answer."""


class Sending:
    """The lanes. `send_raw` puts a frame on the connection that stands."""

    def __init__(self, vault: Vault, api: Api, asking: Asking, first_retry: float, last_retry: float) -> None:
        self._vault = vault
        self._api = api
        self._asking = asking
        self._retry = (first_retry, last_retry)
        self._socket: Socket | None = None
        self._online = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Answer]] = {}
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self.failed: Exception | None = None
        self.on_dead: Callable[[], None] = lambda: None
        # Returns once this place of the conversation is here, or some seconds have passed.
        self.reached: Callable[[str, int], Awaitable[None]] = _at_once

    # the connection

    def connected(self, socket: Socket) -> None:
        """A connection stands; everything that waits may go."""
        self._socket = socket
        self._online.set()

    def disconnected(self) -> None:
        """It is gone; what is unanswered goes out again on the next one."""
        self._socket = None
        self._online.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Gone())
        self._answers.clear()

    def answered(self, answer: Answer) -> None:
        """The server has answered a draft."""
        waiting = self._answers.pop(answer.ref or "", None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    # lanes

    async def resume(self) -> None:
        """Serve all conversations in which something waits."""
        for conversation_id in await self._vault.run(lambda store: store.outbox.conversations()):
            self.wake(conversation_id)

    def wake(self, conversation_id: str) -> None:
        """Something new waits in a conversation."""
        self._waiting[conversation_id] = None
        self._open_lanes()

    def _open_lanes(self) -> None:
        for conversation_id in list(self._waiting):
            if len(self._lanes) >= LANES:
                return
            if conversation_id not in self._lanes:
                del self._waiting[conversation_id]
                lane = asyncio.get_running_loop().create_task(self._serve(conversation_id))
                self._lanes[conversation_id] = lane
                lane.add_done_callback(partial(self._lane_ended, conversation_id))

    def _lane_ended(self, conversation_id: str, lane: asyncio.Task[None]) -> None:
        del self._lanes[conversation_id]
        self._changed.set()
        if lane.cancelled():
            return
        error = lane.exception()
        if error is not None:
            self.failed = error if isinstance(error, Exception) else None
            self.on_dead()
            return
        self._open_lanes()

    async def idle(self) -> None:
        """Return once nothing is being sent and nothing waits for a lane."""
        while self._lanes or self._waiting:
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        """Stop all lanes; what waits stays in the outbox."""
        self._waiting.clear()
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)

    async def _serve(self, conversation_id: str) -> None:  # noqa: PLR0912 - a case each
        backoff = Backoff(*self._retry)
        rounds: dict[str, int] = {}
        while True:
            await self._online.wait()
            queued = await self._vault.run(lambda store: store.outbox.first(conversation_id))
            if queued is None:
                return
            try:
                draft = await self._sealed(conversation_id, queued.client_id)
                if draft is None:
                    rounds[queued.client_id] = rounds.get(queued.client_id, 0) + 1
                    if rounds[queued.client_id] > ROUNDS:
                        await self._fail(queued.client_id, "devices_changed", "The devices keep changing.")
                    continue
                answer = await self._exchange(conversation_id, queued.client_id, draft)
            except Gone:
                continue
            except Waits:
                if not await self.ask_for_roster(conversation_id):
                    return
                continue
            except SessionExpired:
                self._online.clear()  # until somebody logs in again
                continue
            except (ServerUnreachable, RateLimited) as error:
                await self._sleep(backoff.next(getattr(error, "retry_after", 0.0)))
                continue
            except ServerRefused as error:
                if error.status >= 500 or error.status == 401:
                    await self._sleep(backoff.next())
                    continue
                await self._fail(queued.client_id, error.code, str(error))
                continue
            except (ClientError, EncryptionError) as error:
                code = "message_too_large" if isinstance(error, PayloadTooLarge) else "refused"
                await self._fail(queued.client_id, str(getattr(error, "code", code)), str(error))
                continue
            if isinstance(answer, SentFrame):
                backoff.reset()
                continue
            await self._refused(conversation_id, queued.client_id, answer, rounds, backoff)

    async def _refused(
        self,
        conversation_id: str,
        client_id: str,
        answer: ErrorFrame,
        rounds: dict[str, int],
        backoff: Backoff,
    ) -> None:
        if answer.code == "devices_changed":
            rounds[client_id] = rounds.get(client_id, 0) + 1
            if rounds[client_id] > ROUNDS:
                await self._fail(client_id, answer.code, "The devices keep changing.")
                return
            if rounds[client_id] > 1:
                await self._sleep(backoff.next())
            self._asking.forget_view(conversation_id)
            await self._vault.run(lambda store: _unseal(store, client_id))
        elif answer.code in ("rate_limited", "unavailable", "internal", "bad_gateway", "gateway_timeout"):
            await self._sleep(backoff.next(answer.retry_after or 0.0))
        else:
            await self._fail(client_id, answer.code, answer.detail)

    async def _fail(self, client_id: str, code: str, detail: str) -> None:
        def fail(store: Store) -> None:
            queued = store.outbox.get(client_id)
            if queued is not None:
                settling.fail(store, queued, code, detail, stored=queued.attempts > 1)

        await self._vault.run(fail)

    # encryption

    async def _sealed(self, conversation_id: str, client_id: str) -> bytes | None:
        """A message's draft; None where something else goes first, or nothing is to be sent. Waits."""
        asked: frozenset[str] = frozenset()
        claimed: set[str] = set()

        def read(store: Store) -> tuple[bool, bytes | None, list[str]]:
            queued = store.outbox.get(client_id)
            if queued is None:
                return False, None, []
            return True, queued.draft, _users(store, conversation_id)

        while True:
            waits, draft, users = await self._vault.run(read)
            if not waits or draft is not None:
                return draft
            view = await self._asking.view(conversation_id)
            await self._asking.ensure_fresh(users)
            batch = Batch.begin(asked)
            try:
                sealed: Sealed = await self._vault.run(
                    lambda store, view=view, batch=batch: sealing.seal(store, batch, client_id, view)  # type: ignore[misc]
                )
                return sealed.draft
            except Needs as needs:
                if needs.users:
                    await self._catch_up(conversation_id, needs.users)
                asked |= frozenset(needs.users)
                await self._claim(conversation_id, client_id, needs.devices, claimed)

    async def _catch_up(self, conversation_id: str, users: list[str]) -> None:
        """Have what the server says of these users and of the conversation's members, and what was written in
        it so far: a device that is not known may be one that was added a moment ago."""
        await self._asking.members(conversation_id)
        for user_id in users:
            await self._asking.learn(user_id)
        await self.reached(conversation_id, (await self._api.conversation(conversation_id)).last_seq)

    async def ask_for_roster(self, conversation_id: str) -> bool:
        """Ask who leads the group for its roster; False where that was done before."""
        lead = await self._vault.run(lambda store: store.conversations.leaders(conversation_id))
        await self._asking.ensure_fresh(lead)
        batch = Batch.begin()

        def ask(store: Store) -> None:
            row = store.conversations.get(conversation_id)
            if row is not None:
                rosters.ask(store, batch, row, rosters.leaders(store, row))

        await self._vault.run(ask)
        return bool(batch.wake)

    async def _claim(
        self, conversation_id: str, client_id: str, devices: list[str], claimed: set[str]
    ) -> None:
        wanted = [one for one in devices if one not in claimed]
        if devices and not wanted:
            # The server names a device whose bundle it does not give: not published any more.
            self._asking.forget_view(conversation_id)
            raise ServerUnreachable("The server gives no bundle for a device that it names.")
        for start in range(0, len(wanted), 200):
            asked = set(wanted[start : start + 200])
            bundles = [one for one in await self._api.claim(sorted(asked)) if one.device_id in asked]
            await self._look_again(bundles)
            try:
                await self._vault.run(
                    lambda store, bundles=bundles: _begin(store, bundles, client_id)  # type: ignore[misc]
                )
            except Refusal as refusal:
                await self._vault.run(lambda store, refusal=refusal: directory.tell_refusal(store, refusal))  # type: ignore[misc]
                raise IdentityRefused(str(refusal), code=refusal.code) from None
        claimed.update(wanted)

    async def _look_again(self, bundles: list[Bundle]) -> None:
        """A bundle that speaks of a newer device list than is known has its user's keys asked for again."""

        def behind(store: Store) -> set[str]:
            return {
                one.user_id
                for one in bundles
                if (one.list_version or 0) > store.known(one.user_id).list_version
            }

        for user_id in sorted(await self._vault.run(behind)):
            await self._asking.learn(user_id)

    # the exchange

    async def _exchange(self, conversation_id: str, client_id: str, draft: bytes) -> Answer:
        socket = self._socket
        if socket is None:
            raise Gone()
        await self._vault.run(lambda store: store.outbox.tried(client_id))
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[client_id] = answer
        members = {
            **_draft.decode(draft),
            "type": "send",
            "ref": client_id,
            "conversation_id": conversation_id,
        }
        if self._socket is not socket:
            self._answers.pop(client_id, None)
            raise Gone()
        socket.say_raw(msgspec.json.encode(members))
        try:
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            self._answers.pop(client_id, None)
            socket.drop()
            raise Gone() from None


async def _at_once(_conversation_id: str, _seq: int) -> None:
    """Nothing is waited for."""


def _users(store: Store, conversation_id: str) -> list[str]:
    """The users whose keys are to be known before a message is made; in a group all whom its roster names."""
    row = store.conversations.get(conversation_id)
    if row is None:
        return []
    standing = rosters.current(store, conversation_id) if row.type == "group" else None
    named = () if standing is None else standing.members
    return sorted(users_of(store, row).union(one.user_id for one in named))


def _begin(store: Store, bundles: list[Bundle], client_id: str) -> None:
    directory.begin_sessions(store, bundles)
    store.database.run("update outbox set fresh = 0 where client_id = ?", client_id)


def _unseal(store: Store, client_id: str) -> None:
    queued = store.outbox.get(client_id)
    if queued is not None and queued.again and store.states.get(SentMessage, client_id) is None:
        store.outbox.remove(client_id)  # nothing says any more what it said
        store.settled.append(Settled(client_id))
    elif queued is not None:
        store.outbox.unseal(client_id)
