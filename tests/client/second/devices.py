"""A device's keys, and both sides of the agreement by them."""

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey

from tests.client.second.basics import (
    Draw,
    Given,
    Refused,
    dh,
    hkdf,
    holds,
    ids,
    montgomery,
    private_of,
    public_of,
    raw,
    sha256,
    sign,
    signer,
)
from tests.client.second.mlkem import encapsulate

DAY = 86_400
NONE = b"\xff\xff\xff\xff"


@dataclass
class Kept:
    """A signed or last-resort prekey."""

    key_id: int
    private: bytes
    made: float
    retired: float | None = None


def rotated(keys: list[Kept], new: Kept, now: float) -> list[Kept]:
    if keys:
        keys[-1].retired = now
    left = [one for one in [*keys, new] if one.retired is None or now - one.retired < 30 * DAY]
    return left[-8:]


def kem_public(seed: bytes) -> bytes:
    return MLKEM1024PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


@dataclass
class Keys:
    """All private keys of a device."""

    user_id: str
    device_id: str
    seed: bytes
    signed: list[Kept] = field(default_factory=list)
    last_resort: list[Kept] = field(default_factory=list)
    one_time: dict[int, bytes] = field(default_factory=dict)
    kem: dict[int, bytes] = field(default_factory=dict)
    next_ids: dict[str, int] = field(default_factory=lambda: {"signed": 1, "one_time": 1, "kem": 1})
    remembered: list[tuple[bytes, str, int]] = field(default_factory=list)

    @property
    def identity_key(self) -> bytes:
        return signer(self.seed)

    @property
    def about(self) -> bytes:
        return ids(self.user_id, self.device_id)

    def _next(self, kind: str) -> int:
        self.next_ids[kind] += 1
        return self.next_ids[kind] - 1

    def new_signed(self, now: float, draw: Draw) -> Given:
        new = Kept(self._next("signed"), draw(32), now)
        self.signed = rotated(self.signed, new, now)
        there = {one.key_id for one in self.signed}
        self.remembered = [one for one in self.remembered if one[2] in there]
        return self._said(new.key_id, public_of(new.private), signed=True)

    def signed_due(self, now: float) -> bool:
        age = now - self.signed[-1].made
        return age >= 7 * DAY or (len(self.remembered) > 500 and age >= DAY)

    def new_one_time(self, count: int, draw: Draw) -> list[Given]:
        found = []
        for _ in range(count):
            key_id, private = self._next("one_time"), draw(32)
            self.one_time[key_id] = private
            found.append(self._said(key_id, public_of(private), signed=False))
        self.one_time = dict(sorted(self.one_time.items())[-1_000:])
        return found

    def new_kem(
        self, count: int, last_resort: bool, now: float, draw: Draw
    ) -> tuple[list[Given], Given | None]:
        found, last = [], None
        for _ in range(count):
            key_id, seed = self._next("kem"), draw(64)
            self.kem[key_id] = seed
            found.append(self._said(key_id, kem_public(seed), signed=True))
        self.kem = dict(sorted(self.kem.items())[-500:])
        if last_resort:
            new = Kept(self._next("kem"), draw(64), now)
            self.last_resort = rotated(self.last_resort, new, now)
            last = self._said(new.key_id, kem_public(new.private), signed=True)
        return found, last

    def _said(self, key_id: int, public: bytes, *, signed: bool) -> Given:
        found: dict[str, Any] = {"key_id": key_id, "public_key": public.hex()}
        return found | ({"signature": sign(self.seed, public).hex()} if signed else {})

    def private(self, kept: list[Kept], key_id: int) -> bytes:
        for one in kept:
            if one.key_id == key_id:
                return one.private
        raise Refused("UnknownPrekey")

    def kem_seed(self, key_id: int) -> bytes:
        return self.kem[key_id] if key_id in self.kem else self.private(self.last_resort, key_id)

    def spends(self, handshake: "Handshake") -> bool:
        """Whether a first message uses a one-time key up."""
        if handshake.one_time_id is not None:
            return True
        assert handshake.kem_id is not None
        self.kem_seed(handshake.kem_id)
        return handshake.kem_id in self.kem

    def check_first(self, session_id: bytes, device_id: str) -> None:
        if any(one[0] == session_id for one in self.remembered):
            raise Refused("ReplayedFirstMessage")
        if len(self.remembered) >= 1_000 or sum(one[1] == device_id for one in self.remembered) >= 50:
            raise Refused("ReplayMemoryFull")

    def use(self, session_id: bytes, device_id: str, handshake: "Handshake") -> None:
        spent = self.one_time.pop(handshake.one_time_id, None) if handshake.one_time_id is not None else None
        spent_kem = self.kem.pop(handshake.kem_id, None) if handshake.kem_id is not None else None
        if spent is None and spent_kem is None:
            self.remembered.append((session_id, device_id, handshake.signed_id))


