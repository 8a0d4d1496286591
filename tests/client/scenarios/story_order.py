"""What was seen, and numbers."""

from collections.abc import Iterator
from typing import Any

from tests.client.scenarios.cast import CONVERSATION, an_id, key_of
from tests.client.scenarios.script import Script


def stories() -> Iterator[Script]:
    yield seen()
    yield numbers()


def place(seq: int, name: str = "") -> list[Any]:
    return [seq, an_id(f"device {seq % 3}"), an_id(f"message {name or seq}")]


def seen() -> Script:
    s = Script("seen", "Digests of the last places, and who compares what.")

    def say(*seqs: int, note: str = "") -> str:
        places = [place(seq) for seq in seqs]
        return s.do("seen", note, conversation_id=CONVERSATION, places=places)["seen"]

    def compare(said: Any, seq: int, places: list[Any], note: str = "") -> None:
        s.do("compare_seen", note, seen=said, conversation_id=CONVERSATION, seq=seq, places=places)

    say(note="nothing")
    say(1)
    three = say(5, 6, 7)
    say(2, 3, 5, 6, 7, note="what is before a hole is left out")
    say(2, 3, 5, note="one place after a hole")
    most = say(*range(1, 41), note="32 at most")
    held = [place(seq) for seq in (5, 6, 7)]
    compare(three, 8, held)
    compare(three, 8, [held[0], place(6, "another"), held[2]], "another message at a place")
    compare(three, 8, [held[0], [6, an_id("device x"), held[1][2]], held[2]], "of another device")
    compare(three, 8, held[:2], "one is not held here: nothing to compare")
    compare(three, 8, [held[0], held[2]], "nor with a hole")
    compare(three, 8, [])
    compare(three, 7, held, "it speaks of its own place")
    compare(three, 6, held, "or of a later one")
    compare(most, 41, [place(seq) for seq in range(9, 41)])
    wrong = {"from": 1, "seq": 33, "digest": key_of("any")}
    compare(wrong, 50, [], "more than 32 places")
    compare({**wrong, "from": 9, "seq": 8}, 50, [], "none")
    return s


def numbers() -> Script:
    s = Script("numbers", "Gaps from 1 on, late ones, repeats, what is excused and what waits.")

    def see(*seen: int, of: str = "a", waiting: bool = False, note: str = "") -> None:
        for number in seen:
            s.do("number", note, of=of, number=number, waiting=waiting)

    def again(number: int, of: str = "a") -> None:
        s.refused("ReplayedMessage", "number", of=of, number=number, waiting=False)

    see(1, 2, 5, 4, 3)
    for number in (1, 3, 5):
        again(number)
    see(10, 7, of="held back", note="the first ones are missing")
    s.do("expect_number", "what a sender key names", of="joined", number=40)
    see(40, 42, of="joined")
    s.do("expect_number", "it names it once", of="joined", number=60)
    see(43, of="joined")
    see(39, of="joined", note="from before: whether it came can't be told")
    again(40, of="joined")
    s.do("excuse_number", of="excused")
    s.do("excuse_number", of="excused")
    see(1, 5, 7, of="excused", note="two are explained")
    see(1, of="waits")
    see(4, 6, of="waits", waiting=True)
    see(3, of="waits", waiting=True)
    s.do("questions_ended", of="waits")
    s.do("questions_ended", "told once", of="waits")
    see(5, of="waits")
    for number in range(2, 134, 2):
        see(number, of="many")
    see(1, 3, of="many", note="so old that it can't be told from one that came")
    see(3, of="many")
    see(131, of="many")
    again(131, of="many")
    again(132, of="many")
    return s
