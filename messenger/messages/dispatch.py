"""Obeys what a client says on its WebSocket, frame by frame (the protocol is in wire/frames.py).

Frames are judged one after the other, so that messages of one socket are committed in the order in which they
were sent, and so that one socket asks the database one thing at a time; while messages are being committed
the next ones are judged already, at most `UNANSWERED` of them. The socket is not read while frames of it wait
to be judged, nor for a moment after a large message: while that is looked at, others wait. After `SLICE`
frames everybody else has a turn. Each frame is charged to its user before it is obeyed (charging.py).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from messenger.core.clock import clock_of
from messenger.core.identity import Authenticator, Identity
from messenger.core.waits import pause
from messenger.messages.charging import Charges, TooFast
from messenger.messages.domain.messages import Messages, Sender
from messenger.messages.incoming import Incoming, fewest
from messenger.messages.live.connection import Channel
from messenger.messages.live.hub import Hub
from messenger.messages.live.joining import Joining
from messenger.messages.live.signals import Signals
from messenger.messages.model import Ack, Draft, Mark
from messenger.messages.presence import Presence
from messenger.messages.progress import Progress
from messenger.wire import frames
from messenger.wire.errors import Code, Problem
from messenger.wire.times import rfc3339

UNANSWERED = 256
SLICE = 16  # frames that are judged at once
LARGE = 32_768  # bytes; after a message of more the socket rests
READ_RATE = 4_194_304  # bytes a second that it is read at then

log = Logger()
_NOTHING: deque[Incoming] = deque(maxlen=0)  # shared by all at rest: an empty queue takes 760 bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """The collaborators that all dispatchers of an instance share. `heartbeat` is in seconds; `epoch` gives
    the word for the database's history."""

    reactor: Any
    hub: Hub
    joining: Joining
    signals: Signals
    messages: Messages
    progress: Progress
    presence: Presence
    authenticator: Authenticator
    heartbeat: int
    charges: Charges
    epoch: Callable[[], str] = str


class FrameDispatcher:
    """Obeys one socket's frames, in their order."""

    __slots__ = (
        "_channel",
        "_expiry",
        "_held",
        "_judged",
        "_judging",
        "_left",
        "_parts",
        "_rested",
        "_unanswered",
        "_waiting",
        "connection",
    )

    def __init__(self, parts: Parts, channel: Channel, identity: Identity) -> None:
        self._parts = parts
        self._channel = channel
        self._waiting = _NOTHING
        self._held = False  # whether nothing is read from the client for now
        self._judging = False
        self._left = SLICE  # frames, until others have their turn
        self._judged: Deferred[None] | None = None
        self._unanswered = 0
        self._expiry: Any = None
        self._rested: Any = None  # set: the socket rests until then
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
        now = clock_of(self._parts.reactor)()
        self.connection.say(
            frames.Hello(
                user_id=identity.user_id,
                device_id=identity.device_id,
                server_time=rfc3339(now),
                heartbeat=self._parts.heartbeat,
                epoch=self._parts.epoch(),
            )
        )
        self._expire_at(identity.expires_at)
        self._parts.presence.opened(self.connection)
        ensureDeferred(self._catch_up())

    async def _catch_up(self) -> None:
        # What an older socket of this device acknowledged is not sent again.
        await self._parts.progress.flush()
        self._parts.joining.open(self.connection)

    def _expire_at(self, moment: int) -> None:
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        left = max(0.0, moment - self._parts.reactor.seconds())
        self._expiry = self._parts.reactor.callLater(left, self._expire)

    def _expire(self) -> None:
        self.connection.close(frames.TOKEN_EXPIRED, "the access token has expired")

    def closed(self) -> None:
        """The socket is gone."""
        for call in (self._expiry, self._rested):
            if call is not None and call.active():
                call.cancel()
        self._waiting = _NOTHING
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
        if not self._parts.charges.patient(self._identity.device_id):
            self._cut_off()
            return
        try:
            self._waiting = self._waiting or deque()
            self._waiting.extend(fewest(frames.split(message)))
        except frames.NotJson:
            self.connection.close(frames.NOT_JSON, "that was no JSON")
            return
        except Problem as problem:
            self._refuse(message, problem)
        if len(message) > LARGE and self._rested is None:
            self._rested = self._parts.reactor.callLater(len(message) / READ_RATE, self._rest_no_more)
        if not self._judging:
            self._judging = True
            ensureDeferred(self._judge_all())
        self._hold()

    def receive_extra(self) -> bool:
        """A ping, a pong, or a fragment that others follow, has arrived; whether it is within the limit."""
        return self._charge(None)

    def _rest_no_more(self) -> None:
        self._rested = None
        self._hold()

    async def _judge_all(self) -> None:
        try:
            while self._waiting and not self.connection.closed and self._unanswered < UNANSWERED:
                if not self._left:
                    self._left = SLICE
                    await pause(self._parts.reactor, 0)
                    continue
                self._left -= 1
                await self._judge(self._waiting.popleft())
        finally:
            self._judging = False
            if self.connection.closed or not self._waiting:
                self._waiting = _NOTHING
            self._hold()
            self._tell_judged()

    def _hold(self) -> None:
        """Read from the client only while nothing of it waits, and the socket does not rest."""
        hold = bool(self._waiting) or self._rested is not None
        if hold != self._held and not self.connection.closed:
            self._held = hold
            (self._channel.pause_reading if hold else self._channel.resume_reading)()

    async def _judge(self, one: Incoming) -> None:
        try:
            frame = one.frame or frames.decode(one.raw)
        except frames.NotJson:
            self.connection.close(frames.NOT_JSON, "that was no JSON")
            return
        except Problem as problem:
            self._refuse(one.raw, problem)
            return
        ref = getattr(frame, "ref", None)
        try:
            if isinstance(frame, frames.Send):
                self._parts.charges.send(self._identity)
            else:
                self._parts.charges.frame(self._identity)
            await self._obey(frame)
        except TooFast:
            self._cut_off()
        except Problem as problem:
            self._say_no(ref, problem)
        except Exception:
            log.failure("a frame of type {type} failed", type=type(frame).__name__)
            self._say_no(ref, Problem(Code.internal))

    def _refuse(self, raw: bytes, problem: Problem) -> None:
        """Charge what is no frame for its size, and answer by `problem`."""
        ref = frames.ref_of(raw)
        if self._charge(ref, len(raw)):
            self._say_no(ref, problem)

    def _charge(self, ref: str | None, unread: int = 0) -> bool:
        """Charge a frame that is not obeyed like others, see `Charges.frame`; else say no, or cut off."""
        try:
            self._parts.charges.frame(self._identity, unread)
        except TooFast:
            self._cut_off()
            return False
        except Problem as problem:
            self._say_no(ref, problem)
            return False
        return True

    def _cut_off(self) -> None:
        self.connection.close(frames.TOO_FAST, "sending too fast")

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
            await self._parts.joining.resend(self.connection, frame.conversation_id, frame.after)
        elif isinstance(frame, frames.Typing):
            self._parts.signals.typing(self.connection, frame.conversation_id, frame.is_typing)
        elif isinstance(frame, frames.Presence):
            self._parts.presence.set(self.connection, frame.status)
        elif isinstance(frame, frames.Ping):
            self.connection.say(frames.Pong(ref=frame.ref))
        else:
            await self._renew(frame)

    async def _send(self, frame: frames.Send) -> None:
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
