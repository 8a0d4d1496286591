"""Rosters."""

from dataclasses import dataclass, field

from tests.client.second.basics import Given, Refused, ids, raw, sha256

RANK = {"member": 1, "admin": 2, "owner": 3}
BYTE = {"owner": b"\x01", "admin": b"\x02", "member": b"\x03"}
MOST_TRIES = 8


@dataclass(frozen=True)
class Roster:
    """One version."""

    conversation_id: str
    version: int
    members: list[Given]

    @classmethod
    def of(cls, conversation_id: str, version: int, members: list[Given]) -> "Roster":
        found = sorted(members, key=lambda one: ids(one["user_id"]))
        owners = sum(one["role"] == "owner" for one in found)
        if len({one["user_id"] for one in found}) != len(found):
            raise Refused("RosterRefused")
        if version and (len(found) > 400 or (found and owners != 1)):
            raise Refused("RosterRefused")
        return cls(conversation_id, version, found)

    @property
    def digest(self) -> bytes:
        text = b"messenger-roster-1\0" + ids(self.conversation_id) + self.version.to_bytes(8, "big")
        for one in self.members:
            text += ids(one["user_id"]) + raw(one["account_key"]) + BYTE[one["role"]]
        return sha256(text)

    def member(self, user_id: str) -> Given | None:
        return next((one for one in self.members if one["user_id"] == user_id), None)

    def role(self, user_id: str) -> str | None:
        found = self.member(user_id)
        return None if found is None else found["role"]

    def leads(self, user_id: str) -> bool:
        return self.role(user_id) in ("owner", "admin")

    def same_leaders(self, other: "Roster", admin: str) -> bool:
        """Whether owner and admins of both are the same, but for one that may be a member in the other."""
        leaders = {one["user_id"] for one in self.members + other.members if one["role"] != "member"}
        same = all(self.member(one) == other.member(one) for one in leaders - {admin})
        return same and other.role(admin) != "owner"

    def change(self, put: list[Given], remove: list[str]) -> Given:
        return {"version": self.version + 1, "previous": self.digest.hex(), "put": put, "remove": remove}

    def changed(self, change: Given, author: str) -> "Roster":
        put, remove = change["put"], change["remove"]
        named = [one["user_id"] for one in put] + remove
        fits = change["version"] == self.version + 1 and raw(change["previous"]) == self.digest
        if not fits or not named or len(set(named)) != len(named) or not self.may(author, put, remove):
            raise Refused("RosterRefused")
        left = [one for one in self.members if one["user_id"] not in named]
        return Roster.of(self.conversation_id, change["version"], left + put)

    def may(self, author: str, put: list[Given], remove: list[str]) -> bool:
        own = self.role(author)
        if own is None:
            return False
        hands_on = own == "owner" and any(one["role"] == "owner" and one["user_id"] != author for one in put)
        for user_id in remove:
            role = self.role(user_id)
            below = role is not None and own != "member" and RANK[role] < RANK[own]
            if role is None or not (below or user_id == author):
                return False
        return all(self.may_put(one, author, own, hands_on) for one in put)

    def may_put(self, new: Given, author: str, own: str, hands_on: bool) -> bool:
        before = self.member(new["user_id"])
        if before is None:
            return own != "member" and RANK[new["role"]] < RANK[own]
        same_key = before["account_key"] == new["account_key"]
        if new["user_id"] == author:
            return hands_on and new["role"] == "admin" and same_key
        if new["role"] == before["role"]:
            return own != "member" and not same_key
        if new["role"] == "owner":
            return hands_on and same_key
        return own == "owner"


@dataclass
class Kept:
    """The rosters of a conversation that are remembered, each from a place on."""

    rosters: list[tuple[int, Roster]] = field(default_factory=list)

    @property
    def current(self) -> Roster | None:
        return self.rosters[-1][1] if self.rosters else None

    def keep(self, roster: Roster, seq: int) -> None:
        self.rosters = [*self.rosters, (seq, roster)][-32:]

    def check_old(self, roster: Roster, sender: str, own: bool) -> None:
        """A roster that is not newer is passed over, if it could be."""
        for _, one in self.rosters:
            if roster.version and one.version == roster.version and one.digest != roster.digest:
                raise Refused("RosterRefused")
        if not own and not any(one.leads(sender) for _, one in self.rosters):
            raise Refused("RosterRefused")

    def stands(self) -> Given:
        if self.current is None:
            return {"version": None}
        return {"version": self.current.version, "digest": self.current.digest.hex()}


