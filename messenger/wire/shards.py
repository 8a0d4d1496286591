"""The shard of a user: a number that gateway and services agree on without asking anybody.

Sockets of the users of one shard are preferably on the same message instance (gateway/preference.py), and an
instance hears what concerns the shards of its users (core/bus/routes.py). A set of shards is an integer, with
bit N for shard N.
"""

from collections.abc import Iterable
from zlib import crc32

SHARDS = 256
ALL = (1 << SHARDS) - 1


def shard_of(user_id: str) -> int:
    """The shard of the user, from 0 to SHARDS - 1: the same in all versions and on all machines."""
    return crc32(user_id.encode()) % SHARDS


def shards_of(user_ids: Iterable[str]) -> int:
    """The set of the users' shards."""
    found = 0
    for user_id in user_ids:
        found |= 1 << shard_of(user_id)
    return found
