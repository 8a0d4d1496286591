"""The secret that two devices begin a session with: X3DH, and PQXDH where the peer has a KEM prekey.

X3DH is Signal's (revision 1) by the package X3DH: curve 25519, SHA-256, Ed25519 identity keys, info
`messenger-x3dh-1`. Its secret, joined with that of ML-KEM-1024 where there is one (PQXDH, revision 3), goes
through HKDF once more, salted by a hash of all that both sides have seen, so that a session stands for
exactly one handshake between exactly two devices:

    ids        = initiator's user_id, device_id, responder's user_id, device_id (16 bytes each)
    data       = initiator's identity key, responder's identity key (Ed25519 form), ids
    session_id = SHA-256("messenger-session-id-1" 0x00 data handshake), the first 16 bytes
    transcript = SHA-256("messenger-transcript-1" 0x00 data handshake kem_public_key)
    secret     = HKDF(x3dh_secret kem_secret, salt=transcript, info="messenger-session-1")

`handshake` is its encoded form (`envelope.py`); without a KEM prekey, kem_public_key and kem_secret are
empty.
"""

from typing import Any, NamedTuple

import x3dh
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey
from x3dh.models import BaseStateModel, IdentityKeyPairModel, SignedPreKeyPairModel
from x3dh.types import SecretType
from xeddsa.bindings import XEdDSAException

from messenger.client.e2e.driving import done
from messenger.client.e2e.envelope import ID_BYTES, Handshake
from messenger.client.e2e.errors import BadPrekeySignature, KemDowngrade, UnusableKey
from messenger.client.e2e.prekeys import DeviceKeys, SignedPair
from messenger.client.e2e.primitives import ed25519_holds, hkdf, id_bytes, sha256, x25519_public
from messenger.wire.keys import Bundle

X3DH_INFO = b"messenger-x3dh-1"
SESSION_INFO = b"messenger-session-1"
SESSION_ID_LABEL = b"messenger-session-id-1\0"
TRANSCRIPT_LABEL = b"messenger-transcript-1\0"


_UNUSABLE = (ValueError, XEdDSAException, x3dh.KeyAgreementException)


class Agreed(NamedTuple):
    """The outcome of a handshake, the same on both sides."""

    session_id: bytes
    secret: bytes
    data: bytes


class _Party(x3dh.BaseState):
    """One side of one handshake."""

    @staticmethod
    def _encode_public_key(key_format: x3dh.IdentityKeyFormat, pub: bytes) -> bytes:
        return pub


def initiate(keys: DeviceKeys, bundle: Bundle) -> tuple[Agreed, Handshake]:
    """The secret for a session with a bundle's device. BadPrekeySignature, UnusableKey.

    Whether the bundle's identity key is the device's is for `KnownUser.check_bundle` to say.
    """
    check_prekeys(bundle)
    prekey = bundle.one_time_prekey
    party = _party(keys, keys.signed_pair(keys.signed_prekey().key_id), None)
    offered = x3dh.Bundle(
        bundle.identity_key,
        bundle.signed_prekey.public_key,
        bundle.signed_prekey.signature,
        frozenset() if prekey is None else frozenset((prekey.public_key,)),
    )
    try:
        secret, _, header = done(party.get_shared_secret_active(offered, require_pre_key=False))
        kem_secret, kem_ciphertext = _encapsulated(bundle)
    except _UNUSABLE as error:
        raise UnusableKey(f"The device's keys can't be worked with: {error}") from None
    handshake = Handshake(
        keys.identity_key,
        header.ephemeral_key,
        bundle.signed_prekey.key_id,
        None if prekey is None else prekey.key_id,
        None if bundle.kem_prekey is None else bundle.kem_prekey.key_id,
        kem_ciphertext,
    )
    data = _data(keys, (keys.identity_key, bundle.identity_key), (bundle.user_id, bundle.device_id), True)
    kem_public = b"" if bundle.kem_prekey is None else bundle.kem_prekey.public_key
    return _agreed(data, handshake, secret + kem_secret, kem_public), handshake


def session_id_for(keys: DeviceKeys, user_id: str, device_id: str, handshake: Handshake) -> bytes:
    """The id of the session that a peer's handshake begins; works out no secret."""
    return _session_id(_responder_data(keys, user_id, device_id, handshake), handshake)


