"""Which devices know from where on this device counts its messages in a direct conversation.

A device that is new there, or that came back under another account key, is told before the next message
(`start`), so that it can tell what is held back.
"""

from collections.abc import Iterable

from msgspec import field

from messenger.client.e2e.state import Stored
from messenger.client.engine.vault import Shelf

MOST = 200  # devices; the first ones are forgotten, and told once more


class Started(Stored):
    """Devices that count this device's messages in a conversation, each with its account key's beginning."""

    devices: list[str] = field(default_factory=list)


def not_started(shelf: Shelf, conversation_id: str, devices: Iterable[str]) -> list[str]:
    """Those of these devices that have not heard where this device's numbers stand."""
    known = shelf.states.get(Started, conversation_id) or Started()
    return [one for one in devices if _entry(shelf, one) not in known.devices]


def started(shelf: Shelf, conversation_id: str, devices: Iterable[str]) -> None:
    """These devices know it."""
    new = not_started(shelf, conversation_id, devices)
    if new:
        known = shelf.states.get(Started, conversation_id) or Started()
        known.devices = [*known.devices, *(_entry(shelf, one) for one in new)][-MOST:]
        shelf.states.save(conversation_id, known)


def _entry(shelf: Shelf, device_id: str) -> str:
    key = shelf.known(shelf.sessions("", device_id).user_id).account_key
    return f"{device_id}/{'' if key is None else key[:4].hex()}"
