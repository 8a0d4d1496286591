"""Gaps in what one device of a sender has written in a conversation.

The server numbers messages itself, so its numbers say nothing about what it holds back. Each sender therefore
numbers its own messages of a conversation inside the plaintext, from 1 on, and the receiver looks for what is
missing.

Two things keep a gap from being told at once. A place that the server says was deleted or has expired was
told when it came (`pass_over`), and explains one number. And where a message was asked for again, its number
may yet come: then what is missing is told when the question has ended (`question_ended`).
"""

from msgspec import Struct, field

from messenger.client.e2e.errors import ReplayedMessage
from messenger.client.e2e.state import dump, load

MAX_RANGES = 64  # of missing numbers; the oldest are given up first


class InOrder(Struct, frozen=True):
    """The next number."""


class Gap(Struct, frozen=True):
    """Numbers before this one have not come: (first, last) of each run, and how many are to be told of."""

    missing: tuple[tuple[int, int], ...]
    untold: int


class Late(Struct, frozen=True):
    """A number that was missing: sent again on request, or moved by the server."""

    number: int


Verdict = InOrder | Gap | Late


class _State(Struct):
    next: int | None = None
    missing: list[tuple[int, int]] = field(default_factory=list)
    excused: int = 0
    given_up: int = 0  # up to here, missing numbers may have been forgotten
    untold: list[tuple[int, int]] = field(default_factory=list)
    away: bool = False


class Progress:
    """How far one device of a sender has come in one conversation."""

    def __init__(self) -> None:
        self._state = _State()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Progress":
        """Decode what `to_bytes` wrote; BadState for anything else."""
        made = cls()
        made._state = load(raw, _State)
        return made

    def to_bytes(self) -> bytes:
        """The numbers seen."""
        return dump(self._state)

    @property
    def missing(self) -> list[tuple[int, int]]:
        """The runs of numbers that have not come, (first, last)."""
        return list(self._state.missing)

    def expect(self, number: int) -> None:
        """The sender said what its next message will bear, to a device that has not heard it before.

        What it wrote before that was not counted here, and may still come where it is asked for again.
        """
        state = self._state
        if state.next is None or (state.away and number >= state.next):
            state.next, state.given_up, state.away = number, number - 1, False
            state.missing, state.untold, state.excused = [], [], 0

    def go_away(self) -> None:
        """What the sender writes until it says its next number again is not for this device."""
        self._state.away = True

    def pass_over(self) -> None:
        """A message of this sender is deleted or expired, as the server says, which was told; or it was taken
        away by who may while it was asked for."""
        self._state.excused += 1

    def see(self, number: int, *, waiting: bool) -> Verdict:
        """A message with this number, 1 or above, was decrypted. ReplayedMessage where it had come before;
        below what is remembered that can't be told, and it is `Late` (the message's key tells then).

        `waiting`: messages of this device were asked for again, and may be what is missing.
        """
        state = self._state
        if state.next is None:
            state.next = 1
        if number < state.next:
            self._fill(number)
            return Late(number)
        first, state.next = state.next, number + 1
        if first == number:
            return InOrder()
        state.missing.append((first, number - 1))
        self._bound()
        if waiting:
            state.untold = [*state.untold, (first, number - 1)][-MAX_RANGES:]
            return Gap(((first, number - 1),), 0)
        count = number - first
        explained = min(state.excused, count)
        state.excused -= explained
        return Gap(((first, number - 1),), count - explained)

    def question_ended(self) -> list[tuple[int, int]]:
        """No message of this device is asked for any more: the runs that are still missing, to be told."""
        state = self._state
        while state.untold and state.excused:
            state.untold = _without(state.untold, state.untold[0][0])
            state.excused -= 1
        untold, state.untold = state.untold, []
        return untold

    def _fill(self, number: int) -> None:
        state = self._state
        state.untold = _without(state.untold, number)
        left = _without(state.missing, number)
        if left != state.missing:
            state.missing = left
            self._bound()
        elif number > state.given_up:
            raise ReplayedMessage(f"Message {number} of the sender has come before.")

    def _bound(self) -> None:
        state = self._state
        while len(state.missing) > MAX_RANGES:
            state.given_up = state.missing.pop(0)[1]


def _without(runs: list[tuple[int, int]], number: int) -> list[tuple[int, int]]:
    """The runs less one number."""
    left = []
    for first, last in runs:
        if first <= number <= last:
            left += [run for run in ((first, number - 1), (number + 1, last)) if run[0] <= run[1]]
        else:
            left.append((first, last))
    return left
