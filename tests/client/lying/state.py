"""What the double keeps: as a server does, and so that all of it can be copied for the next story."""

from dataclasses import dataclass, field

from messenger.core.ids import new_id
from messenger.wire import auth, keys
from messenger.wire.conversations import Change, Role
from messenger.wire.files import File


@dataclass
class User:
    """An account; `password` is what was sent as that."""

    user_id: str
    username: str
    created_at: str
    password: str
    kdf: auth.Kdf | None
    device_list: keys.DeviceList | None = None
    old_lists: list[keys.DeviceList] = field(default_factory=list)


@dataclass
class Device:
    """A login. `place` is how far (seq, change) it has acknowledged each conversation."""

    device_id: str
    user_id: str
    name: str | None
    created_at: str
    identity_key: bytes | None = None
    signed: keys.SignedPrekey | None = None
    signed_at: str | None = None
    one_time: list[keys.OneTimePrekey] = field(default_factory=list)
    kem: list[keys.KemPrekey] = field(default_factory=list)
    last_resort: keys.KemPrekey | None = None
    removed: bool = False
    place: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Member:
    """A member; sees what lies at and above `first_seq` and `first_change`."""

    user_id: str
    role: Role
    joined_at: str
    first_seq: int = 1
    first_change: int = 1
    read_seq: int = 0


@dataclass(eq=False)
class Said:
    """A message as it came. Its place is that in the list in which it stands."""

    sender_id: str
    sender_device_id: str
    client_id: str
    kind: str
    content: bytes | None
    envelopes: dict[str, bytes]
    created_at: str
    deleted: bool = False
    at: int = 0  # its place as it was committed


@dataclass
class Talk:
    """A conversation. `left` are former members, and up to which change they see it."""

    conversation_id: str
    type: str
    metadata: bytes | None
    created_at: str
    updated_at: str
    client_id: str | None
    creator_id: str
    message_ttl: int | None = None
    ended_at: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    left: dict[str, tuple[int, int]] = field(default_factory=dict)
    messages: list[Said] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


@dataclass
class State:
    """All of it."""

    users: dict[str, User] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)  # device_ids by access token
    refreshes: dict[str, str] = field(default_factory=dict)  # device_ids by refresh token
    talks: dict[str, Talk] = field(default_factory=dict)
    files: dict[str, tuple[File, bytes]] = field(default_factory=dict)
    vault: dict[tuple[str, str], tuple[int, bytes]] = field(default_factory=dict)

    def user_named(self, username: str) -> User | None:
        """The user of this name."""
        return next((one for one in self.users.values() if one.username == username), None)

    def devices_of(self, user_id: str) -> list[Device]:
        """A user's devices."""
        return [one for one in self.devices.values() if one.user_id == user_id and not one.removed]

    def published(self, device: Device) -> bool:
        """Whether a device is encrypted to: it has its keys, and its user's list names it with them."""
        if device.removed or device.identity_key is None or device.signed is None:
            return False
        listed = self.users[device.user_id].device_list
        if listed is None:
            return True
        return any(
            (one.device_id, bytes(one.identity_key)) == (device.device_id, device.identity_key)
            for one in listed.devices
        )

    def new_device(self, user_id: str, name: str | None, now: str) -> Device:
        """Another login; its places are where the conversations stand now."""
        made = Device(new_id(), user_id, name, now)
        for talk in self.talks.values():
            if user_id in talk.members:
                made.place[talk.conversation_id] = (len(talk.messages), len(talk.changes))
        self.devices[made.device_id] = made
        return made
