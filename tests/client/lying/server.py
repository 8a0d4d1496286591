"""The server: honest as it stands, and asks the lies that it was given before it says anything.

Who asks is told by its token; what is said is the wire's own structs, as JSON, in which a lie changes what
it likes. A conversation's messages are seen through `seen`: the list as one device is shown it, whose order
is the `seq`; so a lie that leaves one out closes the gap in the numbers, too.
"""

import json
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec

from messenger.wire import auth, conversations, frames
from messenger.wire.codec import decode_custom, encode
from messenger.wire.errors import Code, Problem, not_found
from messenger.wire.times import rfc3339
from tests.client.lying.front import Answer, Ask, Wire
from tests.client.lying.liar import Lie
from tests.client.lying.state import Device, Said, State, Talk, User

SESSION_SECONDS = 86_400
Handler = Callable[["Server", Device, Ask], Any]
_ROUTES: list[tuple[str, re.Pattern[str], bool, Handler]] = []
_ID = "([0-9a-f-]{36})"


def route(method: str, path: str, *, is_open: bool = False) -> Callable[[Handler], Handler]:
    """Have a function answer a call; `{}` in the path is an id, `*` a name."""
    pattern = re.compile(path.replace("{}", _ID).replace("*", "([a-z0-9._-]+)"))

    def put(handler: Handler) -> Handler:
        _ROUTES.append((method, pattern, is_open, handler))
        return handler

    return put


def now() -> str:
    """This moment, on the wire."""
    return rfc3339(int(time.time() * 1000))


def plain(value: Any) -> Any:
    """A wire struct as JSON has it."""
    return json.loads(encode(value))


def body(ask: Ask, kind: type) -> Any:
    """A request's body."""
    try:
        return msgspec.json.decode(ask.body, type=kind, dec_hook=decode_custom)
    except msgspec.MsgspecError as error:
        raise Problem(Code.bad_request, str(error)) from None


