"""The own device's keys, in the forms in which the key service takes them (`messenger/wire/keys.py`).

One Ed25519 identity key, whose Diffie-Hellman use is by the birational map to X25519 (RFC 7748 section 4.1).
Signed prekeys, rotated each week, the retired ones kept for 30 days for messages that are under way. One-time
prekeys and one-time ML-KEM-1024 prekeys, each deleted when the first message that used it was opened. A
last-resort KEM prekey, rotated like the signed one. Ids rise for each kind; KEM prekeys count together.

Private halves are bounded: those that were handed out but never used would pile up otherwise. The oldest go
first; a first message that still uses one is `UnknownPrekey`, and is sent again over a new session.
"""

import os
from collections.abc import Iterable
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from msgspec import Struct, field

from messenger.client.e2e.errors import ReplayedFirstMessage, ReplayMemoryFull, UnknownPrekey
from messenger.client.e2e.primitives import Random, ed25519_public, ed25519_sign, id_bytes, x25519_public
from messenger.client.e2e.state import dump, load
from messenger.wire import keys as wire
from messenger.wire.codec import Binary

WEEK = 7 * 86_400
RETIRED_KEPT = 30 * 86_400  # seconds
MAX_ONE_TIME = 1_000
MAX_KEM = 500
MAX_RETIRED = 8
MAX_REMEMBERED = 1_000  # first messages without a one-time prekey, in all
MAX_REMEMBERED_OF_PEER = 50
KEM_SEED_BYTES = 64

P = TypeVar("P", "SignedPair", "KemPair")


class SignedPair(Struct):
    """A signed prekey's private half; `retired_at` is None for the current one."""

    key_id: int
    private: bytes
    signature: bytes
    created_at: float
    retired_at: float | None = None


class KemPair(Struct):
    """A last-resort KEM prekey: its seed (FIPS 203, d and z)."""

    key_id: int
    seed: bytes
    retired_at: float | None = None


class Remembered(Struct):
    """A first message without a one-time prekey that was opened: a replay of it would open again."""

    session_id: bytes
    device: bytes
    signed_prekey_id: int


class _State(Struct):
    user_id: str
    device_id: str
    seed: bytes
    next_signed: int = 1
    next_one_time: int = 1
    next_kem: int = 1
    signed: list[SignedPair] = field(default_factory=list)
    one_time: dict[int, bytes] = field(default_factory=dict)
    kem: dict[int, bytes] = field(default_factory=dict)
    last_resort: list[KemPair] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)


