"""Lies that show what was never written, or not there: between messages that were."""

import secrets
import time
from dataclasses import replace
from uuid import uuid4

from messenger.client.e2e import SendingChain
from tests.client.lying.adversary import Spy
from tests.client.lying.liar import Lie
from tests.client.lying.lies_messages import OnText
from tests.client.lying.state import Device, Said, Talk


class Inserted(OnText):
    """Something that was never written stands behind the text."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Said] = []

    def lied(self, device: Device, talk: Talk, found: list[Said], picked: Said) -> list[Said]:
        if picked not in found:
            return found
        if not self.made:
            self.made.append(self.extra(talk, picked))
        at = found.index(picked) + 1
        return [*found[:at], self.made[0], *found[at:]]

    def extra(self, talk: Talk, picked: Said) -> Said:
        """What stands there."""
        raise NotImplementedError


class Repeated(Inserted):
    """The text once more."""

    met_by = ("MessageRejected:replayed",)

    def extra(self, talk: Talk, picked: Said) -> Said:
        return replace(picked)


class RepeatedInGroup(Repeated):
    """The same in the group."""

    where = ()
    victims = ("alice", "carol")


class RepeatedAsNew(Inserted):
    """The text once more, under a client_id of its own."""

    met_by = ("MessageRejected",)

    def extra(self, talk: Talk, picked: Said) -> Said:
        return replace(picked, client_id=str(uuid4()))


class ForgedBytes(Inserted):
    """Bytes that are no envelope."""

    met_by = ("MessageRejected:malformed",)

    def extra(self, talk: Talk, picked: Said) -> Said:
        envelopes = {one: secrets.token_bytes(300) for one in picked.envelopes}
        return replace(picked, client_id=str(uuid4()), envelopes=envelopes)


class ForgedHidesDropped(ForgedBytes):
    """They stand in the place of a text."""

    met_by = ("MessagesMissing:held_back", "MessagesLost", "HistoryDiffers")

    def lied(self, device: Device, talk: Talk, found: list[Said], picked: Said) -> list[Said]:
        return [one for one in super().lied(device, talk, found, picked) if one is not picked]


class FlippedHidesDropped(ForgedHidesDropped):
    """The ciphertext, changed and under another client_id, stands in the place of a text."""

    def extra(self, talk: Talk, picked: Said) -> Said:
        envelopes = {one: raw[:-1] + bytes((raw[-1] ^ 1,)) for one, raw in picked.envelopes.items()}
        return replace(picked, client_id=str(uuid4()), envelopes=envelopes)


class FromSpy(Inserted):
    """Something that mallory's device has encrypted to alice."""

    met_by = ("MessageRejected",)

    def targets(self) -> list[Device]:
        """Whom it is encrypted to."""
        found = [
            one for name in self.victims for one in self.server.state.devices_of(self.user(name).user_id)
        ]
        return [one for one in found if self.server.state.published(one)]

    def extra(self, talk: Talk, picked: Said) -> Said:
        return self.adversary.user("mallory").write(self.server, self.targets(), talk)


class FromSpyAsPeer(FromSpy):
    """The same, in the name of bob's device, under a key that is not its."""

    def extra(self, talk: Talk, picked: Said) -> Said:
        spy = self.adversary.spy(picked.sender_id, picked.sender_device_id)
        return spy.write(self.server, self.targets(), talk)


class StrangerInGroup(FromSpy):
    """A pairwise text of mallory's in the group."""

    where = ()


class StrangersChain(FromSpy):
    """A sender key of mallory's in the group."""

    where = ()

    def extra(self, talk: Talk, picked: Said) -> Said:
        spy = self.adversary.user("mallory")
        chain = SendingChain.create(spy.keys, talk.conversation_id, now=0.0)
        return spy.write(self.server, self.targets(), talk, chain.distribution(1))


