"""The server has messages of this device that it does not know: its profile was restored from an older copy,
or the server lies.

Keys that were used since would be used again. So sessions and chains begin anew before anything is written,
and the device's numbers go on behind those that others have seen.
"""

from messenger.client import events
from messenger.client.e2e import PeerSessions, SendingChain
from messenger.client.engine.batch import Batch
from messenger.client.engine.settling import settle
from messenger.client.engine.telling import warn
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import Row
from messenger.wire.conversations import Message

RENEW_EVERY = 3_600.0  # seconds; the server could have sessions begun anew without end
# Seconds in which what comes further on may have begun sessions in which this device has written, too.
CATCHING_UP = 60.0
_RENEWED = "sessions_renewed"


def take_own(store: Store, batch: Batch, row: Row, message: Message) -> None:
    """A message of this very device: the answer to one that waits for its place, or one that is not known."""
    queued = store.outbox.get(message.client_id)
    if queued is not None and queued.conversation_id == row.conversation_id and queued.attempts:
        settle(store, batch, queued, message.seq, message.created_at)
        return
    store.conversations.set(row.conversation_id, next_number=row.next_number + 1)
    renewed = store.account.get(_RENEWED)
    since = RENEW_EVERY if renewed is None else abs(batch.now - float(renewed))
    if CATCHING_UP <= since < RENEW_EVERY:
        return
    if since >= RENEW_EVERY:
        store.account.set(_RENEWED, str(batch.now))
    for device_id in store.states.keys(PeerSessions):
        sessions = store.states.get(PeerSessions, device_id)
        if sessions is not None:
            sessions.renew()
            store.states.save(device_id, sessions)
    for conversation_id in store.states.keys(SendingChain):
        store.states.drop(SendingChain, conversation_id)
    if since < CATCHING_UP:
        return
    detail = "The server has messages of this device that it does not know: was the profile restored?"
    warn(store, message, events.ProfileRestored, "own_message_unknown", detail)
