"""What a client says on its WebSocket, frame by frame (the protocol is in wire/frames.py).

Frames are judged one after the other, so that messages of one socket are committed in the order in which they
were sent; while they are being committed the next ones are judged already. A client that sends faster than
that is not read from: at most `UNANSWERED` messages of a socket wait for their commit, and frames of
`UNJUDGED_BYTES` (and what one read brought beyond) to be judged.

Each `send` counts in the class `send` of its user, by this process's own count: no message waits for Redis.
One too many is answered by an `error` `rate_limited` with `retry_after`, and nothing is stored. A device that
goes on regardless has its socket closed with 4429: it may be refused `REFUSALS.count` times at once, and that
often again in each `REFUSALS.period` seconds. A new socket does not start that count afresh.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from messenger.core.identity import Authenticator, Identity
from messenger.core.limits import Limit, LocalCounts, Rate, refusal
from messenger.messages.domain.messages import Messages, Sender
from messenger.messages.live.connection import Channel
from messenger.messages.live.hub import Hub
from messenger.messages.live.news import News
from messenger.messages.model import Draft
from messenger.messages.presence import Presence
from messenger.messages.progress import Progress
from messenger.messages.store.places import Ack, Mark
from messenger.wire import frames
from messenger.wire.errors import Code, Problem
from messenger.wire.times import rfc3339

UNANSWERED = 256
UNJUDGED_BYTES = 1024 * 1024
REFUSALS = Rate.of(100, 10)

log = Logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """What all sessions of an instance share. `heartbeat` is in seconds; a `send_limit` of None is none."""

    reactor: Any
    hub: Hub
    news: News
    messages: Messages
    progress: Progress
    presence: Presence
    authenticator: Authenticator
    heartbeat: int
    send_limit: Limit | None
    refusals: LocalCounts


class ReadingChannel(Channel, Protocol):
    """A channel whose reading can be stopped for a while."""

    def pause_reading(self) -> None:
        """Take no more from the client."""

    def resume_reading(self) -> None:
        """Go on."""


class Session:
    """One socket's conversation with the service."""

    __slots__ = (
        "_channel",
        "_expiry",
        "_held",
        "_judged",
        "_judging",
        "_parts",
        "_unanswered",
        "_unjudged",
        "_waiting",
        "connection",
    )

    def __init__(self, parts: Parts, channel: ReadingChannel, identity: Identity) -> None:
        self._parts = parts
        self._channel = channel
        self._waiting: deque[bytes] = deque()
        self._unjudged = 0  # bytes of them
        self._held = False  # whether nothing is read from the client for now
        self._judging = False
        self._judged: Deferred[None] | None = None
        self._unanswered = 0
        self._expiry: Any = None
        self.connection = parts.hub.attach(channel, identity)

    @property
    def _identity(self) -> Identity:
        return self.connection.identity

    def open(self) -> None:
        """The handshake is through: greet, and send what is waiting."""
        identity = self._identity
        if self._parts.authenticator.has_ended(identity.session_id):
            # Since the handshake: nobody would tell us again.
            self.connection.close(frames.TOKEN_EXPIRED, "the session has ended")
            return
        now = int(self._parts.reactor.seconds() * 1000)
        self.connection.say(
            frames.Hello(
                user_id=identity.user_id,
                device_id=identity.device_id,
                server_time=rfc3339(now),
                heartbeat=self._parts.heartbeat,
            )
        )
        self._expire_at(identity.expires_at)
        self._parts.presence.opened(self.connection)
        ensureDeferred(self._catch_up())

    async def _catch_up(self) -> None:
        # What an older socket of this device acknowledged is not sent again.
        await self._parts.progress.flush()
        if not self.connection.closed:
            self._parts.hub.open(self.connection)

    def _expire_at(self, moment: int) -> None:
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        left = max(0.0, moment - self._parts.reactor.seconds())
        self._expiry = self._parts.reactor.callLater(left, self._expire)

    def _expire(self) -> None:
        self.connection.close(frames.TOKEN_EXPIRED, "the access token has expired")

    def closed(self) -> None:
        """The socket is gone."""
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        self._waiting.clear()
        self._tell_judged()
        self.connection.gone()
        self._parts.presence.closed(self.connection)
        ensureDeferred(self._parts.progress.flush())

    async def finish(self) -> None:
        """Return once all that arrived is judged, and what was acknowledged is written.

        The client has begun to close. Its next socket may be another instance's, which knows of an
        acknowledgement only what is written: so the close is answered after that.
        """
        if self._judging or self._waiting:
            self._judged = Deferred()
            await self._judged
        await self._parts.progress.flush()

    def _tell_judged(self) -> None:
        if self._judged is not None and not self._waiting:
            judged, self._judged = self._judged, None
            judged.callback(None)

    def receive(self, message: bytes) -> None:
        """A WebSocket text message has arrived."""
        try:
            several = frames.split(message)
            self._waiting.extend(several)
            self._unjudged += sum(map(len, several))
        except frames.NotJson:
            self.connection.close(frames.NOT_JSON, "that was no JSON")
            return
        except Problem as problem:
            self._say_no(None, problem)
        if not self._judging:
            self._judging = True
            ensureDeferred(self._judge_all())
        self._hold()

    async def _judge_all(self) -> None:
        try:
            while self._waiting and not self.connection.closed and self._unanswered < UNANSWERED:
                raw = self._waiting.popleft()
                self._unjudged -= len(raw)
                await self._judge(raw)
        finally:
            self._judging = False
            if self.connection.closed:
                self._waiting.clear()
            self._hold()
            self._tell_judged()

    def _hold(self) -> None:
        """Read from the client only while there is room for what it sends."""
        hold = bool(self._waiting) and (self._unjudged > UNJUDGED_BYTES or self._unanswered >= UNANSWERED)
        if hold != self._held:
            self._held = hold
            if hold:
                self._channel.pause_reading()
            else:
                self._channel.resume_reading()

    async def _judge(self, raw: bytes) -> None:
        try:
            frame = frames.decode(raw)
        except frames.NotJson:
            self.connection.close(frames.NOT_JSON, "that was no JSON")
            return
        except Problem as problem:
            self._say_no(frames.ref_of(raw), problem)
            return
        try:
            await self._obey(frame)
        except Problem as problem:
            self._say_no(getattr(frame, "ref", None), problem)
        except Exception:
            log.failure("a frame of type {type} failed", type=type(frame).__name__)
            self._say_no(getattr(frame, "ref", None), Problem(Code.internal))

    async def _obey(self, frame: frames.ClientFrame) -> None:
        identity = self._identity
        if isinstance(frame, frames.Send):
            await self._send(frame)
        elif isinstance(frame, frames.Ack):
            ack = Ack(identity.device_id, identity.user_id, frame.conversation_id, frame.seq, frame.change)
            self._parts.progress.ack(ack)
        elif isinstance(frame, frames.Read):
            mark = Mark(frame.conversation_id, identity.user_id, identity.device_id, frame.seq)
            self._parts.progress.read(mark)
        elif isinstance(frame, frames.Resend):
            self._parts.hub.resend(self.connection, frame.conversation_id, frame.after)
        elif isinstance(frame, frames.Typing):
            self._parts.news.typing(self.connection, frame.conversation_id, frame.is_typing)
        elif isinstance(frame, frames.Presence):
            self._parts.presence.set(self.connection, frame.status)
        else:
            await self._renew(frame)

    def _admit(self) -> bool:
        """Whether one more message may be sent; Problem `rate_limited`. False: the socket was closed."""
        limit = self._parts.send_limit
        if limit is None:
            return True
        verdict = limit.take_now(self._identity.user_id)
        if verdict.allowed:
            return True
        patient, _ = self._parts.refusals.take(
            "refusal", self._identity.device_id, REFUSALS.increment, REFUSALS.bound
        )
        if patient:
            raise refusal(verdict, "Messages are coming too fast.")
        self.connection.close(frames.TOO_FAST, "sending too fast")
        return False

    async def _send(self, frame: frames.Send) -> None:
        if not self._admit():
            return
        sender = Sender(self._identity.user_id, self._identity.device_id)
        admitted = await self._parts.messages.admit(sender, frame.conversation_id, frame)
        if isinstance(admitted, Draft):
            self._unanswered += 1
            ensureDeferred(self._commit(frame, admitted))
        else:
            self._say_sent(frame, admitted.seq, admitted.created_at)

    async def _commit(self, frame: frames.Send, draft: Draft) -> None:
        try:
            sent, _ = await self._parts.messages.commit(draft)
            self._say_sent(frame, sent.seq, sent.created_at)
        except Problem as problem:
            self._say_no(frame.ref, problem)
        except Exception:
            log.failure("a message could not be committed")
            self._say_no(frame.ref, Problem(Code.internal))
        finally:
            self._unanswered -= 1
            if self._waiting and not self._judging and self._unanswered < UNANSWERED // 2:
                self._judging = True
                ensureDeferred(self._judge_all())

    def _say_sent(self, frame: frames.Send, seq: int, created_at: str) -> None:
        self.connection.say(
            frames.SentFrame(
                ref=frame.ref, conversation_id=frame.conversation_id, seq=seq, created_at=created_at
            )
        )

    async def _renew(self, frame: frames.Token) -> None:
        fresh = await self._parts.authenticator.identify(frame.access_token)
        if fresh.session_id != self._identity.session_id:
            raise Problem(Code.unauthorized, "The token is of another session.")
        self.connection.identity = fresh
        self._expire_at(fresh.expires_at)
        left = max(0, int(fresh.expires_at - self._parts.reactor.seconds()))
        self.connection.say(frames.TokenFrame(ref=frame.ref, expires_in=left))

    def _say_no(self, ref: str | None, problem: Problem) -> None:
        frame: dict[str, Any] = {"type": "error", "ref": ref, "code": problem.code, "detail": problem.detail}
        if problem.retry_after is not None:
            frame["retry_after"] = problem.retry_after
        self.connection.say({**frame, **problem.members})