class DeviceKeys:
    """All private keys of the own device but the account key. Stored before what it returns is published."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self.user_id = state.user_id
        self.device_id = state.device_id
        self.seed = state.seed
        self.identity_key = ed25519_public(state.seed)

    @classmethod
    def create(cls, user_id: str, device_id: str, *, now: float, random: Random = os.urandom) -> "DeviceKeys":
        """New keys for a device, with a first signed prekey; `now` is in seconds since 1970."""
        id_bytes(user_id), id_bytes(device_id)
        keys = cls(_State(user_id=user_id, device_id=device_id, seed=random(32)))
        keys.rotate_signed_prekey(now=now, random=random)
        return keys

    @classmethod
    def from_bytes(cls, raw: bytes) -> "DeviceKeys":
        """The keys that `to_bytes` wrote; BadState for anything else."""
        return cls(load(raw, _State))

    def to_bytes(self) -> bytes:
        """The keys, in the clear: to be stored encrypted."""
        return dump(self._state)

    # what is published

    @property
    def has_kem(self) -> bool:
        """Whether peers find an ML-KEM prekey of this device."""
        return bool(self._state.last_resort)

    def signed_prekey(self) -> wire.SignedPrekey:
        """The current signed prekey."""
        pair = self._state.signed[-1]
        return wire.SignedPrekey(pair.key_id, Binary(x25519_public(pair.private)), Binary(pair.signature))

    def signed_prekey_due(self, now: float) -> bool:
        """Whether it is time for a new signed prekey: after a week, or when many first messages came that
        have to be remembered while it is valid."""
        age = abs(now - self._state.signed[-1].created_at)  # of one from the future, too: a clock was wrong
        crowded = len(self._state.remembered) > MAX_REMEMBERED // 2
        return age >= WEEK or (crowded and age >= WEEK / 7)

    def rotate_signed_prekey(self, *, now: float, random: Random = os.urandom) -> wire.SignedPrekey:
        """A new signed prekey; those that retired over 30 days ago are forgotten, with what was remembered
        for them."""
        state = self._state
        if state.signed:
            state.signed[-1].retired_at = now
        private = random(32)
        signature = ed25519_sign(self.seed, x25519_public(private))
        state.signed.append(SignedPair(state.next_signed, private, signature, now))
        state.next_signed += 1
        state.signed = _kept(state.signed, now)
        there = {pair.key_id for pair in state.signed}
        state.remembered = [one for one in state.remembered if one.signed_prekey_id in there]
        return self.signed_prekey()

    def new_one_time_prekeys(self, count: int, random: Random = os.urandom) -> wire.OneTimePrekeys:
        """1 to 100 new one-time prekeys, for POST /keys/one-time-prekeys."""
        state, made = self._state, []
        for key_id in range(state.next_one_time, state.next_one_time + count):
            private = random(32)
            state.one_time[key_id] = private
            made.append(wire.OneTimePrekey(key_id, Binary(x25519_public(private))))
        state.next_one_time += count
        state.one_time = _newest(state.one_time, MAX_ONE_TIME)
        return wire.OneTimePrekeys(made)

    def new_kem_prekeys(
        self, count: int, *, last_resort: bool, now: float, random: Random = os.urandom
    ) -> wire.KemPrekeys:
        """0 to 100 new one-time KEM prekeys and, on wish, a new last-resort one, for POST
        /keys/kem-prekeys."""
        state, made, last = self._state, [], None
        for _ in range(count):
            seed = random(KEM_SEED_BYTES)
            state.kem[state.next_kem] = seed
            made.append(self._kem_prekey(seed))
        state.kem = _newest(state.kem, MAX_KEM)
        if last_resort:
            if state.last_resort:
                state.last_resort[-1].retired_at = now
            seed = random(KEM_SEED_BYTES)
            state.last_resort.append(KemPair(state.next_kem, seed))
            last = self._kem_prekey(seed)
            state.last_resort = _kept(state.last_resort, now)
        return wire.KemPrekeys(made, last)

    def _kem_prekey(self, seed: bytes) -> wire.KemPrekey:
        public = MLKEM1024PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
        key_id = self._state.next_kem
        self._state.next_kem += 1
        return wire.KemPrekey(key_id, Binary(public), Binary(ed25519_sign(self.seed, public)))

    # what a first message uses

    def signed_pair(self, key_id: int) -> SignedPair:
        """The signed prekey of this id; UnknownPrekey where it is gone."""
        for pair in self._state.signed:
            if pair.key_id == key_id:
                return pair
        raise UnknownPrekey("The first message is for a signed prekey that is gone.")

    def one_time_private(self, key_id: int) -> bytes:
        """The one-time prekey of this id; UnknownPrekey where it was used or is gone."""
        private = self._state.one_time.get(key_id)
        if private is None:
            raise UnknownPrekey(
                "The first message is for a one-time prekey that was used before, or is gone."
            )
        return private

    def kem_seed(self, key_id: int) -> tuple[bytes, bool]:
        """The seed of the KEM prekey of this id, and whether it is a one-time one."""
        if key_id in self._state.kem:
            return self._state.kem[key_id], True
        for pair in self._state.last_resort:
            if pair.key_id == key_id:
                return pair.seed, False
        raise UnknownPrekey("The first message is for a KEM prekey that was used before, or is gone.")

    def check_first(self, session_id: bytes, device_id: str) -> None:
        """Refuse a first message without a one-time prekey that was opened before, or can't be remembered."""
        seen = self._state.remembered
        if any(one.session_id == session_id for one in seen):
            raise ReplayedFirstMessage("The server presents a first message for the second time.")
        device = id_bytes(device_id)
        if len(seen) >= MAX_REMEMBERED or sum(one.device == device for one in seen) >= MAX_REMEMBERED_OF_PEER:
            raise ReplayMemoryFull(
                "Too many first messages without one-time prekeys; wait for the next signed prekeys."
            )

    def use(
        self,
        session_id: bytes,
        device_id: str,
        signed_prekey_id: int,
        one_time_prekey_id: int | None,
        kem_prekey_id: int | None,
    ) -> None:
        """A first message was opened: its one-time keys go, or it is remembered where there were none."""
        spent = None if one_time_prekey_id is None else self._state.one_time.pop(one_time_prekey_id, None)
        spent_kem = None if kem_prekey_id is None else self._state.kem.pop(kem_prekey_id, None)
        if spent is None and spent_kem is None:
            self._state.remembered.append(Remembered(session_id, id_bytes(device_id), signed_prekey_id))


def _newest(keys: dict[int, bytes], count: int) -> dict[int, bytes]:
    return dict(sorted(keys.items())[-count:])


def _kept(pairs: Iterable[P], now: float) -> list[P]:
    return [one for one in pairs if one.retired_at is None or now - one.retired_at < RETIRED_KEPT][
        -MAX_RETIRED:
    ]
