"""Rosters and their conflicts."""

from collections.abc import Iterator
from typing import Any

from tests.client.scenarios.cast import CONVERSATION, an_id, key_of
from tests.client.scenarios.script import Done, Script

IDS = {name: an_id(name) for name in ("alice", "bob", "carol", "dave", "erin")}


def stories() -> Iterator[Script]:
    yield rosters()
    yield rights()
    yield conflicts()
    yield whole()
    yield memory()


def member(name: str, role: str = "member", key: str = "") -> dict[str, str]:
    return {"user_id": an_id(name), "account_key": key_of(key or name), "role": role}


FIRST = [member("alice", "owner"), member("bob", "admin"), member("carol")]


class Kept:
    """The rosters as one device keeps them."""

    def __init__(self, script: Script, at: str) -> None:
        self.script = script
        self.at = {"at": at, "conversation_id": CONVERSATION}

    def begin(self, members: Any = None, *, version: int = 1, seq: int = 1) -> None:
        found = FIRST if members is None else members
        self.script.do("begin_roster", **self.at, version=version, members=found, seq=seq)

    def make(self, *put: dict[str, str], remove: tuple[str, ...] = ()) -> str:
        gone = [IDS[name] for name in remove]
        return self.script.do("make_change", **self.at, put=list(put), remove=gone)["change"]

    def take(self, change: Any, author: str, seq: int, note: str = "") -> None:
        self.script.do("take_change", note, **self.at, change=change, author=IDS[author], seq=seq)

    def refuse(self, change: Any, author: str, seq: int, note: str = "") -> None:
        arguments = {**self.at, "change": change, "author": IDS[author], "seq": seq}
        self.script.refused("RosterRefused", "take_change", note, **arguments)

    def whole(
        self, version: int, members: Any, sender: str, *, own: bool = False, away: bool = False, seq: int = 9
    ) -> dict[str, Any]:
        found = {**self.at, "version": version, "members": members, "seq": seq}
        return {**found, "sender": IDS[sender], "own": own, "away": away}

    def judge(self, version: int, digest: str, note: str = "") -> None:
        self.script.do("judge_roster", note, **self.at, version=version, digest=digest)


def rosters() -> Script:
    s = Script("rosters", "Digests, and what is no roster.")

    def roster(version: int, members: Any, note: str = "") -> Done:
        return s.do("roster", note, conversation_id=CONVERSATION, version=version, members=members)

    def refused(name: str, note: str, members: Any) -> None:
        s.refused(name, "roster", note, conversation_id=CONVERSATION, version=1, members=members)

    roster(1, FIRST)
    roster(1, FIRST[::-1], "the order does not matter")
    roster(2, FIRST)
    roster(9, [], "everybody has gone")
    roster(2**40, [member("alice", "owner")])
    refused("RosterRefused", "a member twice", [*FIRST, member("carol", "admin")])
    refused("RosterRefused", "no owner", FIRST[1:])
    refused("RosterRefused", "two owners", [*FIRST, member("dave", "owner")])
    refused("Malformed", "an id that is none", [*FIRST, {**member("dave"), "user_id": "dave"}])
    refused("Malformed", "an id in capitals", [*FIRST, {**member("dave"), "user_id": IDS["dave"].upper()}])
    many = [member("alice", "owner"), *(member(f"member {number}") for number in range(400))]
    many = [{**one, "account_key": key_of("all")} for one in many]
    refused("RosterRefused", "401 members", many)
    roster(0, many, "which a version 0 may have")
    roster(1, many[:400], "400")
    return s


