"""One socket in one conversation: every state, every event."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest

from messenger.messages.live.follower import BEHIND, ENDED, LIVE, Follower, State
from messenger.messages.live.page import Page, merged, page_of
from messenger.messages.model import Head, Membership, StoredChange, StoredMessage


@dataclass
class Reader:
    """Ann's phone."""

    device_id: str = "ann-phone"
    user_id: str = "ann"


def message(seq: int, device: str = "ben-phone") -> StoredMessage:
    return StoredMessage("c", seq, "u", device, f"{seq}", "text", b"x", None, 0, None)


def change(number: int, at_seq: int, event: str = "updated", user: str = "ben") -> StoredChange:
    return StoredChange("c", number, at_seq, 0, None, event, {"user_id": user})


def follower(state: State, end: Head | None = None) -> Follower:
    """Up to message 5 and change 3 all was given."""
    found = Follower(Reader(), Head(5, 3), end)
    found.state = state
    return found


def pages(*items: StoredMessage | StoredChange, above: Head = Head(5, 3), upto: Head = Head(9, 9)) -> Page:
    return Page(above, upto, list(items))


class Committed(NamedTuple):
    """A message is committed."""

    stored: StoredMessage
    change: int = 3


class Resend(NamedTuple):
    """The device asks for what follows a message again."""

    after: int


class Reached(NamedTuple):
    """The conversation has come to there."""

    head: Head


class FallBehind(NamedTuple):
    """The device does not read fast enough."""


Event = Committed | Page | Membership | Resend | Reached | FallBehind


def member(head: Head, place: Head, left: bool = False) -> Membership:
    return Membership("c", head, place, left)


def happen(one: Follower, event: Event) -> list[int]:
    """What is shown then: messages by their number, changes by the negative of theirs."""
    if isinstance(event, Committed):
        return [event.stored.seq] if one.committed(*event) else []
    if isinstance(event, Page):
        return [item.seq if isinstance(item, StoredMessage) else -item.change for item in one.given(event)]
    if isinstance(event, Membership):
        one.membership(event)
    elif isinstance(event, Resend):
        one.resend(event.after)
    elif isinstance(event, Reached):
        one.reached(event.head)
    else:
        one.fall_behind()
    return []


REMOVAL = change(4, 5, "member_removed", "ann")
OLD, NEW = member(Head(5, 3), Head(5, 2)), member(Head(9, 9), Head(8, 7))
OVER = member(Head(9, 9), Head(8, 7), left=True)

# state before, event, state after, what is shown, up to where it has been given what happened
TABLE: list[tuple[State, Event, State, list[int], Head]] = [
    # a message is committed
    (BEHIND, Committed(message(6)), BEHIND, [], Head(5, 3)),
    (LIVE, Committed(message(6)), LIVE, [6], Head(6, 3)),
    (LIVE, Committed(message(6), change=2), LIVE, [6], Head(6, 3)),
    (LIVE, Committed(message(6, "ann-phone")), LIVE, [], Head(6, 3)),
    (LIVE, Committed(message(6, "ann-laptop")), LIVE, [6], Head(6, 3)),
    (LIVE, Committed(message(5)), LIVE, [], Head(5, 3)),  # again
    (LIVE, Committed(message(7)), LIVE, [], Head(5, 3)),  # a message is missing
    (LIVE, Committed(message(6), change=4), LIVE, [], Head(5, 3)),  # a change is missing
    (ENDED, Committed(message(6)), ENDED, [], Head(5, 3)),
    # a page
    (BEHIND, pages(message(6), change(4, 6), message(7)), BEHIND, [6, -4, 7], Head(7, 4)),
    (BEHIND, pages(message(6, "ann-phone"), message(7)), BEHIND, [7], Head(7, 3)),
    (BEHIND, pages(message(7), above=Head(6, 3)), BEHIND, [], Head(5, 3)),  # it begins too high
    (BEHIND, pages(change(5, 5), above=Head(5, 4)), BEHIND, [], Head(5, 3)),
    (BEHIND, pages(REMOVAL, message(6)), ENDED, [-4], Head(5, 4)),
    (BEHIND, pages(change(4, 5, "member_removed")), BEHIND, [-4], Head(5, 4)),  # somebody else's
    (LIVE, pages(message(4), message(5), message(6), above=Head(3, 2)), LIVE, [6], Head(6, 3)),
    (LIVE, pages(REMOVAL, message(6)), ENDED, [-4], Head(5, 4)),
    (LIVE, pages(), LIVE, [], Head(5, 3)),
    (ENDED, pages(message(6), change(4, 6)), ENDED, [], Head(5, 3)),
    # the conversation has come to there
    (BEHIND, Reached(Head(5, 3)), LIVE, [], Head(5, 3)),
    (BEHIND, Reached(Head(4, 2)), LIVE, [], Head(5, 3)),  # its place is ahead
    (BEHIND, Reached(Head(6, 3)), BEHIND, [], Head(5, 3)),
    (BEHIND, Reached(Head(5, 4)), BEHIND, [], Head(5, 3)),
    (LIVE, Reached(Head(6, 3)), LIVE, [], Head(5, 3)),
    (ENDED, Reached(Head(5, 3)), ENDED, [], Head(5, 3)),
    # its membership is read
    (BEHIND, OLD, BEHIND, [], Head(5, 3)),
    (LIVE, OLD, LIVE, [], Head(5, 3)),
    (ENDED, OLD, ENDED, [], Head(5, 3)),
    (BEHIND, NEW, BEHIND, [], Head(8, 7)),
    (LIVE, NEW, LIVE, [], Head(8, 7)),
    (ENDED, NEW, BEHIND, [], Head(8, 7)),
    (BEHIND, OVER, BEHIND, [], Head(5, 3)),
    (LIVE, OVER, LIVE, [], Head(5, 3)),
    (ENDED, OVER, BEHIND, [], Head(8, 7)),
    # what it has had is asked for again
    (BEHIND, Resend(2), BEHIND, [], Head(2, 3)),
    (LIVE, Resend(2), BEHIND, [], Head(2, 3)),
    (LIVE, Resend(9), BEHIND, [], Head(5, 3)),
    (ENDED, Resend(2), ENDED, [], Head(5, 3)),
    # it does not read
    (BEHIND, FallBehind(), BEHIND, [], Head(5, 3)),
    (LIVE, FallBehind(), BEHIND, [], Head(5, 3)),
    (ENDED, FallBehind(), ENDED, [], Head(5, 3)),
]