@dataclass(frozen=True)
class Handshake:
    """A handshake, and its bytes."""

    encoded: bytes
    identity_key: bytes
    ephemeral_key: bytes
    signed_id: int
    one_time_id: int | None
    kem_id: int | None
    kem_ciphertext: bytes

    @classmethod
    def read(cls, text: bytes) -> tuple["Handshake", bytes]:
        """A handshake, and what comes after it."""
        size = 76 if text[72:76] == NONE else 76 + 1568
        if len(text) < size or len(text) < 76:
            raise Refused("Malformed")
        signed_id, one_time, kem = text[64:68], text[68:72], text[72:76]
        found = cls(
            text[:size],
            text[:32],
            text[32:64],
            int.from_bytes(signed_id, "big"),
            None if one_time == NONE else int.from_bytes(one_time, "big"),
            None if kem == NONE else int.from_bytes(kem, "big"),
            text[76:size],
        )
        return found, text[size:]


def session_id_of(data: bytes, handshake: bytes) -> bytes:
    return sha256(b"messenger-session-id-1\0", data, handshake)[:16]


def check_prekeys(bundle: Given) -> None:
    identity, signed, kem = raw(bundle["identity_key"]), bundle["signed_prekey"], bundle["kem_prekey"]
    if not holds(identity, raw(signed["signature"]), raw(signed["public_key"])):
        raise Refused("BadPrekeySignature")
    if kem is None:
        raise Refused("KemDowngrade")
    if not holds(identity, raw(kem["signature"]), raw(kem["public_key"])):
        raise Refused("BadPrekeySignature")


def _secret(secrets: bytes, kem_secret: bytes, data: bytes, handshake: bytes, kem_key: bytes) -> bytes:
    x3dh_secret = hkdf(b"\xff" * 32 + secrets, b"messenger-x3dh-1")
    transcript = sha256(b"messenger-transcript-1\0", data, handshake, kem_key)
    return hkdf(x3dh_secret + kem_secret, b"messenger-session-1", salt=transcript)


def initiated(keys: Keys, bundle: Given, draw: Draw) -> tuple[bytes, bytes, bytes]:
    """data, handshake and secret of a session that is begun by a bundle."""
    check_prekeys(bundle)
    identity, one_time, kem = raw(bundle["identity_key"]), bundle["one_time_prekey"], bundle["kem_prekey"]
    signed, kem_key, ephemeral = bundle["signed_prekey"], raw(kem["public_key"]), draw(32)
    try:
        public = raw(signed["public_key"])
        secrets = dh(private_of(keys.seed), public)
        secrets += dh(ephemeral, montgomery(identity)) + dh(ephemeral, public)
        if one_time is not None:
            secrets += dh(ephemeral, raw(one_time["public_key"]))
        kem_secret, kem_ciphertext = encapsulate(kem_key, draw(32))
    except ValueError:
        raise Refused("UnusableKey") from None
    numbers = (signed["key_id"], 2**32 - 1 if one_time is None else one_time["key_id"], kem["key_id"])
    handshake = keys.identity_key + public_of(ephemeral)
    handshake += b"".join(number.to_bytes(4, "big") for number in numbers) + kem_ciphertext
    data = keys.identity_key + identity + keys.about + ids(bundle["user_id"], bundle["device_id"])
    return data, handshake, _secret(secrets, kem_secret, data, handshake, kem_key)


def responder_data(keys: Keys, peer: Given, handshake: Handshake) -> bytes:
    about = ids(peer["user_id"], peer["device_id"])
    return handshake.identity_key + keys.identity_key + about + keys.about


def responded(keys: Keys, peer: Given, handshake: Handshake) -> tuple[bytes, bytes]:
    """The secret of a session that a peer began, and the private signed prekey that it is for."""
    signed = keys.private(keys.signed, handshake.signed_id)
    if handshake.one_time_id is not None and handshake.one_time_id not in keys.one_time:
        raise Refused("UnknownPrekey")
    assert handshake.kem_id is not None
    seed = keys.kem_seed(handshake.kem_id)
    kem_secret = MLKEM1024PrivateKey.from_seed_bytes(seed).decapsulate(handshake.kem_ciphertext)
    ephemeral = handshake.ephemeral_key
    try:
        secrets = dh(signed, montgomery(handshake.identity_key))
        secrets += dh(private_of(keys.seed), ephemeral) + dh(signed, ephemeral)
        if handshake.one_time_id is not None:
            secrets += dh(keys.one_time[handshake.one_time_id], ephemeral)
    except ValueError:
        raise Refused("UnusableKey") from None
    data = responder_data(keys, peer, handshake)
    return _secret(secrets, kem_secret, data, handshake.encoded, kem_public(seed)), signed