def rights() -> Script:
    s = Script("rights", "What owner, admin and member may change, and what nobody may.")
    kept = Kept(s, "here")
    kept.begin([*FIRST, member("erin", "admin")])
    cases: list[tuple[str, str, tuple[dict[str, str], ...], tuple[str, ...]]] = [
        ("carol", "a member adds", (member("dave"),), ()),
        ("carol", "a member removes", (), ("bob",)),
        ("carol", "a member confirms a key", (member("bob", "admin", "new"),), ()),
        ("carol", "a member makes itself admin", (member("carol", "admin"),), ()),
        ("carol", "a member changes its own key", (member("carol", "member", "new"),), ()),
        ("dave", "a stranger adds itself", (member("dave"),), ()),
        ("dave", "a stranger removes", (), ("carol",)),
        ("bob", "an admin adds an admin", (member("dave", "admin"),), ()),
        ("bob", "an admin adds an owner", (member("dave", "owner"),), ()),
        ("bob", "an admin makes an admin", (member("carol", "admin"),), ()),
        ("bob", "an admin makes a member of an admin", (member("erin"),), ()),
        ("bob", "an admin removes an admin", (), ("erin",)),
        ("bob", "an admin removes the owner", (), ("alice",)),
        ("bob", "an admin makes itself owner", (member("bob", "owner"),), ()),
        ("bob", "an admin confirms its own key", (member("bob", "admin", "new"),), ()),
        ("bob", "one of two may not be done", (member("dave"), member("carol", "admin")), ()),
        ("alice", "the owner makes a second owner", (member("bob", "owner"),), ()),
        ("alice", "the owner lowers itself", (member("alice", "admin"),), ()),
        ("alice", "hands on, and is a member then", (member("bob", "owner"), member("alice")), ()),
        ("alice", "goes, and leaves no owner", (), ("alice",)),
        ("alice", "hands on to another key", (member("bob", "owner", "new"), member("alice", "admin")), ()),
        (
            "alice",
            "hands on under another key of its own",
            (member("bob", "owner"), member("alice", "admin", "new")),
            (),
        ),
        ("alice", "changes nothing of a member", (member("carol"),), ()),
        ("alice", "removes who is not there", (), ("dave",)),
        ("alice", "removes and puts one", (member("carol", "admin"),), ("carol",)),
        ("alice", "puts one twice", (member("dave"), member("dave", "admin")), ()),
        ("alice", "says nothing", (), ()),
    ]
    for author, note, put, remove in cases:
        kept.refuse(kept.make(*put, remove=remove), author, 2, note)
    good = kept.make(member("dave"))
    gives = s.steps[-1]["gives"]["change"]
    kept.refuse({**gives, "version": 3}, "alice", 2, "another version")
    kept.refuse({**gives, "previous": key_of("another")}, "alice", 2, "on another roster")
    taken = [
        ("bob", "an admin adds", good),
        ("bob", "confirms a member's key", (member("carol", "member", "new"),), ()),
        ("erin", "confirms the owner's", (member("alice", "owner", "new"),), ()),
        ("bob", "removes a member", (), ("dave",)),
        ("alice", "makes an admin", (member("carol", "admin", "new"),), ()),
        ("alice", "and a member of it again, with another key", (member("carol", "member", "newer"),), ()),
        ("carol", "goes by itself", (), ("carol",)),
        ("alice", "adds an admin and a member", (member("dave", "admin"), member("carol")), ()),
        ("alice", "hands on and stays", (member("bob", "owner"), member("alice", "admin", "new")), ()),
        ("bob", "hands on and goes", (member("erin", "owner"),), ("bob",)),
        ("alice", "an admin goes by itself", (), ("alice",)),
        ("erin", "removes all others", (), ("carol", "dave")),
        ("erin", "the last one goes", (), ("erin",)),
    ]
    for seq, (author, note, *change) in enumerate(taken, 2):
        made = change[0] if len(change) == 1 else kept.make(*change[0], remove=change[1])
        kept.take(made, author, seq, note)
    kept.refuse(kept.make(member("erin", "owner")), "erin", 50, "and nobody is left who could add")
    return s


def conflicts() -> Script:
    s = Script("conflicts of rosters", "Two changes of one version: the lower place counts, in either order.")
    one, other = Kept(s, "one"), Kept(s, "other")
    one.begin()
    other.begin()
    adds, removes = one.make(member("dave")), one.make(remove=("carol",))
    one.take(removes, "bob", 5)
    one.take(adds, "alice", 6, "came second, and is at a higher place")
    other.take(adds, "alice", 6, "came first, and is at a higher place")
    other.take(removes, "bob", 5, "counts in its place")
    other.take(removes, "bob", 5, "again")
    other.take(adds, "alice", 6, "again")
    arguments = {**other.at, "put": [member("dave")], "remove": [], "tries": 1}
    again = s.do("change_again", "the author of the other does it again", **arguments)
    for kept in (one, other):
        kept.take(again["change"], "alice", 7)
    other.take(removes, "bob", 5, "long decided")
    forged = {**s.steps[2]["gives"]["change"], "version": 3, "previous": key_of("another")}
    other.refuse(forged, "bob", 6, "of the version that stands, on another one before")
    s.do("change_again", "nothing is left to do", **arguments)
    gone = {**arguments, "put": [], "remove": [IDS["carol"]]}
    s.do("change_again", "nor here", **gone)
    s.refused(
        "RosterRefused", "change_again", "eight tries", **{**arguments, "put": [member("erin")], "tries": 8}
    )
    s.do("change_again", "the seventh", **{**arguments, "put": [member("erin")], "tries": 7})
    lower = other.make(member("erin"))
    higher = other.make(member("erin", "admin"))
    other.take(lower, "bob", 9)
    other.refuse(higher, "bob", 8, "at a lower place, by one who may not")
    other.take(higher, "alice", 8, "by one who may")
    other.take(higher, "alice", 7, "the same at a lower place, which is its place then")
    s.do("roster_at", **other.at, seq=7)
    joined = Kept(s, "joined")
    joined.begin(version=7)
    early = {"version": 7, "previous": key_of("any"), "put": [member("dave")], "remove": []}
    joined.take(early, "bob", 3, "made the first one that is known here, or another")
    joined.take({**early, "version": 4}, "erin", 2, "from before it, by anybody")
    joined.refuse({**early, "version": 8}, "bob", 5, "on another one than that")
    nobody = Kept(s, "nobody")
    nobody.refuse(higher, "alice", 8, "where there is no roster")
    return s