class RosterVerbs:
    """Verbs of rosters."""

    def __init__(self) -> None:
        super().__init__()
        self.rosters: dict[str, Kept] = {}

    def _kept(self, at: str) -> Kept:
        return self.rosters.setdefault(at, Kept())

    def do_roster(self, conversation_id: str, version: int, members: list[Given]) -> Given:
        return {"digest": Roster.of(conversation_id, version, members).digest.hex()}

    def do_begin_roster(
        self, at: str, conversation_id: str, version: int, members: list[Given], seq: int
    ) -> Given:
        self._kept(at).keep(Roster.of(conversation_id, version, members), seq)
        return self._kept(at).stands()

    def do_take_roster(
        self,
        at: str,
        conversation_id: str,
        version: int,
        members: list[Given],
        seq: int,
        sender: str,
        own: bool,
        away: bool,
    ) -> Given:
        made, kept = Roster.of(conversation_id, version, members), self._kept(at)
        standing = kept.current
        if standing is None or (away and version > standing.version):
            if not own and not made.leads(sender):
                raise Refused("RosterRefused")
            kept.keep(made, seq)
        elif version <= standing.version:
            kept.check_old(made, sender, own or away)
        elif own:
            kept.keep(made, seq)
        else:
            role = standing.role(sender)
            if role != "owner" and (role != "admin" or not standing.version):
                raise Refused("RosterRefused")
            if role == "owner" or standing.same_leaders(made, sender):
                kept.keep(made, seq)
        return kept.stands()

    def do_make_change(self, at: str, conversation_id: str, put: list[Given], remove: list[str]) -> Given:
        standing = self._kept(at).current
        assert standing is not None
        return {"change": standing.change(put, remove)}

    def do_take_change(self, at: str, conversation_id: str, change: Given, author: str, seq: int) -> Given:
        kept = self._kept(at)
        counts = self._take(kept, change, author, seq)
        return {"counts": counts, **kept.stands()}

    def _take(self, kept: Kept, change: Given, author: str, seq: int) -> str:
        standing = kept.current
        if standing is None or not standing.version:
            raise Refused("RosterRefused")
        if change["version"] <= kept.rosters[0][1].version:
            return "no"
        if change["version"] == standing.version:
            before = kept.rosters[-2][1]
            if raw(change["previous"]) == before.digest:
                after = before.changed(change, author)
                if seq >= kept.rosters[-1][0]:
                    return "no"
                if after.digest == standing.digest:
                    kept.rosters[-1] = (seq, standing)
                    return "no"
                kept.rosters.pop()
                kept.keep(after, seq)
                return "instead"
        if change["version"] < standing.version:
            rests_on = (change["version"] - 1, raw(change["previous"]))
            if any((one.version, one.digest) == rests_on for _, one in kept.rosters):
                return "no"
        kept.keep(standing.changed(change, author), seq)
        return "yes"

    def do_judge_roster(self, at: str, conversation_id: str, version: int, digest: str) -> Given:
        kept = self._kept(at)
        if kept.current is None or version > kept.current.version:
            return {"is": "newer"}
        for _, one in kept.rosters:
            if one.version == version and version:
                if one.digest != raw(digest):
                    return {"is": "differs"}
                return {"is": "same" if version == kept.current.version else "older"}
        return {"is": "older"}

    def do_roster_at(self, at: str, conversation_id: str, seq: int) -> Given:
        rosters = self._kept(at).rosters
        found = [one for place, one in rosters if place <= seq] or [one for _, one in rosters[:1]]
        return {"version": found[-1].version if found else None}

    def do_change_again(
        self, at: str, conversation_id: str, put: list[Given], remove: list[str], tries: int
    ) -> Given:
        standing = self._kept(at).current
        if standing is None:
            return {"change": None}
        put = [one for one in put if standing.member(one["user_id"]) != one]
        remove = [one for one in remove if standing.member(one) is not None]
        if not put and not remove:
            return {"change": None}
        if tries >= MOST_TRIES:
            raise Refused("RosterRefused")
        return {"change": standing.change(put, remove)}
