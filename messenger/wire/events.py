"""Events between services on the bus, and their subjects.

News is a nudge: whoever misses one finds the same in PostgreSQL. Work is done by one instance of each service
that has to do it, whenever that is up; what the bus lost of it is found in PostgreSQL too.
"""

from typing import ClassVar, Literal

from msgspec import Raw, Struct, field

SESSION_ENDED = "messenger.news.session.ended"
USER_DELETED = "messenger.news.user.deleted"
DEVICE = "messenger.news.device"
PREKEYS = "messenger.news.prekeys"
HEADS = "messenger.news.heads"
BATCH = "messenger.news.batch"
REMOVE_USER = "messenger.work.user.remove"
TOLD = "messenger.live.told"
RECEIPTS = "messenger.live.receipts"
PRESENCE = "messenger.live.presence"
ATTACHED = "messenger.live.attached"
BLOCK = "messenger.live.block"
ANNOUNCED = "messenger.live.origin"
NOTED = "messenger.live.noted"


class SessionEnded(Struct, frozen=True, kw_only=True):
    """A session ended before its token expired: logout, removal, refresh token reused, password changed."""

    subject: ClassVar[str] = SESSION_ENDED

    session_id: str
    user_id: str
    device_id: str


class UserDeleted(Struct, frozen=True, kw_only=True):
    """An account was deleted, and its devices with it; `auth.deleted_users` lists them all."""

    subject: ClassVar[str] = USER_DELETED

    user_id: str


class UserRemoval(Struct, frozen=True, kw_only=True):
    """Work: an account was deleted, so what a service keeps of it has to go."""

    subject: ClassVar[str] = REMOVE_USER

    user_id: str


class DeviceChanged(Struct, frozen=True, kw_only=True):
    """A device was published or removed; `event` is `published` or `removed`.

    One that is `waiting` has its keys at the server and is not in its user's device list: only the user's
    other devices, which may approve it, hear of it.
    """

    subject: ClassVar[str] = DEVICE

    event: str
    user_id: str
    device_id: str
    waiting: bool = False


class PrekeysLow(Struct, frozen=True, kw_only=True):
    """A device has few one-time prekeys left."""

    subject: ClassVar[str] = PREKEYS

    device_id: str
    one_time_prekeys: int


class ConversationHead(Struct, frozen=True, kw_only=True):
    """A conversation has come this far."""

    conversation_id: str
    seq: int
    change: int


class Heads(Struct, frozen=True, kw_only=True):
    """Conversations that moved, on HEADS; `users` are those who have just become members of them.

    On BATCH the same comes with the messages themselves, as MessagePack (messages/live).
    """

    subject: ClassVar[str] = HEADS

    heads: list[ConversationHead]
    users: list[str] = field(default_factory=list)


class Told(Struct, frozen=True, kw_only=True):
    """A frame for the open sockets of a conversation, such as that somebody is typing; it may be lost.

    `device_id` is where it comes from and does not go; `others` and `own` say whether it goes to the other
    members and to the user's own other devices. `origin` is the instance that has told its own sockets.
    `paced`: it is passed on at most once a second, and of what comes in between the last counts.
    """

    origin: str
    conversation_id: str
    user_id: str
    device_id: str
    others: bool
    own: bool
    frame: Raw
    paced: bool = False


ReceiptKind = Literal["delivered", "read"]


class Receipt(Struct, frozen=True, kw_only=True, array_like=True):
    """A member has come as far as `seq`, by what `device_id` said, which is not told of it. For the member's
    other devices, and the other members if `others`."""

    kind: ReceiptKind
    conversation_id: str
    user_id: str
    device_id: str
    seq: int
    others: bool


class Receipts(Struct, frozen=True, kw_only=True):
    """The receipts of one flush, in any number of conversations; it may be lost. Instance `origin` has told
    its own sockets."""

    origin: str
    receipts: list[Receipt]


class PresenceChanged(Struct, frozen=True, kw_only=True):
    """A presence frame for the open sockets of `peers`."""

    origin: str
    peers: list[str]
    frame: Raw


class Attached(Struct, frozen=True, kw_only=True):
    """A device has opened a socket on instance `origin`, at `moment` (milliseconds since 1970)."""

    origin: str
    device_id: str
    moment: int


class Announced(Struct, frozen=True, kw_only=True):
    """Up to which number origin `origin` has published on each subject; `last`: before it stops.

    `shards` are those of the users that it wants to hear of: 256 bits, big-endian, shard 0 the lowest; null
    from the version before, which wants all. `version` counts how often it has changed them; 0 where it
    neither hears nor tells of users at all. `asks`: some of the others have not said that they know. `young`:
    all that it has told so far it has told to all.
    """

    origin: str
    numbers: dict[str, int]
    last: bool = False
    shards: bytes | None = None
    version: int = 0
    asks: bool = False
    young: bool = False


class Noted(Struct, frozen=True, kw_only=True):
    """Instance `origin` knows the shards of who is told this, as of their `version`: all that it has
    published later went by them."""

    origin: str
    version: int


class BlockChanged(Struct, frozen=True, kw_only=True):
    """Whether a block stands between two users now."""

    one: str
    other: str
    stands: bool


Event = SessionEnded | UserDeleted | UserRemoval | DeviceChanged | PrekeysLow | Heads
"""Events that a transaction may put into its outbox; each has its `subject`."""