@pytest.mark.parametrize(("before", "event", "after", "shown", "head"), TABLE)
def test_table(before: State, event: Event, after: State, shown: list[int], head: Head) -> None:
    one = follower(before)
    assert happen(one, event) == shown
    assert (one.state, one.head) == (after, head)


# The same for who has left and is shown what came before: up to message 6 and change 4.
LEAVING: list[tuple[Event, State, list[int], Head | None]] = [
    (Committed(message(6)), BEHIND, [], Head(6, 4)),
    (pages(message(6)), BEHIND, [6], Head(6, 4)),
    (pages(message(6), change(4, 6, "member_removed", "ann")), ENDED, [6, -4], None),
    (pages(upto=Head(6, 4)), ENDED, [], None),  # nothing is there of what the end promises
    (pages(upto=Head(6, 3)), BEHIND, [], Head(6, 4)),
    (Reached(Head(9, 9)), BEHIND, [], Head(6, 4)),
    (member(Head(6, 4), Head(5, 3), left=True), BEHIND, [], Head(6, 4)),
    (NEW, BEHIND, [], None),  # it has joined again
    (OVER, BEHIND, [], Head(9, 9)),  # and left again
    (Resend(2), BEHIND, [], Head(6, 4)),
]


@pytest.mark.parametrize(("event", "after", "shown", "end"), LEAVING)
def test_who_has_left(event: Event, after: State, shown: list[int], end: Head | None) -> None:
    one = follower(BEHIND, Head(6, 4))
    assert happen(one, event) == shown
    assert (one.state, one.end) == (after, end)


def test_who_has_left_ends_at_its_end() -> None:
    one = follower(BEHIND, Head(5, 3))
    one.reached(Head(9, 9))
    assert one.state is ENDED
    assert not one.member


def test_what_is_sent_again_includes_its_own_and_then_it_is_live_again() -> None:
    one = follower(LIVE)
    one.resend(3)
    assert one.wanted(Head(5, 3)) == Head(5, 3)
    shown = one.given(pages(message(4, "ann-phone"), message(5), above=Head(3, 3)))
    assert [item.seq for item in shown if isinstance(item, StoredMessage)] == [4, 5]
    one.reached(Head(5, 3))
    assert (one.state, one.own) == (LIVE, False)


def test_news_of_a_membership_that_has_ended_are_old_news() -> None:
    one = follower(LIVE)
    one.given(pages(REMOVAL))
    one.membership(member(Head(5, 4), Head(5, 3), left=True))
    one.membership(member(Head(5, 2), Head(0, 0)))
    assert one.state is ENDED
    one.membership(member(Head(7, 5), Head(7, 4)))
    assert (one.state, one.head, one.member) == (BEHIND, Head(7, 4), True)


def test_a_change_follows_the_message_at_which_it_happened() -> None:
    items = merged([message(1), message(2)], [change(5, 0), change(6, 1), change(7, 2)], 2)
    order = [item.seq if isinstance(item, StoredMessage) else -item.change for item in items]
    assert order == [-5, 1, -6, 2, -7]


def test_a_page_ends_where_its_messages_do() -> None:
    found = page_of(Head(0, 4), Head(2, 6), [message(1)], [change(5, 1), change(6, 2)], 10)
    assert len(found.items) == 2


def test_a_page_ends_where_its_changes_may_go_on() -> None:
    messages = [message(1), message(2), message(3)]
    found = page_of(Head(0, 4), Head(3, 9), messages, [change(5, 1), change(6, 2)], 2)
    assert [item.seq if isinstance(item, StoredMessage) else -item.change for item in found.items] == [
        1,
        -5,
        2,
        -6,
    ]
