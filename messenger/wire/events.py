"""What services say to each other on the bus, and on which subjects.

News is a nudge: whoever misses one finds the same in PostgreSQL.
"""

from msgspec import Struct

SESSION_ENDED = "messenger.news.session.ended"
DEVICE = "messenger.news.device"
PREKEYS = "messenger.news.prekeys"


class SessionEnded(Struct, frozen=True, kw_only=True):
    """A session ended before its token expired: logout, removal, refresh token reused, password changed."""

    session_id: str
    user_id: str
    device_id: str


class DeviceChanged(Struct, frozen=True, kw_only=True):
    """A device was published or removed; `event` is `published` or `removed`."""

    event: str
    user_id: str
    device_id: str


class PrekeysLow(Struct, frozen=True, kw_only=True):
    """A device has few one-time prekeys left."""

    device_id: str
    one_time_prekeys: int
