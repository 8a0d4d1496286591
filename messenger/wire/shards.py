"""The shard of a user: a number that gateway and services agree on without asking anybody.

Sockets of the users of one shard are preferably on the same message instance (gateway/preference.py).
"""

from zlib import crc32

SHARDS = 256


def shard_of(user_id: str) -> int:
    """The shard of the user, from 0 to SHARDS - 1: the same in all versions and on all machines."""
    return crc32(user_id.encode()) % SHARDS
