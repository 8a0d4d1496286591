"""Lies about messages: their order, their place, their content, and whether they are there at all."""

import base64
import time
from typing import ClassVar
from uuid import uuid4

from messenger.wire.times import rfc3339
from tests.client.lying.liar import Json, Lie
from tests.client.lying.state import Device, Said, Talk


class OnText(Lie):
    """Something about the `nth` text that `sender` writes in `where`, for the devices of `victims`."""

    begins = "talk"
    sender: ClassVar[str] = "b1"
    where: ClassVar[tuple[str, ...]] = ("alice", "bob")  # none: the group
    victims: ClassVar[tuple[str, ...]] = ("alice",)
    nth: ClassVar[int] = 2

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[Said] = []

    def fits(self, talk: Talk) -> bool:
        """Whether it is about this conversation."""
        return self.is_direct(talk, *self.where) if self.where else talk is self.group()

    def committed(self, device: Device, talk: Talk, said: Said) -> None:
        if said.kind == "text" and device.name == self.sender and self.fits(talk):
            self.texts.append(said)

    @property
    def picked(self) -> Said | None:
        """The text."""
        return self.texts[self.nth - 1] if len(self.texts) >= self.nth else None

    def meant(self, device: Device) -> bool:
        """Whether this device is lied to."""
        return any(self.user(one).user_id == device.user_id for one in self.victims)

    def history(self, device: Device, talk: Talk, found: list[Said]) -> list[Said]:
        picked = self.picked
        if picked is None or not self.meant(device):
            return found
        return self.lied(device, talk, found, picked)

    def lied(self, device: Device, talk: Talk, found: list[Said], picked: Said) -> list[Said]:
        """The messages as a victim is shown them."""
        return found

    def message(self, device: Device, talk: Talk, said: Said, value: Json) -> Json:
        return self.changed(value) if said is self.picked and self.meant(device) else value

    def changed(self, value: Json) -> Json:
        """The text as a victim is shown it."""
        return value


class DropMiddle(OnText):
    """One of three is left out."""

    met_by = ("MessagesMissing:held_back",)

    def lied(self, device: Device, talk: Talk, found: list[Said], picked: Said) -> list[Said]:
        return [one for one in found if one is not picked]


class DropFirst(DropMiddle):
    """The very first is."""

    begins = "direct"
    met_by = ("MessagesMissing",)
    nth = 1


class DropLast(DropMiddle):
    """The last is; somebody else writes after it."""

    begins = "more"
    met_by = ("HistoryDiffers",)
    nth = 1


class SentElsewhere(OnText):
    """Alice is told that what she sent has the first place, where another message stands."""

    sender = "a1"
    met_by = ("HistoryRewritten", "HistoryDiffers", "MessagesMissing")

    def frame(self, device: Device, frame: Json) -> list[Json]:
        talk = self.server.state.talks.get(frame.get("conversation_id", ""))
        if frame["type"] != "sent" or talk is None or device.name != "a1" or not self.fits(talk):
            return [frame]
        self.told = True
        return [{**frame, "seq": 1}]


class DropInGroup(DropMiddle):
    """One of three in the group, for one member only."""

    where = ()
    victims = ("carol",)


class Swapped(OnText):
    """Two change their places."""

    met_by = ("MessagesReordered",)
    nth = 1

    def lied(self, device: Device, talk: Talk, found: list[Said], picked: Said) -> list[Said]:
        at = found.index(picked) if picked in found else -1
        if at < 0:
            return found
        # Held back until what follows is here.
        return (
            [*found[:at], *found[at + 1 : at + 2], picked, *found[at + 2 :]]
            if found[at + 1 :]
            else found[:at]
        )


class SwappedSenders(Swapped):
    """Two of different senders, in the group, for bob only."""

    sender = "c1"
    where = ()
    victims = ("bob",)
    met_by = ("HistoryDiffers",)


class RefiledSender(OnText):
    """A text is presented as another device's of the same user."""

    met_by = ("MessageRejected", "MessagesMissing")

    def changed(self, value: Json) -> Json:
        return {**value, "sender_device_id": self.device("b2").device_id}


class RefiledUser(OnText):
    """A text in the group is presented as another member's."""

    where = ()
    met_by = ("MessageRejected", "MessagesMissing")

    def changed(self, value: Json) -> Json:
        carol = self.device("c1")
        return {**value, "sender_id": carol.user_id, "sender_device_id": carol.device_id}


class RefiledClientId(OnText):
    """A text has another client_id."""

    met_by = ("MessageRejected:refiled",)

    def __init__(self) -> None:
        super().__init__()
        self.client_id = str(uuid4())

    def changed(self, value: Json) -> Json:
        return {**value, "client_id": self.client_id}


