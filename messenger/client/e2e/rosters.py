"""The rosters that a device has had of one conversation, from the first that it took to the one that stands.

Each stands from a place of the conversation on, so that what is written there is judged by the roster of its
place. Changes of one's own are kept until they have their place, and done again where others came before.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, field

from messenger.client.e2e.bodies import RosterChange
from messenger.client.e2e.errors import RosterRefused
from messenger.client.e2e.payload import RosterMark
from messenger.client.e2e.roster import Entry, Roster
from messenger.client.e2e.state import dump, load

KEPT = 32  # rosters of a conversation that are remembered
MAX_TRIES = 8  # of a change that others came before
MAX_INTENTS = 100
MAX_ASKED = 3  # times that a roster is asked for before it is told that it does not come
MAX_GIVEN = 4_000  # devices that are remembered to have been handed the roster


def _same_leaders(standing: Roster, roster: Roster, sender: str) -> bool:
    """Whether owner and admins are as they were, but for the sender, who may have become a member."""
    leaders = {one.user_id for of in (standing, roster) for one in of.members if one.role != "member"}
    if any(standing.member(one) != roster.member(one) for one in leaders - {sender}):
        return False
    return roster.role_of(sender) != "owner"


class Intent(Struct):
    """A change of one's own that is under way: what it is to do, and how often it was tried."""

    put: list[Entry]
    remove: list[str]
    tries: int = 1


class Changed(Struct, frozen=True):
    """A change that counts. `replaced` stood at a higher place with the same version, and counts no more."""

    before: Roster
    after: Roster
    replaced: bool = False


class _Kept(Struct):
    seq: int
    version: int
    members: list[Entry]
    digest: bytes


class _State(Struct):
    conversation_id: str
    kept: list[_Kept] = field(default_factory=list)  # the oldest first
    given: dict[str, str] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    done: tuple[int, Intent] | None = None
    asked_at: float = 0.0
    asked: int = 0  # times, since a roster came last
    told: list[str] = field(default_factory=list)


Standing = Literal["same", "older", "newer", "differs"]


