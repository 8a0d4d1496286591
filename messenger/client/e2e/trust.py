"""What is known of a user: the account key that was first seen, and the devices that it vouches for.

The server hands out keys, and is not trusted with them. The first account key of a user is pinned (trust on
first use); comparing safety numbers makes it verified. From then on only devices that this key has certified
count, whatever the server lists. Another account key is told to the user, and accepted or refused by setting.
A device's identity key never changes. A device that was once seen with an ML-KEM prekey always has one (there
is a last-resort one), so that a bundle without is a server's attempt to weaken the handshake.
"""

from enum import Enum

from msgspec import Struct, field

from messenger.client.e2e.account import certificate_holds
from messenger.client.e2e.agreement import check_prekeys
from messenger.client.e2e.errors import (
    AccountKeyChanged,
    BadCertificate,
    IdentityKeyChanged,
    KemDowngrade,
    SenderMismatch,
    UncertifiedDevice,
    Untrusted,
)
from messenger.client.e2e.state import dump, load
from messenger.wire.keys import Bundle, Identities

MAX_DEVICES = 100  # of a user, removed ones included; those that are removed are forgotten first


class Policy(Enum):
    """What is done when a user's account key has changed."""

    WARN = "warn"  # tell the user and go on, unverified
    REFUSE = "refuse"  # nothing is sent or read until the user accepts the new key


class KnownDevice(Struct, kw_only=True):
    """A device that the account key vouches for. `listed`: the server still lists it."""

    user_id: str
    device_id: str
    identity_key: bytes
    kem: bool = False
    listed: bool = True


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
    """A user has a certified device that was not known, or that had been removed."""

    user_id: str
    device_id: str


class DeviceRemoved(Struct, frozen=True, kw_only=True):
    """A device is no longer listed."""

    user_id: str
    device_id: str


class DeviceRefused(Struct, frozen=True, kw_only=True):
    """The server lists a device that nothing vouches for."""

    user_id: str
    device_id: str
    error: Untrusted


TrustEvent = AccountKeyPinned | AccountKeyHasChanged | DeviceAdded | DeviceRemoved | DeviceRefused


class _State(Struct):
    user_id: str
    account_key: bytes | None = None
    verified: bool = False
    refused: bool = False
    refused_key: bytes | None = None
    devices: list[KnownDevice] = field(default_factory=list)


class KnownUser:
    """A user's pinned account key and certified devices. Of oneself, too: then `pin` comes first."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.account_key: bytes | None = None
        self.verified = False
        self.refused = False
        self.refused_key: bytes | None = None  # what was refused; None also where the key was taken away
        self.devices: dict[str, KnownDevice] = {}

    @classmethod
    def from_bytes(cls, raw: bytes) -> "KnownUser":
        """What `to_bytes` wrote; BadState for anything else."""
        state = load(raw, _State)
        made = cls(state.user_id)
        made.account_key, made.verified = state.account_key, state.verified
        made.refused, made.refused_key = state.refused, state.refused_key
        made.devices = {one.device_id: one for one in state.devices}
        return made

    def to_bytes(self) -> bytes:
        """All that is known. No secret, but what a store must not let anybody change."""
        devices = list(self.devices.values())
        return dump(
            _State(self.user_id, self.account_key, self.verified, self.refused, self.refused_key, devices)
        )

    # what the user says

    def pin(self, account_key: bytes) -> None:
        """Take an account key that came over a trusted way: the own one."""
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
        """Take in what GET /keys/identity/{user_id} answered, as far as it is certified; what there is to
        tell.

        Nothing that the server says makes this raise; what does not hold is refused by an event.
        """
        events = self._learn_account_key(identities.account_key, policy)
        if self.refused:
            return events
        listed: set[str] = set()
        for item in identities.items:
            listed.add(item.device_id)
            try:
                events += self._learn_device(item.device_id, item.identity_key, item.certificate)
            except Untrusted as error:
                events.append(DeviceRefused(user_id=self.user_id, device_id=item.device_id, error=error))
        for device in self.devices.values():
            if device.listed and device.device_id not in listed:
                device.listed = False
                events.append(DeviceRemoved(user_id=self.user_id, device_id=device.device_id))
        self._bound()
        return events

    def check_bundle(self, bundle: Bundle, policy: Policy) -> list[TrustEvent]:
        """Whether a session may be begun by this bundle, and what there is to tell.

        Raises AccountKeyChanged, UncertifiedDevice, BadCertificate, IdentityKeyChanged, BadPrekeySignature,
        KemDowngrade, SenderMismatch.
        """
        if bundle.user_id != self.user_id:
            raise SenderMismatch("The bundle is another user's.")
        events = self._learn_account_key(bundle.account_key, policy)
        self._check_accepted()
        events += self._learn_device(bundle.device_id, bundle.identity_key, bundle.certificate)
        check_prekeys(bundle)
        device = self.devices[bundle.device_id]
        if bundle.kem_prekey is not None:
            device.kem = True
        elif device.kem:
            raise KemDowngrade(
                f"The bundle of device {bundle.device_id} lacks the ML-KEM prekey that it has."
            )
        self._bound()
        return events

    def device(self, device_id: str) -> KnownDevice:
        """A certified device; UncertifiedDevice, or AccountKeyChanged while a changed key is refused."""
        self._check_accepted()
        device = self.devices.get(device_id)
        if device is None:
            raise UncertifiedDevice(f"Nothing vouches for device {device_id} of user {self.user_id}.")
        return device

    def saw_kem(self, device_id: str) -> None:
        """A payload of this device said that it has ML-KEM."""
        self.device(device_id).kem = True

    def _check_accepted(self) -> None:
        if self.refused:
            raise AccountKeyChanged(self.user_id, self.account_key, self.refused_key, self.verified)

    def _take(self, account_key: bytes) -> None:
        if account_key != self.account_key:
            self.devices.clear()
            self.verified = False
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
        accepted = policy is Policy.WARN and account_key is not None
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

    def _learn_device(
        self, device_id: str, identity_key: bytes, certificate: bytes | None
    ) -> list[TrustEvent]:
        if self.account_key is None or certificate is None:
            raise UncertifiedDevice(f"Nothing vouches for device {device_id} of user {self.user_id}.")
        known = self.devices.get(device_id)
        if known is not None and known.identity_key != identity_key:
            raise IdentityKeyChanged(f"The identity key of device {device_id} has changed.")
        if not certificate_holds(self.account_key, self.user_id, device_id, identity_key, certificate):
            raise BadCertificate(f"The certificate of device {device_id} does not hold.")
        if known is None:
            self.devices[device_id] = KnownDevice(
                user_id=self.user_id, device_id=device_id, identity_key=identity_key
            )
        elif known.listed:
            return []
        else:
            known.listed = True
        return [DeviceAdded(user_id=self.user_id, device_id=device_id)]

    def _bound(self) -> None:
        excess = len(self.devices) - MAX_DEVICES
        if excess > 0:
            # Stable: removed ones first, and among them those that were seen first.
            order = sorted(self.devices.values(), key=lambda one: one.listed)
            for device in order[:excess]:
                del self.devices[device.device_id]