class RefiledKind(OnText):
    """A text is said to be a file."""

    met_by = ("MessageRejected:refiled",)

    def changed(self, value: Json) -> Json:
        return {**value, "kind": "file"}


class SenderNull(OnText):
    """The sender's account is said to be gone; who wrote the text is shown all the same."""

    def changed(self, value: Json) -> Json:
        return {**value, "sender_id": None}


class FlippedEnvelope(OnText):
    """A ciphertext is changed."""

    met_by = ("MessageRejected:tampered",)

    def changed(self, value: Json) -> Json:
        for name in ("envelope", "content"):
            if value[name] is not None:
                raw = bytearray(base64.b64decode(value[name]))
                raw[-1] ^= 1
                value[name] = base64.b64encode(bytes(raw)).decode()
        return value


class FlippedContent(FlippedEnvelope):
    """The same in the group."""

    where = ()
    victims = ("alice", "carol")
    met_by = ("MessageRejected:bad_sender_signature",)


class DeletedBefore(OnText):
    """A text is said to be deleted before it was ever shown."""

    met_by = ("MessagesMissing:held_back", "GoneFromServer")

    def changed(self, value: Json) -> Json:
        return {**value, "content": None, "envelope": None, "deleted": True}


class DeletedAfter(OnText):
    """A text that is on the screen is said to be deleted."""

    met_by = ("GoneFromServer",)
    where = ()

    def step(self, name: str) -> None:
        group = self.group()
        if name == "file" and group is not None and self.picked is not None:
            self.told = self.picked.deleted = True
            self.server.happened(group, self.picked.sender_id, "deleted", seq=self.picked.at)
            self.server.push(group)


class Expired(OnText):
    """A text is said to have expired long ago, though nobody wanted that; it stays."""

    def changed(self, value: Json) -> Json:
        return {**value, "expires_at": "2020-01-01T00:00:00.000Z"}


class TtlSet(Lie):
    """Messages are said to live for a second, as nobody has wished."""

    begins = "talk"
    may_warn = True

    def begin(self) -> None:
        super().begin()
        for talk in self.server.state.talks.values():
            if self.is_direct(talk, "alice", "bob"):
                self.told = True
                talk.message_ttl = 1
                update = {"conversation_id": talk.conversation_id, "message_ttl": 1, "metadata": None}
                self.server.happened(talk, talk.creator_id, "updated", conversation=update)
                self.server.push(talk)

    def step(self, name: str) -> None:
        if name == "more":
            time.sleep(1.1)  # it is about the time that passes


class TimesShifted(OnText):
    """What bob writes is said to have come a year ago."""

    def message(self, device: Device, talk: Talk, said: Said, value: Json) -> Json:
        return {**value, "created_at": rfc3339(1_700_000_000_000)}


class HistoryWiped(Lie):
    """The direct conversation begins anew, at 1, and what was there is gone."""

    begins = "restart"
    met_by = ("HistoryRewritten:replaced",)

    def begin(self) -> None:
        super().begin()
        talks = self.server.state.talks.values()
        self.talk = next(one for one in talks if self.is_direct(one, "alice", "bob"))
        self.from_here = len(self.talk.messages)
        for device in self.server.state.devices.values():
            place = device.place.get(self.talk.conversation_id)
            if place is not None:
                device.place[self.talk.conversation_id] = (0, place[1])
        for wire in self.server.wires.values():
            sent = wire.owner.sent.get(self.talk.conversation_id)
            if sent is not None:
                wire.owner.sent[self.talk.conversation_id] = (0, sent[1])

    def history(self, device: Device, talk: Talk, found: list[Said]) -> list[Said]:
        return found[self.from_here :] if talk is self.talk else found


class AnotherEpoch(Lie):
    """A standby is said to have taken over, though nothing was lost."""

    begins = "restart"
    met_by = ("HistoryRestarted",)

    def frame(self, device: Device, frame: Json) -> list[Json]:
        if frame["type"] != "hello":
            return [frame]
        self.told = True
        return [{**frame, "epoch": "the second"}]


LIES: tuple[type[Lie], ...] = (
    *(DropMiddle, DropFirst, DropLast, DropInGroup, Swapped, SwappedSenders, SentElsewhere),
    *(RefiledSender, RefiledUser, RefiledClientId, RefiledKind, SenderNull),
    *(FlippedEnvelope, FlippedContent, DeletedBefore, DeletedAfter, Expired, TtlSet, TimesShifted),
    *(HistoryWiped, AnotherEpoch),
)
