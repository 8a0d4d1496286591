"""The names of groups, which the server has as ciphertext."""

from messenger.client import events
from messenger.client.e2e import open_conversation_metadata
from messenger.client.e2e.errors import EncryptionError
from messenger.client.engine.vault import Store


def retitle(store: Store, conversation_id: str, metadata: bytes | None, key: bytes | None) -> bool:
    """Read a group's name with a key; whether that worked. Then the key is kept."""
    if metadata is None or key is None:
        return False
    try:
        name = open_conversation_metadata(key, metadata).name
    except EncryptionError:
        return False
    row = store.conversations.get(conversation_id)
    store.conversations.set(conversation_id, metadata=metadata, metadata_key=key, title=name)
    if row is not None and row.title != name:
        store.tell(events.ConversationUpdated(conversation_id=conversation_id, title=name))
    return True
