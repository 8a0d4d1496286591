"""Gaps in what one device of a sender has written in a conversation.

The server numbers messages itself, so its numbers say nothing about what it holds back. Each sender therefore
numbers its own messages of a conversation inside the plaintext, and the receiver looks for what is missing.

What the server may legitimately leave out (deleted and expired messages) it can only claim, so that such
places are counted (`pass_over`) and told beside the gap.
"""

from msgspec import Struct, field

from messenger.client.e2e.errors import ReplayedMessage
from messenger.client.e2e.state import dump, load

MAX_RANGES = 64  # of missing numbers; the oldest are given up first


class InOrder(Struct, frozen=True):
    """The next number."""


class Gap(Struct, frozen=True):
    """Numbers before this one have not come: (first, last) of each run. `excused` places may explain them."""

    missing: tuple[tuple[int, int], ...]
    excused: int


class Late(Struct, frozen=True):
    """A number that was missing: sent again on request, or moved by the server."""

    number: int


Verdict = InOrder | Gap | Late


class _State(Struct):
    next: int | None = None
    missing: list[tuple[int, int]] = field(default_factory=list)
    excused: int = 0
    given_up: int = 0  # up to here, missing numbers may have been forgotten


class Progress:
    """How far one device of a sender has come in one conversation."""

    def __init__(self) -> None:
        self._state = _State()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Progress":
        """What `to_bytes` wrote; BadState for anything else."""
        made = cls()
        made._state = load(raw, _State)
        return made

    def to_bytes(self) -> bytes:
        """What was seen."""
        return dump(self._state)

    @property
    def missing(self) -> list[tuple[int, int]]:
        """The runs of numbers that have not come, (first, last)."""
        return list(self._state.missing)

    @property
    def excused(self) -> int:
        """How many places were passed over since the last gap was told."""
        return self._state.excused

    def expect(self, number: int) -> None:
        """The sender said what its next message will bear: so a gap before the first one shows too."""
        if self._state.next is None:
            self._state.next = number

    def pass_over(self) -> None:
        """A message of this sender had nothing to read: deleted, expired, or not decrypted."""
        self._state.excused += 1

    def see(self, number: int) -> Verdict:
        """A message with this number, 1 or above, was decrypted. ReplayedMessage where it had come before;
        below what is remembered that can't be told, and it is `Late` (the message's key tells then)."""
        state = self._state
        if state.next is None:
            state.next = number
        if number < state.next:
            self._fill(number)
            return Late(number)
        first, state.next = state.next, number + 1
        if first == number:
            return InOrder()
        state.missing.append((first, number - 1))
        self._bound()
        gap = Gap(((first, number - 1),), state.excused)
        state.excused = 0
        return gap

    def _fill(self, number: int) -> None:
        for index, (first, last) in enumerate(self._state.missing):
            if first <= number <= last:
                left = [(first, number - 1), (number + 1, last)]
                self._state.missing[index : index + 1] = [run for run in left if run[0] <= run[1]]
                self._bound()
                return
        if number > self._state.given_up:
            raise ReplayedMessage(f"Message {number} of the sender has come before.")

    def _bound(self) -> None:
        state = self._state
        while len(state.missing) > MAX_RANGES:
            state.given_up = state.missing.pop(0)[1]
