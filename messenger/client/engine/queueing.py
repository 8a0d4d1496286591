"""Control messages on their way into the outbox, and whom each is for.

A target is a user, a device and its identity key, from the moment of queueing: whom the server names for a
device later changes nothing.
"""

from collections.abc import Iterable
from uuid import uuid4

from messenger.client.e2e import Known, KnownDevice
from messenger.client.e2e.bodies import encode_body
from messenger.client.engine.batch import Batch
from messenger.client.engine.vault import Store
from messenger.client.store.outbox import Target


def target(device: KnownDevice) -> Target:
    """A known device as a target."""
    return Target(user_id=device.user_id, device_id=device.device_id, identity_key=device.identity_key)


def queue(
    store: Store,
    batch: Batch,
    conversation_id: str,
    body: Known,
    targets: Iterable[KnownDevice | Target] | None = None,
    *,
    fresh: bool = False,
) -> str:
    """Have a control message sent; its client_id.

    `targets` are some devices of the conversation, or all of its audience where none is named, in envelopes
    that bear no number; without `targets` it is a message to everybody like any other. `fresh` asks for a new
    session first.
    """
    client_id = str(uuid4())
    store.outbox.add(
        client_id=client_id,
        conversation_id=conversation_id,
        kind="control",
        body=bytes(encode_body(body)),
        sent_at=batch.moment,
        targets=None
        if targets is None
        else [target(one) if isinstance(one, KnownDevice) else one for one in targets],
        fresh=fresh,
    )
    batch.wake.add(conversation_id)
    return client_id
