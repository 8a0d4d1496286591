"""All that is known of a user: the account key that was first seen, and the devices that its signed list
names.

The server hands out keys, and is not trusted with them. The first account key of a user is pinned (trust on
first use); comparing safety numbers makes it verified. From then on only devices that this key's list names
count, whatever the server says. Of the lists the one with the highest version counts: a lower one is refused,
and so is another one of the same version. A device that left the list is kept as a tombstone: nothing is
encrypted to it. A device's identity key never changes.

Another account key is told to the user. If the user was verified, nothing is sent to it and nothing is taken
from it until the user accepts the new key; no setting weakens that. Else the policy says.
"""

from enum import Enum

from msgspec import Struct, field

from messenger.client.e2e.account import devices_of_list
from messenger.client.e2e.agreement import check_prekeys
from messenger.client.e2e.errors import (
    AccountKeyChanged,
    BadDeviceList,
    IdentityKeyChanged,
    OldDeviceList,
    SenderMismatch,
    UnlistedDevice,
    Untrusted,
)
from messenger.client.e2e.state import dump, load
from messenger.wire.keys import Bundle, DeviceList, Identities

LATE_WITHIN = 86_400.0  # seconds after a removal was learned that late messages are taken
MAX_DEVICES = 100  # of a user, removed ones included; those that are removed are forgotten first


class Policy(Enum):
    """The policy for a changed account key of a user who was not verified."""

    WARN = "warn"  # tell the user and go on
    REFUSE = "refuse"  # nothing is sent or read until the user accepts the new key


class KnownDevice(Struct, kw_only=True):
    """A device that the account key's list names, or has named (`listed` False).

    `removed_at` is the version of the first list without it, `removed_on` when this device learned of that,
    in seconds since 1970.
    """

    user_id: str
    device_id: str
    identity_key: bytes
    kem: bool = False  # written by older clients
    listed: bool = True
    removed_at: int | None = None
    removed_on: float | None = None


class AccountKeyPinned(Struct, frozen=True, kw_only=True):
    """A user's account key was seen for the first time."""

    user_id: str
    account_key: bytes


class AccountKeyHasChanged(Struct, frozen=True, kw_only=True):
    """A user's account key is another one than before; `accepted` by the policy, or refused."""

    user_id: str
    old: bytes
    new: bytes | None
    was_verified: bool
    accepted: bool


class DeviceAdded(Struct, frozen=True, kw_only=True):
    """A user's list names a device that it did not name before."""

    user_id: str
    device_id: str


class DeviceRemoved(Struct, frozen=True, kw_only=True):
    """A user's list names a device no more."""

    user_id: str
    device_id: str


class DeviceRefused(Struct, frozen=True, kw_only=True):
    """The server lists a device that its user's list does not name, or not with this key."""

    user_id: str
    device_id: str
    error: Untrusted


class ListRefused(Struct, frozen=True, kw_only=True):
    """A device list does not hold, or is older than the one that is known."""

    user_id: str
    error: Untrusted


TrustEvent = (
    AccountKeyPinned | AccountKeyHasChanged | DeviceAdded | DeviceRemoved | DeviceRefused | ListRefused
)


class _State(Struct):
    user_id: str
    account_key: bytes | None = None
    verified: bool = False
    refused: bool = False
    refused_key: bytes | None = None
    devices: list[KnownDevice] = field(default_factory=list)
    list_version: int = 0  # 0: known from certificates of older clients, or not at all
    named_version: int = 0


