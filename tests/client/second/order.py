"""What was seen at a conversation's places, and the numbers of one sender."""

from dataclasses import dataclass, field
from typing import Any

from tests.client.second.basics import Given, Refused, ids, raw, sha256

Runs = list[list[int]]


def digest_of(conversation_id: str, places: list[Any]) -> bytes:
    text = b"messenger-seen-1\0" + ids(conversation_id)
    return sha256(text, *(seq.to_bytes(8, "big") + ids(device, client) for seq, device, client in places))


def without(runs: Runs, number: int) -> Runs:
    left: Runs = []
    for first, last in runs:
        if first <= number <= last:
            left += [run for run in ([first, number - 1], [number + 1, last]) if run[0] <= run[1]]
        else:
            left.append([first, last])
    return left


@dataclass
class Numbers:
    """How far a sender's device has come."""

    next: int | None = None
    missing: Runs = field(default_factory=list)
    untold: Runs = field(default_factory=list)
    excused: int = 0
    forgotten: int = 0

    def bound(self) -> None:
        while len(self.missing) > 64:
            self.forgotten = self.missing.pop(0)[1]

    def see(self, number: int, waiting: bool) -> Given:
        if self.next is None:
            self.next = 1
        if number < self.next:
            self.untold = without(self.untold, number)
            left = without(self.missing, number)
            if left == self.missing and number > self.forgotten:
                raise Refused("ReplayedMessage")
            self.missing = left
            self.bound()
            return {"is": "late"}
        first, self.next = self.next, number + 1
        if first == number:
            return {"is": "next"}
        self.missing.append([first, number - 1])
        self.bound()
        count = number - first
        explained = min(count, self.excused)
        self.excused -= explained
        if waiting and count > explained:
            self.untold = [*self.untold, [first, number - 1]][-64:]
            return {"is": "gap", "told": 0}
        return {"is": "gap", "told": count - explained}


class Order:
    """Verbs of `seen` and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, Numbers] = {}

    def do_seen(self, conversation_id: str, places: list[Any]) -> Given:
        run = places[-1:]
        for place in places[-2::-1]:
            if len(run) == 32 or place[0] != run[0][0] - 1:
                break
            run.insert(0, place)
        if not run:
            return {"seen": None}
        digest = digest_of(conversation_id, run).hex()
        return {"seen": {"from": run[0][0], "seq": run[-1][0], "digest": digest}}

    def do_compare_seen(self, seen: Given, conversation_id: str, seq: int, places: list[Any]) -> Given:
        first, last = seen["from"], seen["seq"]
        if not first <= last < seq or last - first >= 32:
            return {"differs": True}
        if [place[0] for place in places] != list(range(first, last + 1)):
            return {"differs": False}
        return {"differs": digest_of(conversation_id, places) != raw(seen["digest"])}

    def _numbers(self, of: str) -> Numbers:
        return self.numbers.setdefault(of, Numbers())

    def do_expect_number(self, of: str, number: int) -> Given:
        there = self._numbers(of)
        if there.next is None:
            there.next, there.forgotten = number, number - 1
        return {}

    def do_number(self, of: str, number: int, waiting: bool) -> Given:
        there = self._numbers(of)
        return {**there.see(number, waiting), "missing": there.missing}

    def do_excuse_number(self, of: str) -> Given:
        self._numbers(of).excused += 1
        return {}

    def do_questions_ended(self, of: str) -> Given:
        there = self._numbers(of)
        told, there.untold = there.untold, []
        return {"told": told}
