"""A page of what happened in one conversation: messages and changes, in the order in which they happened."""

from typing import NamedTuple

from messenger.messages.model import Head, StoredChange, StoredMessage


class Page(NamedTuple):
    """All that happened above `above` until the last of `items`; `upto` was asked for."""

    above: Head
    upto: Head
    items: list[StoredMessage | StoredChange]


def page_of(
    above: Head, upto: Head, messages: list[StoredMessage], changes: list[StoredChange], limit: int
) -> Page:
    """Put together what was read: at most `limit` changes, and as many messages as there was room for.

    It ends where the messages do (they have no gaps), and where its changes do if there may be more.
    """
    read_to = messages[-1].seq if messages else above.seq
    if len(changes) >= limit:
        read_to = min(read_to, changes[-1].at_seq)
    return Page(above, upto, merged(messages, changes, read_to))


def merged(
    messages: list[StoredMessage], changes: list[StoredChange], read_to: int
) -> list[StoredMessage | StoredChange]:
    """Messages and changes in the order in which they happened; what comes after `read_to` is left out.

    A change happened right after the message `at_seq`.
    """
    items: list[tuple[tuple[int, int], StoredMessage | StoredChange]] = [
        ((m.seq, 0), m) for m in messages if m.seq <= read_to
    ]
    items += [((h.at_seq, h.change), h) for h in changes if h.at_seq <= read_to]
    items.sort(key=lambda item: item[0])
    return [item for _, item in items]