class FormerMember(Inserted):
    """Carol, who was removed from the group, gives out a new chain and writes under it: the server helps."""

    begins = "remove_device"
    sender = "a1"
    where = ()
    nth = 1
    victims = ("alice", "bob")
    met_by = ("MessageRejected:sender_key_refused", "MessageRejected:not_in_audience")

    def lied(self, device: Device, talk: Talk, found: list[Said], picked: Said) -> list[Said]:
        if picked not in found:
            return found
        if not self.made:
            self.made += self.written(talk)
        at = found.index(picked) + 1
        return [*found[:at], *self.made, *found[at:]]

    def written(self, talk: Talk) -> list[Said]:
        """What she writes."""
        carol = Spy.of(self.keys_of("c1"))
        chain = SendingChain.create(carol.keys, talk.conversation_id, now=time.time())
        given = carol.write(self.server, self.targets(), talk, chain.distribution(1))
        said = replace(carol.write(self.server, (), talk), envelopes={})
        said.content = chain.seal(carol.keys, carol.payload(talk, said.client_id))
        return [given, said]

    def targets(self) -> list[Device]:
        """Whom she gives it to."""
        found = [
            one for name in self.victims for one in self.server.state.devices_of(self.user(name).user_id)
        ]
        return [one for one in found if self.server.state.published(one)]


class FormerMemberPairwise(FormerMember):
    """The same without a chain: a text for each device."""

    met_by = ("MessageRejected",)

    def written(self, talk: Talk) -> list[Said]:
        return [Spy.of(self.keys_of("c1")).write(self.server, self.targets(), talk)]


class Reflected(Inserted):
    """Alice is shown what she wrote as bob's."""

    sender = "a1"
    nth = 1
    met_by = ("MessageRejected:reflected",)

    def extra(self, talk: Talk, picked: Said) -> Said:
        bob = self.device("b1")
        sealed = picked.envelopes[bob.device_id]
        alices = [one.device_id for one in self.server.state.devices_of(picked.sender_id)]
        return replace(
            picked,
            sender_id=bob.user_id,
            sender_device_id=bob.device_id,
            client_id=str(uuid4()),
            envelopes=dict.fromkeys(alices, sealed),
        )


class ReflectedAsOwn(Inserted):
    """Alice is shown what bob wrote as a message of her own device."""

    met_by = ("MessageRejected", "ProfileRestored")

    def extra(self, talk: Talk, picked: Said) -> Said:
        alice = self.device("a1")
        return replace(
            picked, sender_id=alice.user_id, sender_device_id=alice.device_id, client_id=str(uuid4())
        )


class RefiledTalk(Inserted):
    """What is for the two stands in the group, too."""

    met_by = ("MessageRejected",)

    def history(self, device: Device, talk: Talk, found: list[Said]) -> list[Said]:
        picked = self.picked
        if picked is None or talk is not self.group() or not self.meant(device):
            return found
        if not self.made:
            self.made.append(replace(picked, at=len(talk.messages)))
        at = self.made[0].at
        return [*found[:at], self.made[0], *found[at:]]


class RefiledFromGroup(RefiledTalk):
    """What is for the group stands in the direct conversation."""

    where = ()

    def history(self, device: Device, talk: Talk, found: list[Said]) -> list[Said]:
        picked = self.picked
        if picked is None or not self.is_direct(talk, "alice", "bob") or not self.meant(device):
            return found
        if not self.made:
            self.made.append(replace(picked, at=len(talk.messages)))
        at = self.made[0].at
        return [*found[:at], self.made[0], *found[at:]]


LIES: tuple[type[Lie], ...] = (
    *(Repeated, RepeatedInGroup, RepeatedAsNew, ForgedBytes, ForgedHidesDropped, FlippedHidesDropped),
    *(FromSpy, FromSpyAsPeer, StrangerInGroup, StrangersChain, FormerMember, FormerMemberPairwise),
    *(Reflected, ReflectedAsOwn, RefiledTalk, RefiledFromGroup),
)
