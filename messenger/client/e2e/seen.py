"""A sender's view of a conversation's last places, as a digest that a receiver compares with its own.

    digest = SHA-256("messenger-seen-1" 0x00 conversation_id
                     then of each place: seq (8) sender_device_id client_id)

The server orders a conversation. It could show another order, or another message at a place, to each member;
by this it is found out as soon as anybody writes (docs/encryption.md, "Payloads").
"""

from collections.abc import Sequence

from messenger.client.e2e.payload import Seen
from messenger.client.e2e.primitives import id_bytes, sha256

LABEL = b"messenger-seen-1\0"
MOST = 32  # places that one message speaks of

Place = tuple[int, str, str]  # seq, sender's device_id, client_id


def seen_of(conversation_id: str, places: Sequence[Place]) -> Seen | None:
    """What to say of these places, rising by seq: the last ones without a hole, at most 32; None for none."""
    run: list[Place] = []
    for place in reversed(places):
        if len(run) == MOST or (run and place[0] != run[-1][0] - 1):
            break
        run.append(place)
    if not run:
        return None
    run.reverse()
    return Seen(first=run[0][0], seq=run[-1][0], digest=_digest(conversation_id, run))


def differs(seen: Seen, conversation_id: str, own_seq: int, places: Sequence[Place]) -> bool:
    """Whether a sender was shown another history than this device. `own_seq` is the place of the message that
    says so, `places` are those that this device holds from `seen.first` to `seen.seq`.

    What is not held here can't be compared, and is told as a hole where it is one.
    """
    if not seen.first <= seen.seq < own_seq or seen.seq - seen.first >= MOST:
        return True  # nobody has seen its own message, or a later one, before it wrote
    if [one[0] for one in places] != list(range(seen.first, seen.seq + 1)):
        return False
    return _digest(conversation_id, places) != seen.digest


def _digest(conversation_id: str, places: Sequence[Place]) -> bytes:
    entries = (seq.to_bytes(8, "big") + id_bytes(device) + id_bytes(client) for seq, device, client in places)
    return sha256(LABEL, id_bytes(conversation_id), *entries)
