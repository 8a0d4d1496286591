"""Who has missed an event knows it: events are numbered by where they come from.

Each instance is an *origin* with an id of its own, new with each start. What it publishes on a subject it
numbers 1, 2, 3 and so on, in a header beside the payload: `Messenger-Origin: ID NUMBER`. A number is taken
when the event goes out on the bus, for the instance's own events and for those that it relays from the
outbox alike, and again when one is published again: JetStream stores that once, and who listens hears it
twice. Every few seconds, and when it stops, an origin announces how far each of its subjects has come.

Who listens keeps for each origin and subject up to where it has heard all. What is missing for
`GRACE_SECONDS` (events may overtake each other) was missed; so was, perhaps, the last that came from an
origin which falls silent without having said that it stops. All that follows from a miss is that one looks
into PostgreSQL: a number that never went out costs that, and no more. An origin that is new here counts from
0, so whoever hears it for the first time in the middle of its life looks once.

An origin may skip a number: whoever counts its events looks once, too. So it makes good that it did not tell
somebody for a while (routes.py).

No I/O here, and times are in seconds of any clock that does not go back.
"""

from collections.abc import Collection, Container
from dataclasses import dataclass, field

from messenger.core.ids import new_id
from messenger.wire.events import Announced

HEADER = "Messenger-Origin"
ANNOUNCE_SECONDS = 3.0
GRACE_SECONDS = 1.0
SILENCE_SECONDS = 5 * ANNOUNCE_SECONDS
EARLY = 10_000  # numbers that may wait for one that is missing


class Origin:
    """This instance, as the others hear it."""

    def __init__(self) -> None:
        self.name = new_id()
        self._numbers: dict[str, int] = {}
        self._floor = 0  # the highest number of subjects that are forgotten

    def next(self, subject: str) -> str:
        """The header of the event that is published now."""
        number = self._numbers[subject] = self._numbers.get(subject, 0) + 1
        return f"{self.name} {number}"

    def skip(self, subject: str) -> None:
        """Leave a number out: whoever hears the subject has missed something, also one who knows it from
        before it was forgotten."""
        self._numbers[subject] = max(self._numbers.get(subject, 0), self._floor) + 1

    def forget(self, subject: str) -> None:
        """Nothing is published on the subject any more."""
        self._floor = max(self._floor, self._numbers.pop(subject, 0))

    @property
    def subjects(self) -> Collection[str]:
        """Those that it has published on, and not forgotten."""
        return self._numbers.keys()

    def announcement(self, *, last: bool = False) -> Announced:
        """How far it has come; `last`: and goes no further."""
        return Announced(origin=self.name, numbers=dict(self._numbers), last=last)


@dataclass(slots=True)
class _Heard:
    """The numbers heard of an origin on a subject: all up to `whole`, and some of what follows up to
    `known`."""

    whole: int = 0
    known: int = 0
    early: set[int] = field(default_factory=set)
    since: float = 0.0  # since when something is missing


@dataclass(slots=True)
class _Other:
    """Another instance."""

    at: float  # when it was last heard
    subjects: dict[str, _Heard] = field(default_factory=dict)
    last: bool = False


class Origins:
    """The numbers heard of the others on `subjects`; `own` is this instance's name."""

    def __init__(self, own: str, subjects: Container[str]) -> None:
        self._own = own
        self._subjects = subjects
        self._others: dict[str, _Other] = {}

    @property
    def any(self) -> bool:
        """Whether there are others."""
        return bool(self._others)

    @property
    def names(self) -> Collection[str]:
        """Those of the others."""
        return self._others.keys()

    def heard(self, header: str | None, subject: str, now: float) -> None:
        """An event has come with this header; without one it is of a version that does not number."""
        name, _, number = (header or "").partition(" ")
        if name and name != self._own and number.isascii() and number.isdigit():
            heard = self._of(name, subject, now)
            _take(heard, int(number), now)

    def announced(self, said: Announced, now: float) -> None:
        """An origin has said how far it has come."""
        if said.origin != self._own:
            self._others.setdefault(said.origin, _Other(now)).at = now
            for subject, number in said.numbers.items():
                if subject in self._subjects:
                    _expect(self._of(said.origin, subject, now), number, now)
            self._others[said.origin].last = said.last

    def _of(self, name: str, subject: str, now: float) -> _Heard:
        other = self._others.setdefault(name, _Other(now))
        other.at = now
        return other.subjects.setdefault(subject, _Heard())

    def missed(self, now: float) -> bool:
        """Whether something was missed that was not yet told of; to be asked every second or so."""
        found = False
        for name, other in list(self._others.items()):
            silent = now - other.at
            for heard in other.subjects.values():
                late = heard.whole < heard.known and now - heard.since >= GRACE_SECONDS
                if late or len(heard.early) > EARLY:
                    heard.whole = heard.known
                    heard.early.clear()
                    found = True
            if other.last and silent >= 2 * GRACE_SECONDS:
                del self._others[name]
            elif silent >= SILENCE_SECONDS:
                del self._others[name]
                found = True
        return found

    def deaf(self, now: float) -> None:
        """Nobody can be heard for now, so nobody is silent."""
        for other in self._others.values():
            other.at = now


def _take(heard: _Heard, number: int, now: float) -> None:
    if number == heard.whole + 1:
        heard.whole = number
        while heard.early and heard.whole + 1 in heard.early:
            heard.whole += 1
            heard.early.remove(heard.whole)
        heard.known = max(heard.known, heard.whole)
        heard.since = now
    elif number > heard.whole:
        heard.early.add(number)
        _expect(heard, number, now)


def _expect(heard: _Heard, number: int, now: float) -> None:
    if heard.whole == heard.known:
        heard.since = now
    heard.known = max(heard.known, number)