class Server:
    """An App (front.py). `heard` is every byte that clients sent, `drafts` what they wrote."""

    def __init__(self, state: State, lies: tuple[Lie, ...] = ()) -> None:
        self.state = state
        self.lies = lies
        self.heard: list[bytes] = []
        self.drafts: list[tuple[Device, Talk, conversations.Draft]] = []
        self.wires: dict[str, Wire] = {}

    @property
    def active(self) -> list[Lie]:
        """The lies that are told now."""
        return [one for one in self.lies if one.active]

    def overhear(self, raw: bytes) -> None:
        """Keep what was sent."""
        self.heard.append(raw)

    # HTTP

    def request(self, ask: Ask) -> Answer:
        """Answer a request: honestly, then as the lies have it."""
        try:
            return self._answered(ask)
        except Problem as problem:
            document = encode(problem.document("lying"))
            return Answer(problem.code.status, document, "application/problem+json")

    def _answered(self, ask: Ask) -> Answer:
        for method, pattern, is_open, handler in _ROUTES:
            match = pattern.fullmatch(ask.path)
            if method != ask.method or match is None:
                continue
            ask.ids = match.groups()
            device = self._asker(ask, is_open)
            for lie in self.active:
                asked = ask.body
                instead = lie.request(device, ask)
                lie.told |= instead is not None or ask.body is not asked
                if instead is not None:
                    return instead
            value = handler(self, device, ask)
            if isinstance(value, Answer):
                for lie in self.active:
                    blob = lie.blob(device, ask, value.body)
                    lie.told |= blob is not value.body
                    value.body = blob
                return value
            if value is None:
                return Answer(204)
            told = self._told(device, ask, plain(value))
            status = 201 if method == "POST" and ask.path in _CREATING else 200
            return Answer(status, json.dumps(told).encode())
        raise not_found()

    def _told(self, device: Device, ask: Ask, told: Any) -> Any:
        for lie in self.active:
            truth = json.dumps(told)
            told = lie.answer(device, ask, told)
            lie.told |= json.dumps(told) != truth
        return told

    def _asker(self, ask: Ask, is_open: bool) -> Device:
        if is_open:
            return Device("", "", None, "")
        device_id = self.state.tokens.get(ask.headers.get("authorization", "").removeprefix("Bearer "))
        if device_id is None:
            raise Problem(Code.unauthorized)
        return self.state.devices[device_id]

    def session(self, user: User, device: Device) -> auth.Session:
        """A new session; the device's older one ends."""
        self.end_session(device)
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.state.tokens[access] = self.state.refreshes[refresh] = device.device_id
        return auth.Session(
            user=auth.User(user.user_id, user.username, user.created_at),
            device_id=device.device_id,
            access_token=access,
            expires_in=SESSION_SECONDS,
            refresh_token=refresh,
        )

    def end_session(self, device: Device) -> None:
        """No token of the device holds any more, and its socket closes."""
        state, device_id = self.state, device.device_id
        state.tokens = {one: other for one, other in state.tokens.items() if other != device_id}
        wire = self.wires.get(device_id)
        if wire is not None:
            wire.close(frames.TOKEN_EXPIRED)

    # what a device is shown

    def talk(self, device: Device, conversation_id: str) -> Talk:
        """A conversation that this device's user is in."""
        talk = self.state.talks.get(conversation_id)
        if talk is None or device.user_id not in talk.members:
            raise not_found()
        return talk

    def seen(self, device: Device, talk: Talk) -> list[Said]:
        """A conversation's messages as this device is shown them; the first has the seq 1."""
        found = talk.messages
        for lie in self.active:
            truth = found
            found = lie.history(device, talk, list(found))
            lie.told |= found != truth
        return found

    def shown(self, device: Device, talk: Talk, seq: int, said: Said) -> dict[str, Any]:
        """A message as this device is shown it."""
        value: dict[str, Any] = plain(
            conversations.Message(
                conversation_id=talk.conversation_id,
                seq=seq,
                sender_id=said.sender_id,
                sender_device_id=said.sender_device_id,
                client_id=said.client_id,
                kind=said.kind,
                content=None if said.deleted else said.content,
                envelope=None if said.deleted else said.envelopes.get(device.device_id),
                created_at=said.created_at,
                expires_at=None,
                deleted=said.deleted,
            )
        )
        for lie in self.active:
            truth = json.dumps(value)
            value = lie.message(device, talk, said, value)
            lie.told |= json.dumps(value) != truth
        return value

    def devices_told(self, device: Device, talk: Talk) -> set[str]:
        """The devices that the asking device is told are a conversation's: those that its drafts are for."""
        ask = Ask(
            "GET", f"/conversations/{talk.conversation_id}/devices", {}, {}, b"", (talk.conversation_id,)
        )
        told = self._told(device, ask, {"items": plain(self.devices_of(talk))})
        return {one["device_id"] for one in told["items"]}

    def devices_of(self, talk: Talk) -> list[conversations.MemberDevice]:
        """The published devices of all members."""
        return [
            conversations.MemberDevice(user_id=user_id, device_id=one.device_id)
            for user_id in talk.members
            for one in self.state.devices_of(user_id)
            if self.state.published(one)
        ]

    # news

    def push(self, talk: Talk) -> None:
        """Send to each open socket what it has not been sent of a conversation."""
        for device_id, wire in list(self.wires.items()):
            device = self.state.devices[device_id]
            if device.user_id in talk.members or device.user_id in talk.left:
                self.say(device, wire, self.news(device, talk, wire.owner.sent))

    def news(self, device: Device, talk: Talk, sent: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
        """What a device has not been sent, in order; it counts as sent then."""
        seq, change = sent.get(talk.conversation_id, (0, 0))
        member = talk.members.get(device.user_id)
        seen, changes = self.seen(device, talk), talk.changes
        if member is None:
            last, last_change = talk.left.get(device.user_id, (0, 0))
            seen, changes = seen[:last], changes[:last_change]
        else:
            seq, change = max(seq, member.first_seq - 1), max(change, member.first_change - 1)
        found: list[tuple[int, int, dict[str, Any]]] = []
        for place, said in enumerate(seen[seq:], seq + 1):
            # What it sent itself it was answered for; a lie may show it all the same, as another's.
            value = self.shown(device, talk, place, said)
            if said.sender_device_id != device.device_id or value["sender_device_id"] != device.device_id:
                found.append((place, 0, {"type": "message", **value}))
        for one in changes[change:]:
            frame = {"type": "change", "conversation_id": talk.conversation_id, **plain(one)}
            found.append((one.at_seq, 1, frame))
        sent[talk.conversation_id] = (max(seq, len(seen)), max(change, len(changes)))
        return [frame for _, _, frame in sorted(found, key=lambda one: one[:2])]

    def say(self, device: Device, wire: Wire, found: list[dict[str, Any]]) -> None:
        """Send frames, as the lies have them."""
        for lie in self.active:
            found = [told for frame in found for told in lie.frame(device, frame)]
        wire.say(found)

    def tell(self, user_ids: set[str], frame: Any, *, but: str = "") -> None:
        """Send a frame to the open sockets of these users, but one device's."""
        for device_id, wire in list(self.wires.items()):
            device = self.state.devices[device_id]
            if device.user_id in user_ids and device_id != but:
                self.say(device, wire, [plain(frame)])

    def tell_device(self, event: str, device: Device) -> None:
        """A device was published or removed."""
        talks = [one for one in self.state.talks.values() if device.user_id in one.members]
        users = {user_id for talk in talks for user_id in talk.members}
        frame = frames.DeviceFrame(event=event, user_id=device.user_id, device_id=device.device_id)
        self.tell(users, frame, but=device.device_id)

    def happened(self, talk: Talk, actor_id: str, event: str, **more: Any) -> None:
        """Number a change of a conversation."""
        talk.updated_at = now()
        talk.changes.append(
            conversations.Change(
                change=len(talk.changes) + 1,
                at_seq=len(talk.messages),
                created_at=talk.updated_at,
                actor_id=actor_id,
                event=event,
                **more,
            )
        )

    # sockets; live.py answers the frames

    def admit(self, wire: Wire, authorization: str) -> bool:
        """Whether the token holds."""
        device_id = self.state.tokens.get(authorization.removeprefix("Bearer "))
        if device_id is None:
            return False
        from tests.client.lying.live import Live

        wire.owner = Live(self, self.state.devices[device_id], wire)
        return True

    def connect(self, wire: Wire) -> None:
        """Greet, and send the backlog."""
        wire.owner.begin()

    def receive(self, wire: Wire, raw: bytes) -> None:
        """Frames have come."""
        for part in frames.split(raw):
            wire.owner.take(part)

    def disconnect(self, wire: Wire) -> None:
        """A socket has gone."""
        if self.wires.get(wire.owner.device.device_id) is wire:
            del self.wires[wire.owner.device.device_id]


_CREATING = frozenset(("/auth/register", "/conversations", "/files", "/auth/ticket"))
