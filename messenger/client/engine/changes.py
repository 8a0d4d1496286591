"""What the server says has happened to a conversation besides messages: written down, and told once."""

from messenger.client import events
from messenger.client.engine import order
from messenger.client.engine.titles import retitle
from messenger.client.engine.vault import Store
from messenger.wire.codec import base64_bytes
from messenger.wire.conversations import Change

MOST = 2**53
LEFT = 2  # in `ended`: this user is no member any more


def take_change(store: Store, conversation_id: str, change: Change) -> None:
    """Take one change in; one that came before changes nothing."""
    row = store.conversations.get(conversation_id)
    assert row is not None
    if row.change_place is not None and change.change <= row.change_place:
        return
    store.conversations.set(conversation_id, change_place=change.change)
    if change.event in ("member_added", "member_removed", "role_changed"):
        _take_member(store, conversation_id, change)
    elif change.event == "updated":
        _take_update(store, conversation_id, change)
    elif change.event == "deleted" and isinstance(change.seq, int):
        order.gone(store, conversation_id, change.seq)
    elif change.event == "ended":
        store.conversations.set(conversation_id, ended=1)
        store.tell(events.ConversationEnded(conversation_id=conversation_id))


def _take_member(store: Store, conversation_id: str, change: Change) -> None:
    user_id = change.user_id
    if not isinstance(user_id, str):
        return
    role = change.role if isinstance(change.role, str) else None
    known = {one.user_id: one.role for one in store.conversations.members(conversation_id)}
    own = user_id == store.user_id
    if change.event == "member_removed":
        what = "left" if change.actor_id == user_id else "removed"
        news = user_id in known
        store.conversations.drop_member(conversation_id, user_id)
        if own:
            store.conversations.set(conversation_id, ended=LEFT)
            store.tell(events.ConversationEnded(conversation_id=conversation_id))
    else:
        what = "added" if change.event == "member_added" else "role_changed"
        news = known.get(user_id) != (role or "member")
        store.conversations.put_member(conversation_id, user_id, role or "member", change.created_at)
        if own:
            store.conversations.set(conversation_id, role=role or "member")
            if what == "added" and _come_back(store, conversation_id, change):
                news = True  # the server must not pass places over in silence
    if news:
        store.tell(
            events.MembershipChanged(
                conversation_id=conversation_id,
                user_id=user_id,
                username=store.conversations.name(user_id),
                change=what,  # type: ignore[arg-type]
                role=role,
                actor_id=change.actor_id,
                actor=store.conversations.name(change.actor_id),
            )
        )


def _come_back(store: Store, conversation_id: str, change: Change) -> bool:
    """Added, perhaps again: what was said before is not for this user; gives whether places are passed over.

    Whether it was away can't be seen here: a device that was offline has not heard of it, and the server's
    list has said since that it is back.
    """
    row = store.conversations.get(conversation_id)
    assert row is not None
    place = None if row.place is None else max(row.place, change.at_seq)
    ended = 0 if row.ended == LEFT else row.ended
    store.conversations.set(conversation_id, ended=ended, place=place)
    return place != row.place


def _take_update(store: Store, conversation_id: str, change: Change) -> None:
    said = change.conversation
    row = store.conversations.get(conversation_id)
    assert row is not None
    if not isinstance(said, dict):
        return
    ttl, metadata = said.get("message_ttl"), said.get("metadata")
    if (ttl is None or (isinstance(ttl, int) and 0 <= ttl < MOST)) and ttl != row.message_ttl:
        store.conversations.set(conversation_id, message_ttl=ttl)
        store.tell(events.ConversationUpdated(conversation_id=conversation_id, title=row.title))
    if isinstance(metadata, str):
        try:
            raw = base64_bytes(metadata)
        except ValueError:
            return
        # Kept though it does not open: its key may come with the next message.
        store.conversations.set(conversation_id, metadata=raw)
        retitle(store, conversation_id, raw, row.metadata_key)
