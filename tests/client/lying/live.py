"""What a device says on its WebSocket, and what comes back."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from messenger.wire import conversations, frames
from messenger.wire.errors import Code, Problem
from tests.client.lying.front import Wire
from tests.client.lying.server import Server, now, plain
from tests.client.lying.state import Device, Said, Talk


class Live:
    """An open socket's side of the server. `sent` is how far (seq, change) it was sent each conversation."""

    def __init__(self, server: Server, device: Device, wire: Wire) -> None:
        self.server = server
        self.device = device
        self.wire = wire
        self.sent: dict[str, tuple[int, int]] = {}

    def begin(self) -> None:
        """Greet, and send what the device has not acknowledged."""
        older = self.server.wires.pop(self.device.device_id, None)
        if older is not None:
            older.close(frames.TAKEN_OVER)
        self.server.wires[self.device.device_id] = self.wire
        self.sent = dict(self.device.place)
        hello = frames.Hello(
            user_id=self.device.user_id,
            device_id=self.device.device_id,
            server_time=now(),
            heartbeat=30,
            epoch="the first",
        )
        found: list[dict[str, Any]] = [plain(hello)]
        user_id = self.device.user_id
        for talk in self.server.state.talks.values():
            if user_id in talk.members or user_id in talk.left:
                found += self.server.news(self.device, talk, self.sent)
        self._say([*found, plain(frames.Synced())])

    def _say(self, found: list[dict[str, Any]]) -> None:
        self.server.say(self.device, self.wire, found)

    def take(self, raw: bytes) -> None:
        """Do what a frame asks."""
        try:
            frame = frames.decode(raw)
            if isinstance(frame, frames.Send):
                self._send(frame)
            elif isinstance(frame, frames.Ack):
                self._acknowledge(frame)
            elif isinstance(frame, frames.Read):
                self._read(frame)
            elif isinstance(frame, frames.Typing):
                self._typing(frame)
            elif isinstance(frame, frames.Resend):
                self._resend(frame)
            elif isinstance(frame, frames.Token):
                self._say([plain(frames.TokenFrame(ref=frame.ref, expires_in=86_400))])
            elif isinstance(frame, frames.Ping):
                self._say([plain(frames.Pong(ref=frame.ref))])
        except Problem as problem:
            document = problem.document("lying")
            self._say([plain({**document, "type": "error", "ref": frames.ref_of(raw)})])

    def _send(self, frame: frames.Send) -> None:
        server, device = self.server, self.device
        talk = server.talk(device, frame.conversation_id)
        said = commit(server, device, talk, frame)
        seen = server.seen(device, talk)
        place = seen.index(said) + 1 if said in seen else said.at
        self._say(
            [
                plain(
                    frames.SentFrame(
                        ref=frame.ref,
                        conversation_id=talk.conversation_id,
                        seq=place,
                        created_at=said.created_at,
                    )
                )
            ]
        )
        for one in server.state.talks.values():
            server.push(one)  # a lie may show it elsewhere

    def _acknowledge(self, frame: frames.Ack) -> None:
        seq, change = self.device.place.get(frame.conversation_id, (0, 0))
        place = (max(seq, frame.seq or 0), max(change, frame.change or 0))
        self.device.place[frame.conversation_id] = place

    def _read(self, frame: frames.Read) -> None:
        talk = self.server.talk(self.device, frame.conversation_id)
        member = talk.members[self.device.user_id]
        if frame.seq > member.read_seq:
            member.read_seq = frame.seq
            receipt = frames.Receipt(
                kind="read",
                conversation_id=talk.conversation_id,
                user_id=self.device.user_id,
                seq=frame.seq,
            )
            self.server.tell(set(talk.members), receipt, but=self.device.device_id)

    def _typing(self, frame: frames.Typing) -> None:
        talk = self.server.talk(self.device, frame.conversation_id)
        told = frames.TypingFrame(
            conversation_id=talk.conversation_id, user_id=self.device.user_id, is_typing=frame.is_typing
        )
        self.server.tell(talk.members.keys() - {self.device.user_id}, told)

    def _resend(self, frame: frames.Resend) -> None:
        talk = self.server.talk(self.device, frame.conversation_id)
        seen = self.server.seen(self.device, talk)
        self._say(
            [
                {"type": "message", **self.server.shown(self.device, talk, seq, said)}
                for seq, said in enumerate(seen, 1)
                if seq > frame.after
            ]
        )


def commit(server: Server, device: Device, talk: Talk, draft: conversations.Draft) -> Said:
    """Give a draft its place, or find the one that it has. Problem."""
    for said in talk.messages:
        if (said.sender_device_id, said.client_id) == (device.device_id, draft.client_id):
            return said
    if talk.ended_at is not None:
        raise Problem(Code.gone)
    if draft.content is None and not draft.envelopes:
        raise Problem(Code.unprocessable)
    envelopes = {str(one.device_id): bytes(one.content) for one in draft.envelopes or ()}
    _check_devices(server, device, talk, draft, set(envelopes))
    server.drafts.append((device, talk, draft))
    said = Said(
        sender_id=device.user_id,
        sender_device_id=device.device_id,
        client_id=draft.client_id,
        kind=draft.kind,
        content=None if draft.content is None else bytes(draft.content),
        envelopes=envelopes,
        created_at=now(),
        at=len(talk.messages) + 1,
    )
    talk.messages.append(said)
    talk.updated_at = said.created_at
    for lie in server.active:
        lie.committed(device, talk, said)
    return said


def _check_devices(
    server: Server, device: Device, talk: Talk, draft: conversations.Draft, named: set[str]
) -> None:
    told = server.devices_told(device, talk)
    wanted = told - {device.device_id}
    fits = named <= wanted if draft.partial or not named else named == wanted
    if draft.devices_digest is not None and bytes(draft.devices_digest) != digest_of(told):
        fits = False
    if not fits:
        missing = [] if draft.partial else sorted(wanted - named)
        raise Problem(
            Code.devices_changed,
            members={"missing": missing, "extra": sorted(named - wanted), "digest": digest_of(told)},
        )


def digest_of(device_ids: set[str]) -> bytes:
    """SHA-256 over the sorted ids, 16 raw bytes each."""
    return sha256(b"".join(sorted(UUID(one).bytes for one in device_ids))).digest()