def whole() -> Script:
    s = Script(
        "rosters handed over", "Who has none takes one of who leads in it; else only of who leads here."
    )
    kept = Kept(s, "here")
    s.refused("RosterRefused", "take_roster", "of a member", **kept.whole(3, FIRST, "carol"))
    s.refused("RosterRefused", "take_roster", "of a stranger", **kept.whole(3, FIRST, "dave"))
    s.do("take_roster", "of an admin", **kept.whole(3, FIRST, "bob"))
    fourth = [*FIRST, member("dave")]
    s.refused("RosterRefused", "take_roster", "newer, of a member", **kept.whole(4, fourth, "carol"))
    s.refused(
        "RosterRefused",
        "take_roster",
        "of one who leads only in it",
        **kept.whole(4, [*fourth[:3], member("dave", "admin")], "dave"),
    )
    s.refused("RosterRefused", "take_roster", "the same, of who never led", **kept.whole(3, FIRST, "dave"))
    s.do("take_roster", "the same, of the owner", **kept.whole(3, FIRST, "alice"))
    s.refused("RosterRefused", "take_roster", "another of this version", **kept.whole(3, fourth, "alice"))
    s.do("take_roster", "an older one is passed over", **kept.whole(2, fourth, "alice"))
    s.refused("RosterRefused", "take_roster", "and told of others", **kept.whole(2, fourth, "carol"))
    s.do("take_roster", "newer, of an admin", **kept.whole(4, fourth, "bob", seq=11))
    s.refused("RosterRefused", "take_roster", "another of one before", **kept.whole(3, fourth, "alice"))
    admins = [*FIRST, member("dave", "admin")]
    s.do("take_roster", "an admin may not make admins by it", **kept.whole(6, admins, "bob", seq=11))
    no_owner = [member("bob", "owner"), member("carol")]
    s.do("take_roster", "nor be the owner", **kept.whole(6, no_owner, "bob", seq=11))
    lower = [FIRST[0], member("bob"), FIRST[2]]
    s.do("take_roster", "but be a member in it", **kept.whole(6, lower, "bob", seq=11))
    s.do("take_roster", "newer, of the owner", **kept.whole(7, fourth, "alice", seq=12))
    s.do("take_roster", "newer, of an own device", **kept.whole(8, FIRST, "dave", own=True, seq=14))
    back = [member("erin", "owner"), member("dave", "admin")]
    s.refused("RosterRefused", "take_roster", "led by others", **kept.whole(12, back, "erin"))
    away = kept.whole(12, back, "dave", away=True, seq=20)
    s.do("take_roster", "by one that is in none, and comes back", **away)
    s.do("take_roster", "an old one to such a one", **kept.whole(12, back, "carol", away=True))
    other = Kept(s, "from before")
    bare = [
        {**member(name, role), "account_key": ""} for name, role in (("alice", "owner"), ("bob", "admin"))
    ]
    other.begin(bare, version=0)
    other.refuse(
        {"version": 1, "previous": key_of("none"), "put": [member("dave")], "remove": []}, "alice", 3
    )
    s.refused("RosterRefused", "take_roster", "an admin by the server's word", **other.whole(1, FIRST, "bob"))
    s.do("take_roster", "the owner makes version 1", **other.whole(1, FIRST, "alice"))
    own = Kept(s, "own device")
    s.do("take_roster", "the first, of an own device", **own.whole(5, FIRST, "carol", own=True))
    return s


def memory() -> Script:
    s = Script("rosters at their places", "Which one stood at a place, and what another member's mark says.")
    kept = Kept(s, "here")
    s.do("roster_at", **kept.at, seq=5)
    kept.judge(1, key_of("any"), "there is none")
    kept.begin(seq=10)
    first = s.steps[-1]["gives"]["digest"]
    for version in range(2, 35):
        change = kept.make(member("carol", "member", f"key {version}"))
        kept.take(change, "alice", version * 10)
    before, last = (s.steps[number]["gives"]["digest"] for number in (-3, -1))
    for seq in (0, 15, 29, 30, 39, 40, 335, 339, 340, 5_000):
        s.do("roster_at", "the last 32 are kept" if seq == 15 else "", **kept.at, seq=seq)
    kept.judge(34, last, "the one that stands")
    kept.judge(34, first)
    kept.judge(35, last)
    kept.judge(33, before, "an older one")
    kept.judge(33, first, "an older one that differs")
    kept.judge(1, last, "one that is forgotten")
    return s
