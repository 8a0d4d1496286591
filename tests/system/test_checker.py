"""The system under faults, judged by the checker; and the checker itself, which must be able to say no."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.checker import sabotage
from tests.system.checker.faults import Fault
from tests.system.checker.history import Event
from tests.system.checker.trial import SETTINGS, Size, Trial
from tests.system.checker.verdict import Violation, judge
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system

SHOWN = 20


def run(stack: Stack, size: Size, faults: int = 0, plan: list[list[Fault]] | None = None) -> list[Violation]:
    """The violations of a run with a fresh seed; its history is kept where there are any."""
    seed = secrets.randbelow(1_000_000)
    print(f"seed {seed}")
    trial = Trial(stack, seed, size, faults, plan)
    path = stack.folder / f"history-{seed}.jsonl"
    try:
        violations = trial.run()
    except BaseException:
        trial.history.save(path)
        raise
    print(trial.summary())
    if violations:
        trial.history.save(path)
        print(f"history in {path}", *violations[:SHOWN], sep="\n")
    return violations


def test_a_short_run_with_faults(tmp_path: Path) -> None:
    with running(Stack(tmp_path, "apart", SETTINGS)) as stack:
        assert not run(stack, Size(messages=400, every=2.0), faults=4)


def test_a_short_run_in_one_process(tmp_path: Path) -> None:
    with running(Stack(tmp_path, "one", SETTINGS)) as stack:
        plan = [[Fault("kill", "postgres")], [Fault("kill", "nats")]]
        assert not run(stack, Size(messages=200, users=3, groups=2, every=1.0), plan=plan)


# What it must turn red for.

KILLS = [[Fault("kill", "nats")], [Fault("kill", "message-1", 0.5)], [Fault("kill", "postgres")]]


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        ("outbox-off", {"outbox"}),
        ("relay-off", {"outbox"}),
        ("early-answer", {"lost"}),
    ],
)
def test_a_broken_promise_is_seen(mode: str, kinds: set[str], tmp_path: Path) -> None:
    programs = {"message": ["-m", sabotage.__name__, mode]}
    with running(Stack(tmp_path, "apart", SETTINGS, programs=programs)) as stack:
        violations = run(stack, Size(messages=600, every=2.0), plan=KILLS)
    assert kinds <= {violation.kind for violation in violations}


# The verdict alone, on histories made by hand: a device each of two users, and what goes wrong with them.


def good() -> list[Event]:
    """Ann sends three messages, Ben gets all on one socket and acknowledges two; then he reads afresh."""
    found: list[Event] = [
        {"at": 0.0, "what": "device", "device": "ann", "user": "Ann"},
        {"at": 0.0, "what": "device", "device": "ben", "user": "Ben"},
        {"at": 1.0, "what": "open", "socket": 1, "device": "ben"},
        {"at": 1.0, "what": "synced", "socket": 1},
    ]
    for seq in (1, 2, 3):
        shared = {"conversation": "c", "device": "ann", "client_id": f"id{seq}"}
        found += [
            {"at": seq + 1.0, "what": "send", **shared, "content": f"text{seq}", "sealed": False},
            {"at": seq + 1.1, "what": "sent", **shared, "seq": seq, "created_at": f"t{seq}"},
            received(seq + 1.2, 1, seq),
        ]
    return [
        *found,
        {"at": 10.0, "what": "ack", "socket": 1, "device": "ben", "conversation": "c", "seq": 2},
        {"at": 30.0, "what": "close", "socket": 1},
        {"at": 31.0, "what": "final"},
        {"at": 32.0, "what": "open", "socket": 2, "device": "ben"},
        received(32.1, 2, 3),
        {
            "at": 33.0,
            "what": "truth",
            "conversation": "c",
            "members": ["Ann", "Ben"],
            "messages": [
                {"seq": seq, "device": "ann", "client_id": f"id{seq}", "content": f"text{seq}"}
                for seq in (1, 2, 3)
            ],
            "changes": [{"change": 1, "at_seq": 0, "event": "created", "user_id": None}],
            "last_seq": 3,
            "last_change": 1,
        },
        {"at": 34.0, "what": "outbox", "schema": "message", "rows": 0},
    ]


def received(at: float, socket: int, seq: int) -> Event:
    return {
        "at": at,
        "what": "received",
        "socket": socket,
        "device": "ben",
        "conversation": "c",
        "seq": seq,
        "sender": "ann",
        "client_id": f"id{seq}",
        "content": f"text{seq}",
    }


def where(events: list[Event], **wanted: Any) -> Event:
    return next(one for one in events if all(one.get(key) == value for key, value in wanted.items()))


def test_a_good_history_is_good() -> None:
    assert judge(good()) == []


def _lost(events: list[Event]) -> None:
    truth = where(events, what="truth")
    truth["messages"].pop()
    truth["last_seq"] = 2


def _two_seqs(events: list[Event]) -> None:
    events.insert(6, {**where(events, what="sent", seq=1), "seq": 2})


def _hole(events: list[Event]) -> None:
    where(events, what="truth")["last_seq"] = 4


def _unsent(events: list[Event]) -> None:
    events.remove(where(events, what="send", client_id="id2"))


def _altered(events: list[Event]) -> None:
    where(events, what="received", seq=2)["content"] = "other"


def _out_of_sight(events: list[Event]) -> None:
    truth = where(events, what="truth")
    truth["members"] = ["Ann"]
    truth["changes"].append({"change": 2, "at_seq": 1, "event": "member_added", "user_id": "Ben"})
    truth["last_change"] = 2


def _disorder(events: list[Event]) -> None:
    events.insert(events.index(where(events, what="ack")), received(9.0, 1, 2))


def _gap(events: list[Event]) -> None:
    events.remove(where(events, what="received", seq=2))


def _missing(events: list[Event]) -> None:
    for event in [one for one in events if one["what"] == "received" and one["seq"] == 3]:
        events.remove(event)


def _late(events: list[Event]) -> None:
    where(events, what="received", seq=3)["at"] = 29.0


def _again(events: list[Event]) -> None:
    events.insert(events.index(where(events, what="received", socket=2)), received(32.05, 2, 2))


def _outbox(events: list[Event]) -> None:
    where(events, what="outbox")["rows"] = 1


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (_lost, "lost"),
        (_two_seqs, "two seqs"),
        (_hole, "hole"),
        (_unsent, "unsent"),
        (_altered, "altered"),
        (_out_of_sight, "out of sight"),
        (_disorder, "disorder"),
        (_gap, "gap"),
        (_missing, "missing"),
        (_late, "late"),
        (_again, "again"),
        (_outbox, "outbox"),
    ],
)
def test_each_violation_is_named(spoil: Callable[[list[Event]], None], kind: str) -> None:
    events = good()
    spoil(events)
    found = judge(events)
    assert kind in {violation.kind for violation in found}
    assert all(str(violation).startswith(violation.kind) for violation in found)


logging.getLogger("httpx").setLevel(logging.WARNING)