class KnownUser:
    """A user's pinned account key and listed devices. Of oneself, too: then `pin` comes first."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.account_key: bytes | None = None
        self.verified = False
        self.refused = False
        self.refused_key: bytes | None = None  # what was refused; None also where the key was taken away
        self.devices: dict[str, KnownDevice] = {}
        self.list_version = 0
        self.named_version = 0  # the highest that the user's own messages have named

    @classmethod
    def from_bytes(cls, raw: bytes) -> "KnownUser":
        """Decode what `to_bytes` wrote; BadState for anything else."""
        state = load(raw, _State)
        made = cls(state.user_id)
        made.account_key, made.verified = state.account_key, state.verified
        made.refused, made.refused_key = state.refused, state.refused_key
        made.devices = {one.device_id: one for one in state.devices}
        made.list_version, made.named_version = state.list_version, state.named_version
        return made

    def to_bytes(self) -> bytes:
        """All that is known. No secret, but what a store must not let anybody change."""
        devices = list(self.devices.values())
        state = _State(
            self.user_id,
            self.account_key,
            self.verified,
            self.refused,
            self.refused_key,
            devices,
            self.list_version,
            self.named_version,
        )
        return dump(state)

    # what the user says

    def pin(self, account_key: bytes) -> None:
        """Take an account key that came over a trusted way: the own one, or by a contact link."""
        self._take(account_key)

    def accept_account_key(self, account_key: bytes) -> None:
        """Take a changed account key because the user said so. Devices are learned anew."""
        self._take(account_key)

    def set_verified(self, verified: bool) -> None:
        """Mark the pinned account key as compared, or not."""
        if verified and (self.account_key is None or self.refused):
            raise AccountKeyChanged(self.user_id, self.account_key, self.refused_key, self.verified)
        self.verified = verified

    # what the server says

    def learn(self, identities: Identities, policy: Policy) -> list[TrustEvent]:
        """Take in what GET /keys/identity/{user_id} answered, as far as it is signed; what there is to tell.

        Nothing that the server says makes this raise; what does not hold is refused by an event.
        """
        given = identities.device_list
        try:
            devices = None if given is None else devices_of_list(self.user_id, given)
        except BadDeviceList as error:
            return [ListRefused(user_id=self.user_id, error=error)]
        events = self._learn_account_key(None if given is None else bytes(given.account_key), policy)
        if self.refused:
            return events
        if given is not None and devices is not None:
            events += self._learn_list(given, devices)
        for item in identities.items:
            try:
                self._check_listed(item.device_id, item.identity_key)
            except Untrusted as error:
                events.append(DeviceRefused(user_id=self.user_id, device_id=item.device_id, error=error))
        self._bound()
        return events

    def check_bundle(self, bundle: Bundle) -> None:
        """Whether a session may be begun by this bundle.

        Raises AccountKeyChanged, UnlistedDevice, IdentityKeyChanged, BadPrekeySignature, KemDowngrade,
        SenderMismatch.
        """
        if bundle.user_id != self.user_id:
            raise SenderMismatch("The bundle is another user's.")
        self._check_accepted()
        self._check_listed(bundle.device_id, bundle.identity_key)
        check_prekeys(bundle)

    def device(self, device_id: str) -> KnownDevice:
        """A listed device; UnlistedDevice, or AccountKeyChanged while a changed key is refused."""
        self._check_accepted()
        device = self.listed(device_id)
        if device is None:
            raise UnlistedDevice(f"The device list of user {self.user_id} does not name device {device_id}.")
        return device

    def listed(self, device_id: str) -> KnownDevice | None:
        """A device that the kept list names, whatever is refused; None for others."""
        device = self.devices.get(device_id)
        return device if device is not None and device.listed else None

    def writer(self, device_id: str) -> KnownDevice:
        """A device that may have written a message: a listed one, or one that left the list.

        What one that left may still say is for `check_late` to judge. UnlistedDevice, AccountKeyChanged.
        """
        self._check_accepted()
        device = self.devices.get(device_id)
        if device is None:
            raise UnlistedDevice(f"The device list of user {self.user_id} does not name device {device_id}.")
        return device

    def check_late(self, device: KnownDevice, list_version: int, *, content: bool, now: float) -> None:
        """Refuse what a removed device says, but for late messages from before its removal. UnlistedDevice.

        `list_version` is the payload's, and a thief may go on to say the old one: so only `content` is taken
        (what people say, nothing that devices act on), and within a day of when the removal was learned.
        """
        if device.listed:
            return
        late = device.removed_at is not None and list_version < device.removed_at
        if not late or not content or now - (device.removed_on or 0.0) >= LATE_WITHIN:
            raise UnlistedDevice(f"Device {device.device_id} was removed by its user.")

    def name_list(self, version: int) -> None:
        """A device of the user's has said under encryption that there is a list of this version."""
        self.named_version = max(self.named_version, version)

    @property
    def behind(self) -> bool:
        """Whether there is a newer list than the server has given out: by the older one nothing is sent,
        as it may name a device that was removed."""
        return self.list_version < self.named_version

    def stamp_removed(self, now: float) -> None:
        """Remember for the devices that have left the list that this was learned now, if it is news."""
        for device in self.devices.values():
            if not device.listed and device.removed_on is None:
                device.removed_on = now

    def current_devices(self) -> list[KnownDevice]:
        """The devices that may be encrypted to; none while a changed account key is refused."""
        return [] if self.refused else [one for one in self.devices.values() if one.listed]

    def _check_listed(self, device_id: str, identity_key: bytes) -> None:
        known = self.devices.get(device_id)
        if known is not None and known.identity_key != identity_key:
            raise IdentityKeyChanged(f"The identity key of device {device_id} has changed.")
        self.device(device_id)

    def _check_accepted(self) -> None:
        if self.refused:
            raise AccountKeyChanged(self.user_id, self.account_key, self.refused_key, self.verified)

    def _take(self, account_key: bytes) -> None:
        if account_key != self.account_key:
            self.devices.clear()
            self.verified = False
            self.list_version = self.named_version = 0
        self.account_key = account_key
        self.refused, self.refused_key = False, None

    def _learn_account_key(self, account_key: bytes | None, policy: Policy) -> list[TrustEvent]:
        old = self.account_key
        if old == account_key:
            self.refused, self.refused_key = False, None
            return []
        if old is None:
            assert account_key is not None
            self._take(account_key)
            return [AccountKeyPinned(user_id=self.user_id, account_key=account_key)]
        if account_key is None and self.list_version == 0:
            return []  # known from certificates: the user's client has not signed a list yet
        accepted = policy is Policy.WARN and account_key is not None and not self.verified
        event = AccountKeyHasChanged(
            user_id=self.user_id,
            old=old,
            new=account_key,
            was_verified=self.verified,
            accepted=accepted,
        )
        if accepted:
            assert account_key is not None
            self._take(account_key)
            return [event]
        told = self.refused and self.refused_key == account_key
        self.refused, self.refused_key = True, account_key
        return [] if told else [event]

    def _learn_list(self, given: DeviceList, devices: dict[str, bytes]) -> list[TrustEvent]:
        try:
            self._check_newer(given, devices)
        except Untrusted as error:
            return [ListRefused(user_id=self.user_id, error=error)]
        events: list[TrustEvent] = []
        for device_id, identity_key in devices.items():
            known = self.devices.get(device_id)
            if known is None:
                self.devices[device_id] = KnownDevice(
                    user_id=self.user_id, device_id=device_id, identity_key=identity_key
                )
            elif known.listed:
                continue
            else:
                known.listed, known.removed_at, known.removed_on = True, None, None
            events.append(DeviceAdded(user_id=self.user_id, device_id=device_id))
        for device in self.devices.values():
            if device.listed and device.device_id not in devices:
                device.listed, device.removed_at = False, given.version
                events.append(DeviceRemoved(user_id=self.user_id, device_id=device.device_id))
        self.list_version = given.version
        return events

    def _check_newer(self, given: DeviceList, devices: dict[str, bytes]) -> None:
        if given.version < self.list_version:
            raise OldDeviceList(
                f"The server gives out version {given.version} of a list; {self.list_version} is known."
            )
        if given.version == self.list_version:
            standing = {one.device_id for one in self.devices.values() if one.listed}
            if standing != devices.keys():
                raise BadDeviceList(f"There are two device lists of version {given.version}.")
        for device_id, identity_key in devices.items():
            known = self.devices.get(device_id)
            if known is not None and known.identity_key != identity_key:
                raise IdentityKeyChanged(f"The identity key of device {device_id} has changed.")

    def _bound(self) -> None:
        excess = len(self.devices) - MAX_DEVICES
        if excess > 0:
            # Stable: removed ones first, and among them those that were seen first.
            order = sorted(self.devices.values(), key=lambda one: one.listed)
            for device in order[:excess]:
                del self.devices[device.device_id]