class Rosters:
    """The rosters that a device has had of one conversation, each with the place from which it stood."""

    def __init__(self, conversation_id: str) -> None:
        self._state = _State(conversation_id.lower())

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Rosters":
        """Decode what `to_bytes` wrote; BadState for anything else."""
        made = cls("")
        made._state = load(raw, _State)
        return made

    def to_bytes(self) -> bytes:
        """All that is remembered."""
        return dump(self._state)

    def _roster(self, kept: _Kept) -> Roster:
        return Roster(self._state.conversation_id, kept.version, tuple(kept.members))

    @property
    def current(self) -> Roster | None:
        """The roster that stands."""
        return self._roster(self._state.kept[-1]) if self._state.kept else None

    @property
    def mark(self) -> RosterMark | None:
        """What each payload says of the roster that stands; None for none, and for version 0."""
        last = self._state.kept[-1] if self._state.kept else None
        return (
            None
            if last is None or last.version == 0
            else RosterMark(version=last.version, digest=last.digest)
        )

    @property
    def first_seq(self) -> int:
        """The place from which anything is known here; 0 where nothing is."""
        return self._state.kept[0].seq if self._state.kept else 0

    def at(self, seq: int) -> Roster | None:
        """The roster that stood at a place; the oldest that is remembered for what lies before."""
        found = [one for one in self._state.kept if one.seq <= seq] or self._state.kept[:1]
        return self._roster(found[-1]) if found else None

    def had(self, user_id: str) -> bool:
        """Whether a user was in one of the rosters that are remembered."""
        return any(one.user_id == user_id for kept in self._state.kept for one in kept.members)

    def begin(self, roster: Roster, seq: int) -> None:
        """Go on with a roster from a place on, whatever stood before."""
        self._keep(roster, seq)

    def take_whole(
        self, roster: Roster, seq: int, sender: str, *, own: bool, away: bool = False
    ) -> Roster | None:
        """Take a roster that a member handed over; the one before it, or None where there was none.

        RosterRefused, unless it is the first and its sender leads it, or it has a higher version and its
        sender leads the roster that stands; with `own` (another device of one's own) both are granted. An
        admin may not replace owner and admins by it: such a one is passed over, and so is one that is not
        newer; the return value is then the roster itself. `away`: this user is not in the roster that stands,
        and comes back to a group that others may lead by now.
        """
        standing = self.current
        if standing is None or (away and roster.version > standing.version):
            if not own and not roster.leads(sender):
                raise RosterRefused("A roster comes from somebody who is neither owner nor admin in it.")
        elif roster.version <= standing.version:
            self._check_old(roster, sender, own=own or away)
            return roster
        elif not own:
            leads = standing.role_of(sender) == "owner" if standing.version == 0 else standing.leads(sender)
            if not leads:
                raise RosterRefused("A roster comes from somebody who may not change the one that stands.")
            if standing.role_of(sender) == "admin" and not _same_leaders(standing, roster, sender):
                return roster
        self._keep(roster, seq)
        return standing

    def _check_old(self, roster: Roster, sender: str, *, own: bool) -> None:
        """RosterRefused for an older roster that is none of those that stood, or from who never led."""
        same = [one for one in self._state.kept if one.version == roster.version and one.version]
        if any(one.digest != roster.digest for one in same):
            raise RosterRefused("A member hands over another roster of a version that stood here.")
        if not own and not any(self._roster(one).leads(sender) for one in self._state.kept):
            raise RosterRefused("A roster comes from somebody who leads the group by that roster alone.")

    def take_change(self, change: RosterChange, author: str, seq: int) -> Changed | None:
        """Take a change at its place; None where it is known, or came after another one of its version.

        RosterRefused for one that does not count.
        """
        kept = self._state.kept
        standing = self.current
        if standing is None or standing.version == 0:
            raise RosterRefused("A roster is changed that this device has not got.")
        if change.version <= kept[0].version:
            return None  # from before this device was in the group, or decided then
        if change.version == standing.version:
            before = self._roster(kept[-2])
            if change.previous == kept[-2].digest:
                after = before.changed(change, author)
                if seq >= kept[-1].seq:
                    return None
                if after.digest == kept[-1].digest:
                    kept[-1].seq = seq  # what comes in between comes later than this
                    return None
                kept.pop()
                self._keep(after, seq)
                return Changed(before, after, replaced=True)
        if change.version < standing.version and any(
            one.version == change.version - 1 and one.digest == change.previous for one in kept
        ):
            return None  # long decided
        after = standing.changed(change, author)
        self._keep(after, seq)
        return Changed(standing, after)

    def judge(self, mark: RosterMark) -> Standing:
        """How another member's roster stands to the one here, by its mark."""
        standing = self.current
        if standing is None or mark.version > standing.version:
            return "newer"
        for kept in self._state.kept:
            if kept.version == mark.version and kept.version:
                if kept.digest != mark.digest:
                    return "differs"
                return "same" if kept.version == standing.version else "older"
        return "older"

    def _keep(self, roster: Roster, seq: int) -> None:
        state = self._state
        state.asked = 0
        digest = roster.digest if roster.version else b""  # nobody vouches for version 0
        state.kept.append(_Kept(seq, roster.version, list(roster.members), digest))
        del state.kept[:-KEPT]
        inside = {one.user_id for one in roster.members}
        state.given = {device: user for device, user in state.given.items() if user in inside}

    # handing it on

    def lacking(self, device_ids: Iterable[str]) -> list[str]:
        """Those of these devices that were not handed the roster."""
        return [device for device in device_ids if device not in self._state.given]

    def give(self, devices: Iterable[tuple[str, str]]) -> None:
        """These devices, (device, user), have it."""
        self._state.given.update(devices)
        for old in list(self._state.given)[: len(self._state.given) - MAX_GIVEN]:
            del self._state.given[old]

    def may_ask(self, now: float, every: float) -> bool:
        """Whether to ask for the roster now; at most once in `every` seconds."""
        # What was asked in the future was asked by a clock that was wrong: it holds nothing back.
        if abs(now - self._state.asked_at) < every:
            return False
        self._state.asked_at = now
        self._state.asked += 1
        return True

    @property
    def unanswered(self) -> bool:
        """Whether it was asked for as often as it is, and did not come."""
        return self._state.asked > MAX_ASKED

    def first_time(self, what: str) -> bool:
        """Whether this is told for the first time, of the last 50 things."""
        if what in self._state.told:
            return False
        self._state.told = [*self._state.told, what][-50:]
        return True

    # changes of one's own

    def intend(self, client_id: str, intent: Intent) -> None:
        """A change is under way in the message `client_id`. RosterRefused where there are too many."""
        if len(self._state.intents) >= MAX_INTENTS:
            raise RosterRefused("Too many changes of the roster are under way.")
        self._state.intents[client_id] = intent

    def intended(self, client_id: str) -> Intent | None:
        """What a message was to do; it is under way no more."""
        return self._state.intents.pop(client_id, None)

    def done(self, version: int, intent: Intent | None) -> None:
        """An own change has made this version: as long as nothing comes before it."""
        self._state.done = None if intent is None else (version, intent)

    def undone(self, version: int) -> Intent | None:
        """What the own change was to do that had made this version, which another one has made now."""
        done, self._state.done = self._state.done, None
        return done[1] if done is not None and done[0] == version else None

    @property
    def under_way(self) -> list[str]:
        """The messages of one's own changes that have no place yet."""
        return list(self._state.intents)

    def again(self, intent: Intent) -> RosterChange | None:
        """The same change on the roster that stands now; None where there is nothing left to do.

        RosterRefused after eight tries.
        """
        standing = self.current
        if standing is None:
            return None
        remove = [one for one in intent.remove if standing.member(one) is not None]
        put = [one for one in intent.put if standing.member(one.user_id) != one]
        if not put and not remove:
            return None
        if intent.tries >= MAX_TRIES:
            raise RosterRefused("Others keep changing the roster.")
        return standing.change(put, remove)
