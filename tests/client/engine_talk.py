"""A conversation at a server made of lists: who it lists, what was filed, and what each device is shown."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from messenger.client.engine.sealing import DeviceView
from messenger.wire.codec import decode_custom
from messenger.wire.conversations import Conversation, Draft, Member, Message
from tests.client.e2e_world import Device, User

if TYPE_CHECKING:
    from tests.client.engine_world import Desk

MOMENT = "2027-01-15T08:00:00.000Z"


class Filed(msgspec.Struct):
    """A draft at its place."""

    seq: int
    user_id: str
    device_id: str
    draft: Draft


class Talk:
    """A conversation at the server: who it lists, and what was filed."""

    def __init__(self, kind: str, users: list[User]) -> None:
        self.conversation_id = str(uuid4())
        self.kind = kind
        self.users = users
        self.filed: list[Filed] = []
        self.held: dict[str, set[int]] = {}  # places that are not shown, by device

    def said(self, desk: "Desk") -> Conversation:
        return Conversation(
            conversation_id=self.conversation_id,
            type=self.kind,
            metadata=None,
            message_ttl=None,
            ended_at=None,
            last_change=1,
            member_count=len(self.users),
            created_at=MOMENT,
            updated_at=MOMENT,
            role="owner" if self.users[0] is desk.user else "member",
            last_seq=len(self.filed),
            first_seq=1,
            read_seq=0,
            unread=0,
        )

    def members(self) -> list[Member]:
        return [
            Member(
                user_id=one.user_id,
                role="member" if number else "owner",
                joined_at=MOMENT,
                delivered_seq=0,
                read_seq=0,
            )
            for number, one in enumerate(self.users)
        ]

    def view(self) -> DeviceView:
        return DeviceView(
            users={device.device_id: user.user_id for user in self.users for device in user.devices}
        )

    def file(self, sender: Device, raw: bytes) -> int:
        draft = msgspec.json.decode(raw, type=Draft, dec_hook=decode_custom)
        known = [one for one in self.filed if one.draft.client_id == draft.client_id]
        if known:
            return known[0].seq
        self.filed.append(Filed(len(self.filed) + 1, sender.user.user_id, sender.device_id, draft))
        return len(self.filed)

    def message(self, filed: Filed, desk: "Desk") -> Message:
        """What an honest server shows a device of what was filed."""
        envelopes = {str(one.device_id): bytes(one.content) for one in filed.draft.envelopes or []}
        return Message(
            conversation_id=self.conversation_id,
            seq=filed.seq,
            sender_id=filed.user_id,
            sender_device_id=filed.device_id,
            client_id=str(filed.draft.client_id),
            kind=filed.draft.kind,
            content=None if filed.draft.content is None else bytes(filed.draft.content),
            envelope=envelopes.get(desk.device.device_id),
            created_at=MOMENT,
            expires_at=None,
            deleted=False,
        )

    def at(self, seq: int, desk: "Desk", /, **lies: Any) -> Message:
        """What the server shows a device at a place, with what it lies about."""
        return replace(self.message(self.filed[seq - 1], desk), **lies)
