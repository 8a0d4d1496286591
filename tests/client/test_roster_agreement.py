"""Whatever members change, in whatever order changes of one version come: all end with the same roster."""

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messenger.client.e2e import RosterChange
from messenger.client.e2e.errors import EncryptionError
from messenger.client.e2e.roster import Entry, Roster
from messenger.client.e2e.rosters import Rosters
from tests.client.e2e_world import fixed_id

CONVERSATION = fixed_id(0)
USERS = [fixed_id(number) for number in range(1, 6)]
KEYS = [bytes([number]) * 32 for number in range(3)]

entries = st.builds(
    Entry, st.sampled_from(USERS), st.sampled_from(KEYS), st.sampled_from(["owner", "admin", "member"])
)
# What may count, and noise beside it.
likely = st.one_of(
    st.builds(lambda user: ([Entry(user, KEYS[0], "member")], []), st.sampled_from(USERS[1:])),
    st.builds(lambda user: ([Entry(user, KEYS[0], "admin")], []), st.sampled_from(USERS[1:])),
    st.builds(lambda user: ([], [user]), st.sampled_from(USERS)),
    st.builds(
        lambda user: ([Entry(user, KEYS[0], "owner"), Entry(USERS[0], KEYS[0], "admin")], []),
        st.sampled_from(USERS[1:]),
    ),
    st.tuples(st.lists(entries, max_size=3), st.lists(st.sampled_from(USERS), max_size=2)),
)
# What somebody tries: who, what to put and to remove, and on which roster it rests (0: the one that stands).
attempts = st.builds(
    lambda who, change, back: (who, *change, back),
    st.sampled_from([USERS[0], *USERS]),
    likely,
    st.sampled_from([0, 0, 0, 0, 1, 2]),
)
Sent = tuple[int, str, RosterChange]


def first(members: list[Entry]) -> Roster:
    others = [one for one in members if one.role != "owner" and one.user_id != USERS[0]]
    unique = {one.user_id: one for one in others}
    return Roster.of(CONVERSATION, 1, [Entry(USERS[0], KEYS[0], "owner"), *unique.values()])


def begun(roster: Roster) -> Rosters:
    made = Rosters(CONVERSATION)
    made.begin(roster, 0)
    return made


def take(rosters: Rosters, sent: Sent) -> Rosters:
    """Take a change, if it counts; written down and read again."""
    seq, author, change = sent
    with suppress(EncryptionError):
        rosters.take_change(change, author, seq)
    return Rosters.from_bytes(rosters.to_bytes())


def current(rosters: Rosters) -> Roster:
    assert rosters.current is not None
    return rosters.current


@settings(max_examples=150, deadline=None)
@given(st.lists(entries, max_size=4), st.lists(attempts, max_size=12), st.data())
def test_the_same_messages_make_the_same_roster(
    members: list[Entry], tries: list[tuple[str, list[Entry], list[str], int]], data: st.DataObject
) -> None:
    start = first(members)
    author, others = begun(start), [begun(start), begun(start)]
    history = [start]
    for seq, (who, put, remove, back) in enumerate(tries, 1):
        base = history[max(0, len(history) - 1 - back)]
        sent = (seq, who, base.change(put, remove))
        author = take(author, sent)
        if current(author) != history[-1]:
            history.append(current(author))
        others = [take(one, sent) for one in others]
        if data.draw(st.booleans()):
            others[0] = take(others[0], sent)  # once more changes nothing
    assert [current(one) for one in others] == [current(author)] * 2
    standing = current(author)
    assert sum(one.role == "owner" for one in standing.members) == (1 if standing.members else 0)
    assert [UUID(one.user_id).bytes for one in standing.members] == sorted(
        UUID(one.user_id).bytes for one in standing.members
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(entries, max_size=4),
    st.lists(st.lists(attempts, min_size=1, max_size=4), max_size=4),
    st.data(),
)
def test_of_one_version_the_lowest_place_counts_in_whatever_order_they_come(
    members: list[Entry],
    rounds: list[list[tuple[str, list[Entry], list[str], int]]],
    data: st.DataObject,
) -> None:
    start = first(members)
    one, other = begun(start), begun(start)
    seq = 0
    for tries in rounds:
        base = current(one)
        sent = [
            (seq + number, who, base.change(put, remove))
            for number, (who, put, remove, _) in enumerate(tries, 1)
        ]
        seq += len(tries)
        for message in sent:
            one = take(one, message)
        for message in data.draw(st.permutations(sent)):
            other = take(other, message)
        assert current(one) == current(other)
        assert one.at(seq) == other.at(seq)


def test_the_same_change_at_a_lower_place_holds_that_place() -> None:
    """Two admins make the same change, and a third another one in between."""
    start = first([Entry(USERS[1], KEYS[0], "admin"), Entry(USERS[2], KEYS[0], "admin")])
    same, another = start.change([], [USERS[2]]), start.change([Entry(USERS[3], KEYS[0], "member")], [])
    messages = [(10, USERS[0], same), (11, USERS[1], another), (12, USERS[0], same)]
    for order in ((0, 1, 2), (2, 0, 1), (2, 1, 0), (1, 2, 0)):
        rosters = begun(start)
        for number in order:
            rosters = take(rosters, messages[number])
        assert current(rosters).role_of(USERS[2]) is None, order


def test_who_may_not_makes_no_change() -> None:
    start = first([Entry(USERS[1], KEYS[0], "admin"), Entry(USERS[2], KEYS[0], "member")])
    owner, admin, member, stranger = USERS[:4]
    for author, put, remove in (
        (stranger, [Entry(stranger, KEYS[0], "member")], []),
        (member, [Entry(stranger, KEYS[0], "member")], []),
        (member, [], [admin]),
        (admin, [], [owner]),
        (admin, [Entry(stranger, KEYS[0], "admin")], []),
        (admin, [Entry(admin, KEYS[0], "owner")], []),
        (admin, [Entry(member, KEYS[0], "admin")], []),
        (admin, [Entry(admin, KEYS[1], "admin")], []),
        (owner, [Entry(stranger, KEYS[0], "owner")], []),
        (owner, [Entry(admin, KEYS[0], "owner")], []),
        (owner, [Entry(admin, KEYS[1], "owner"), Entry(owner, KEYS[0], "admin")], []),
        (owner, [], [owner]),
        (owner, [], []),
        (owner, [Entry(admin, KEYS[0], "member")], [admin]),
    ):
        rosters = begun(start)
        with pytest.raises(EncryptionError):
            rosters.take_change(start.change(put, remove), author, 1)  # type: ignore[arg-type]
        assert current(rosters) == start
