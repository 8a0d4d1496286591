"""What an approved device hands to a new one of its user's: rosters and names of groups."""

from messenger.client.e2e import MetadataKey
from messenger.client.engine import rosters
from messenger.client.engine.batch import Batch
from messenger.client.engine.queueing import queue
from messenger.client.engine.vault import Store
from messenger.client.store.outbox import Target


def hand_groups(store: Store, batch: Batch, device: Target) -> None:
    """Queue the roster and the key of the name of each group for a device of one's own."""
    for row in store.conversations.all():
        if row.type != "group" or row.ended:
            continue
        standing = rosters.current(store, row.conversation_id)
        if standing is not None and standing.version:
            queue(store, batch, row.conversation_id, standing.body(), [device])
        if row.metadata_key is not None:
            queue(store, batch, row.conversation_id, MetadataKey(key=row.metadata_key), [device])