def respond(keys: DeviceKeys, user_id: str, device_id: str, handshake: Handshake) -> tuple[Agreed, bytes]:
    """The secret of a handshake that a peer's device began, and the private signed prekey it is for.

    Raises UnknownPrekey for a prekey that is gone, UnusableKey for keys of small order. Nothing is used up.
    """
    signed = keys.signed_pair(handshake.signed_prekey_id)
    one_time = None
    if handshake.one_time_prekey_id is not None:
        one_time = keys.one_time_private(handshake.one_time_prekey_id)
    kem_secret = kem_public = b""
    if handshake.kem_prekey_id is not None:
        kem = MLKEM1024PrivateKey.from_seed_bytes(keys.kem_seed(handshake.kem_prekey_id)[0])
        kem_secret = kem.decapsulate(handshake.kem_ciphertext)
        kem_public = kem.public_key().public_bytes_raw()
    header = x3dh.Header(
        handshake.identity_key,
        handshake.ephemeral_key,
        x25519_public(signed.private),
        None if one_time is None else x25519_public(one_time),
    )
    party = _party(keys, signed, one_time)
    try:
        secret, _, _ = done(party.get_shared_secret_passive(header, require_pre_key=False))
    except _UNUSABLE as error:
        raise UnusableKey(f"The first message's keys can't be worked with: {error}") from None
    data = _responder_data(keys, user_id, device_id, handshake)
    return _agreed(data, handshake, secret + kem_secret, kem_public), signed.private


def check_prekeys(bundle: Bundle) -> None:
    """BadPrekeySignature unless the bundle's identity key has signed its prekeys; KemDowngrade without a KEM
    prekey, which every device has."""
    signed, kem = bundle.signed_prekey, bundle.kem_prekey
    if not ed25519_holds(bundle.identity_key, signed.signature, signed.public_key):
        raise BadPrekeySignature(f"The signed prekey of device {bundle.device_id} is not its own.")
    if kem is None:
        raise KemDowngrade(f"The bundle of device {bundle.device_id} lacks the ML-KEM prekey that it has.")
    if not ed25519_holds(bundle.identity_key, kem.signature, kem.public_key):
        raise BadPrekeySignature(f"The KEM prekey of device {bundle.device_id} is not its own.")


def _party(keys: DeviceKeys, signed: SignedPair, one_time: bytes | None) -> _Party:
    model = BaseStateModel(
        identity_key=IdentityKeyPairModel(secret=keys.seed, secret_type=SecretType.SEED),
        signed_pre_key=SignedPreKeyPairModel(priv=signed.private, sig=signed.signature, timestamp=0),
        old_signed_pre_key=None,
        pre_keys=frozenset() if one_time is None else frozenset((one_time,)),
    )
    made: Any = _Party.from_model(
        model, x3dh.IdentityKeyFormat.ED_25519, x3dh.HashFunction.SHA_256, X3DH_INFO
    )
    party: _Party = made
    return party


def _encapsulated(bundle: Bundle) -> tuple[bytes, bytes]:
    if bundle.kem_prekey is None:
        return b"", b""
    return MLKEM1024PublicKey.from_public_bytes(bundle.kem_prekey.public_key).encapsulate()


def _data(
    keys: DeviceKeys, identities: tuple[bytes, bytes], peer: tuple[str, str], initiating: bool
) -> bytes:
    own = id_bytes(keys.user_id) + id_bytes(keys.device_id)
    other = id_bytes(peer[0]) + id_bytes(peer[1])
    return b"".join(identities) + (own + other if initiating else other + own)


def _responder_data(keys: DeviceKeys, user_id: str, device_id: str, handshake: Handshake) -> bytes:
    return _data(keys, (handshake.identity_key, keys.identity_key), (user_id, device_id), False)


def _session_id(data: bytes, handshake: Handshake) -> bytes:
    return sha256(SESSION_ID_LABEL, data, handshake.encode())[:ID_BYTES]


def _agreed(data: bytes, handshake: Handshake, secrets: bytes, kem_public: bytes) -> Agreed:
    transcript = sha256(TRANSCRIPT_LABEL, data, handshake.encode(), kem_public)
    return Agreed(_session_id(data, handshake), hkdf(secrets, SESSION_INFO, salt=transcript), data)
