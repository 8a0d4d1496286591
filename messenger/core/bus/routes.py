"""Each instance hears its own: to whom an event goes that concerns certain users.

Users fall into 256 shards (wire/shards.py). An instance *wants* the shards of the users whose sockets it has,
and says so in its announcements (origins.py), each set under a rising version. Whoever tells something knows
the shards that it concerns, and publishes it once for each instance that wants one of them, on a subject of
that instance's own: `SUBJECT.NAME`. So an instance with nobody of a conversation is not even woken, and a
commit of many conversations is one event for an instance, not one for each shard. What more than half of all
instances want goes to all, on `SUBJECT` itself.

Nothing may go past an instance for which others do not know yet, or not any more:

- Who wants another shard reads nothing for its users until all have said that they know (`Noted`), and asks
  with each announcement until they have. One that does not answer in time is not waited for; what it told
  meanwhile counts as missed when it answers at last. So does what one told that is heard of late.
- An instance that is new tells all everything for YOUTH_SECONDS: by then it has heard of all that were there.
- One that takes up another later, or again, may have told things without it. It skips a number on that one's
  subject, so the other has missed something, and looks.
- An instance of the version before wants everything, and is heard to be one: as long as there is one, all is
  told to all.

What remains is what remains with any event: where it gets lost, its number is missing.

No I/O here. An instance that hears and tells nothing of users has version 0, and takes no part in this.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from messenger.core.bus.origins import ANNOUNCE_SECONDS, Origin
from messenger.wire.events import Announced, Noted

T = TypeVar("T")

YOUTH_SECONDS = 2 * ANNOUNCE_SECONDS
EVERYONE = ""
_BYTES = 32


@dataclass(slots=True)
class _Peer:
    """Another instance: what it wants, and which version of ours it knows."""

    shards: int
    version: int
    noted: int = 0
    waited: bool = True  # by who wants another shard
    lacking: bool = False  # it may have told things without us: they are missed, once it knows


class Routes:
    """Of one instance, which is `origin` to the others. `seconds` is its clock."""

    def __init__(self, origin: Origin, seconds: Callable[[], float]) -> None:
        self._origin = origin
        self._seconds = seconds
        self._young_until = float("inf")  # it has not been heard yet
        self._bases: list[str] = []
        self._peers: dict[str, _Peer] = {}
        self._old: set[str] = set()  # instances of the version before
        self.shards = 0
        self.version = 0
        self._missed = False
        self.due = False
        """Whether the others had better hear of this instance now."""

    # what this instance wants

    def on(self, subject: str) -> str:
        """This numbered subject is one of those that go to single instances; gives this one's own."""
        self._bases.append(subject)
        return self.own(subject)

    def own(self, subject: str) -> str:
        """This instance's own subject below `subject`."""
        return f"{subject}.{self._origin.name}"

    def want(self, shards: int) -> int:
        """From now on it wants these; gives the version under which it does."""
        self.shards = shards
        self.version += 1
        self.due = True
        return self.version

    def known(self, version: int) -> bool:
        """Whether all know what was wanted then, as far as they are waited for."""
        return all(peer.noted >= version or not peer.waited for peer in self._peers.values())

    def give_up(self, version: int) -> None:
        """Wait no longer for those that don't know what was wanted then."""
        for peer in self._peers.values():
            if peer.noted < version:
                peer.waited, peer.lacking = False, True

    def announcement(self, *, last: bool = False) -> Announced:
        """The announcement that the others are to hear now."""
        self.due = False
        self._young_until = min(self._young_until, self._seconds() + YOUTH_SECONDS)
        return replace(
            self._origin.announcement(last=last),
            shards=self.shards.to_bytes(_BYTES, "big"),
            version=self.version,
            asks=any(peer.noted < self.version for peer in self._peers.values()),
            young=self._young,
        )

    def noted(self, said: Noted) -> None:
        """Another instance knows a version of what is wanted here."""
        peer = self._peers.get(said.origin)
        if peer is not None:
            peer.noted = max(peer.noted, said.version)
            if peer.noted >= self.version:
                self._missed = self._missed or peer.lacking
                peer.waited, peer.lacking = True, False

    def missed(self) -> bool:
        """Whether something was missed that was not yet told of."""
        missed, self._missed = self._missed, False
        return missed

    # what the others want

    def announced(self, said: Announced) -> Noted | None:
        """Another instance has been heard; gives what to tell it, on its own subject of NOTED."""
        if said.origin == self._origin.name:
            return None
        if said.shards is None:
            if said.origin not in self._old:
                self._old.add(said.origin)
                self._take_up("")
            return None
        if said.last or not said.version or not self.version:
            gone = self._peers.pop(said.origin, None)
            self._missed = self._missed or (gone is not None and gone.lacking)
            return None
        peer = self._peers.get(said.origin)
        shards = int.from_bytes(said.shards, "big")
        if peer is None:
            peer = self._peers[said.origin] = _Peer(shards, said.version, lacking=not said.young)
            self._take_up(f".{said.origin}")
            self.due = True
        elif said.version > peer.version:
            peer.shards, peer.version = shards, said.version
        elif not said.asks:
            return None
        return Noted(origin=self._origin.name, version=peer.version)

    def _take_up(self, suffix: str) -> None:
        """Count what was told before as missed by these subjects, except where all was told to all."""
        if not self._young:
            for base in self._bases:
                self._origin.skip(base + suffix)
            self.due = True

    def keep(self, names: Container[str]) -> None:
        """Forget all others; to be called every second or so."""
        self._peers = {name: peer for name, peer in self._peers.items() if name in names}
        self._old = {name for name in self._old if name in names}
        for subject in list(self._origin.subjects):
            base, _, name = subject.rpartition(".")
            if base in self._bases and name not in self._peers:
                self._origin.forget(subject)

    @property
    def _young(self) -> bool:
        return self._seconds() < self._young_until

    # what goes to whom

    def split(
        self, subject: str, items: Sequence[T], concerns: Callable[[T], int | None]
    ) -> list[tuple[str, list[T]]]:
        """Sort `items` by where they are to be published. Each `concerns` a set of shards; None: all.

        What nobody else wants is in none. Who is alone tells everyone.
        """
        if not items:
            return []
        if self._young or self._old or not self._peers:
            return [(subject, list(items))]
        found: dict[str, list[T]] = {}
        half = (len(self._peers) + 1) / 2
        for item in items:
            shards, names = concerns(item), [EVERYONE]
            if shards is not None:
                names = [name for name, peer in self._peers.items() if peer.shards & shards]
                if len(names) > half:
                    names = [EVERYONE]
            for name in names:
                found.setdefault(name, []).append(item)
        return [(f"{subject}.{name}" if name else subject, some) for name, some in found.items()]
