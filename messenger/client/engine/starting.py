"""Which devices know from where on this device counts its messages in a direct conversation.

A device that is new there, or that came back under another account key, is told before the next message
(`start`), so that it can tell what is held back.
"""

from collections.abc import Iterable

from msgspec import field

from messenger.client.e2e.state import Stored
from messenger.client.engine.vault import Store

MOST = 200  # devices; the first ones are forgotten, and told once more


class Started(Stored):
    """Devices that count this device's messages in a conversation, each with its account key's beginning."""

    devices: list[str] = field(default_factory=list)


def not_started(store: Store, conversation_id: str, devices: Iterable[str]) -> list[str]:
    """Those of these devices that have not heard where this device's numbers stand."""
    known = store.states.get(Started, conversation_id) or Started()
    return [one for one in devices if _entry(store, one) not in known.devices]


def started(store: Store, conversation_id: str, devices: Iterable[str]) -> None:
    """These devices know it."""
    new = not_started(store, conversation_id, devices)
    if new:
        known = store.states.get(Started, conversation_id) or Started()
        known.devices = [*known.devices, *(_entry(store, one) for one in new)][-MOST:]
        store.states.save(conversation_id, known)


def _entry(store: Store, device_id: str) -> str:
    key = store.known(store.sessions("", device_id).user_id).account_key
    return f"{device_id}/{'' if key is None else key[:4].hex()}"
