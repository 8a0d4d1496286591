"""Rosters, what was seen, and numbers."""

from typing import Any

import msgspec

from messenger.client.e2e import Entry, Gap, InOrder, Intent, Progress, Roster, Rosters
from messenger.client.e2e.bodies import RosterBody, RosterChange, RosterMember
from messenger.client.e2e.payload import RosterMark, Seen
from messenger.client.e2e.seen import differs, seen_of

raw = bytes.fromhex
Given = dict[str, Any]


def entries_of(members: list[Given]) -> list[Entry]:
    return [Entry(one["user_id"], raw(one["account_key"]), one["role"]) for one in members]


def members_of(members: list[Given]) -> list[RosterMember]:
    return [
        RosterMember(user_id=one["user_id"], account_key=raw(one["account_key"]), role=one["role"])
        for one in members
    ]


def hexed(value: Any) -> Any:
    """Structs as objects, with bytes as hex."""
    if isinstance(value, msgspec.Struct):
        return {name: hexed(one) for name, one in msgspec.structs.asdict(value).items()}
    if isinstance(value, list | tuple):
        return [hexed(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value


def change_of(given: Given) -> RosterChange:
    return RosterChange(
        version=given["version"],
        previous=raw(given["previous"]),
        put=members_of(given["put"]),
        remove=given["remove"],
    )


class RosterVerbs:
    """Verbs of rosters, `seen` and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.rosters: dict[str, Rosters] = {}
        self.counted: dict[str, Progress] = {}

    def _rosters(self, at: str, conversation_id: str) -> Rosters:
        found = Rosters.from_bytes(self.rosters.get(at, Rosters(conversation_id)).to_bytes())
        self.rosters[at] = found
        return found

    def _stands(self, at: str) -> Given:
        standing = self.rosters[at].current
        if standing is None:
            return {"version": None}
        return {"version": standing.version, "digest": standing.digest.hex()}

    def do_roster(self, conversation_id: str, version: int, members: list[Given]) -> Given:
        made = Roster.of(conversation_id, version, entries_of(members))
        return {"digest": made.digest.hex()}

    def do_begin_roster(
        self, at: str, conversation_id: str, version: int, members: list[Given], seq: int
    ) -> Given:
        made = Roster.of(conversation_id, version, entries_of(members))
        self._rosters(at, conversation_id).begin(made, seq)
        return self._stands(at)

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
        body = RosterBody(version=version, members=members_of(members))
        there = self._rosters(at, conversation_id)
        there.take_whole(Roster.of_body(conversation_id, body), seq, sender, own=own, away=away)
        return self._stands(at)

    def do_make_change(self, at: str, conversation_id: str, put: list[Given], remove: list[str]) -> Given:
        standing = self._rosters(at, conversation_id).current
        assert standing is not None
        made = hexed(standing.change(entries_of(put), remove))
        return {"change": made}

    def do_take_change(self, at: str, conversation_id: str, change: Given, author: str, seq: int) -> Given:
        found = self._rosters(at, conversation_id).take_change(change_of(change), author, seq)
        counts = "no" if found is None else "instead" if found.replaced else "yes"
        return {"counts": counts, **self._stands(at)}

    def do_judge_roster(self, at: str, conversation_id: str, version: int, digest: str) -> Given:
        mark = RosterMark(version=version, digest=raw(digest))
        return {"is": self._rosters(at, conversation_id).judge(mark)}

    def do_roster_at(self, at: str, conversation_id: str, seq: int) -> Given:
        found = self._rosters(at, conversation_id).at(seq)
        return {"version": None if found is None else found.version}

    def do_change_again(
        self, at: str, conversation_id: str, put: list[Given], remove: list[str], tries: int
    ) -> Given:
        """An own change came second: what is left of it to be done."""
        made = self._rosters(at, conversation_id).again(Intent(entries_of(put), remove, tries))
        return {"change": hexed(made)}

    # what was seen, and numbers

    def do_seen(self, conversation_id: str, places: list[Any]) -> Given:
        found = seen_of(conversation_id, [tuple(one) for one in places])
        if found is None:
            return {"seen": None}
        return {"seen": {"from": found.first, "seq": found.seq, "digest": found.digest.hex()}}

    def do_compare_seen(self, seen: Given, conversation_id: str, seq: int, places: list[Any]) -> Given:
        said = Seen(first=seen["from"], seq=seen["seq"], digest=raw(seen["digest"]))
        return {"differs": differs(said, conversation_id, seq, [tuple(one) for one in places])}

    def _counted(self, of: str) -> Progress:
        found = Progress.from_bytes(self.counted.get(of, Progress()).to_bytes())
        self.counted[of] = found
        return found

    def do_expect_number(self, of: str, number: int) -> Given:
        self._counted(of).expect(number)
        return {}

    def do_number(self, of: str, number: int, waiting: bool) -> Given:
        there = self._counted(of)
        verdict = there.see(number, waiting=waiting)
        told = {"is": "late"}
        if isinstance(verdict, InOrder):
            told = {"is": "next"}
        elif isinstance(verdict, Gap):
            told = {"is": "gap", "told": verdict.untold}
        return {**told, "missing": hexed(there.missing)}

    def do_excuse_number(self, of: str) -> Given:
        self._counted(of).pass_over()
        return {}

    def do_questions_ended(self, of: str) -> Given:
        return {"told": hexed(self._counted(of).question_ended())}
