"""Telling the application what is wrong with a message, and how a group's roster has changed."""

from typing import Literal

from messenger.client import events
from messenger.client.e2e.roster import Entry, Roster
from messenger.client.engine.vault import Store
from messenger.wire.conversations import Message


def warn(
    store: Store,
    message: Message,
    kind: type[events.ServerWarning],
    reason: str,
    detail: str,
    count: int | None = None,
) -> None:
    """Write a warning about a message as the server presents it; `count` for a kind that counts."""
    warn_of(
        store,
        kind,
        reason,
        detail,
        conversation_id=message.conversation_id,
        user_id=message.sender_id,
        device_id=message.sender_device_id,
        seq=message.seq,
        count=count,
    )


def warn_of(
    store: Store,
    kind: type[events.ServerWarning],
    reason: str,
    detail: str,
    *,
    conversation_id: str,
    user_id: str | None,
    device_id: str | None,
    seq: int | None,
    count: int | None = None,
) -> None:
    """Write a warning about somebody in a conversation."""
    more = {} if count is None else {"count": count}
    warning = kind(
        conversation_id=conversation_id,
        user_id=user_id,
        username=store.conversations.name(user_id),
        device_id=device_id,
        seq=seq,
        reason=reason,
        detail=detail,
        **more,
    )
    store.tell(warning)  # type: ignore[arg-type]


Change = Literal["made", "added", "removed", "left", "role_changed", "confirmed", "unconfirmed"]


def tell_made(store: Store, roster: Roster, by: str) -> None:
    """Tell of a roster that is new here, member by member."""
    for entry in roster.members:
        tell_member(store, roster.conversation_id, entry, "made", by)


def tell_differences(store: Store, before: Roster, after: Roster, by: str) -> None:
    """Tell what a change of a roster has changed."""
    for entry in before.members:
        if after.member(entry.user_id) is None:
            what: Change = "left" if entry.user_id == by else "removed"
            tell_member(store, after.conversation_id, entry, what, by)
    for entry in after.members:
        old = before.member(entry.user_id)
        if old is None:
            tell_member(store, after.conversation_id, entry, "added", by)
        elif old.account_key != entry.account_key:
            tell_member(store, after.conversation_id, entry, "confirmed", by)
        elif old.role != entry.role:
            tell_member(store, after.conversation_id, entry, "role_changed", by)


def tell_member(store: Store, conversation_id: str, entry: Entry, change: Change, by: str | None) -> None:
    """Tell of one member."""
    store.tell(
        events.RosterChanged(
            conversation_id=conversation_id,
            user_id=entry.user_id,
            username=store.conversations.name(entry.user_id),
            change=change,
            role=None if change in ("removed", "left") else entry.role,
            by=by,
        )
    )
