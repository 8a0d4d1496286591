"""Accounts, devices, sessions and tokens: the bodies under /auth and /users."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from messenger.wire.codec import Binary, Uuid

ShortText = Annotated[str, Meta(max_length=100)]
# Longer than any secret may be, so that a rule can say no, with its own word, where a bound would say 400.
Secret = Annotated[str, Meta(max_length=1_000_000)]


class User(Struct, frozen=True):
    """A user as others see it."""

    user_id: str
    username: str
    created_at: str


class Kdf(Struct, frozen=True, kw_only=True):
    """How a client derives `password`: Argon2id (RFC 9106), 8 KiB a lane or more, salt of 16 to 64 bytes."""

    algorithm: Literal["argon2id"]
    memory_kib: Annotated[int, Meta(ge=8, le=1_048_576)]
    passes: Annotated[int, Meta(ge=1, le=64)]
    lanes: Annotated[int, Meta(ge=1, le=16)]
    salt: Binary


class KdfQuery(Struct, frozen=True, kw_only=True):
    """Whose derivation is asked for."""

    username: str


class KdfAnswer(Struct, frozen=True, kw_only=True):
    """How the user's password is derived; null where it is sent as it is typed."""

    kdf: Kdf | None


class Register(Struct, frozen=True, kw_only=True):
    """A new account and its first device; `kdf` where `password` is derived."""

    username: str
    password: Secret
    device_name: ShortText | None = None
    invite: Secret | None = None
    kdf: Kdf | None = None


class Login(Struct, frozen=True, kw_only=True):
    """A new device, or with `device_id` an old one that goes on."""

    username: str
    password: Secret
    device_id: Uuid | None = None
    device_name: ShortText | None = None


class Refresh(Struct, frozen=True, kw_only=True):
    """A refresh token, to be spent."""

    refresh_token: Secret


class PasswordChange(Struct, frozen=True, kw_only=True):
    """A new password; all other sessions end. `kdf` where `new_password` is derived."""

    current_password: Secret
    new_password: Secret
    kdf: Kdf | None = None


class AccountDeletion(Struct, frozen=True, kw_only=True):
    """The password once more, before the account goes for good."""

    password: Secret


class SecondFactor(Struct, frozen=True, kw_only=True):
    """The code that a challenged login waits for: of the authenticator app, or a recovery code."""

    challenge: Secret
    code: Secret


class TotpSecret(Struct, frozen=True, kw_only=True):
    """A secret for an authenticator app, in base32 and as an `otpauth` URI; shown once."""

    secret: str
    uri: str


class TotpCode(Struct, frozen=True, kw_only=True):
    """A code of the authenticator app."""

    code: Secret


class RecoveryCodes(Struct, frozen=True):
    """Codes for when the authenticator is lost, each good once; shown once."""

    recovery_codes: list[str]


class PasswordOnceMore(Struct, frozen=True, kw_only=True):
    """The password once more, before a second factor is set up or goes."""

    password: Secret


class Session(Struct, frozen=True, kw_only=True):
    """A session that has begun, by registration, login or refresh. `expires_in` is in seconds."""

    user: User
    device_id: str
    access_token: str
    expires_in: int
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's name, no secret


class Device(Struct, frozen=True, kw_only=True):
    """One login of a user, as that user sees it."""

    device_id: str
    device_name: str | None
    created_at: str
    last_seen_at: str
    current: bool


class Ticket(Struct, frozen=True, kw_only=True):
    """Opens one WebSocket, once, within `expires_in` seconds."""

    ticket: str
    expires_in: int


class UserQuery(Struct, frozen=True, kw_only=True):
    """Search by exact name."""

    username: str


class UserLookup(Struct, frozen=True, kw_only=True):
    """Many users at once."""

    user_ids: Annotated[list[Uuid], Meta(min_length=1, max_length=200)]


class VerificationKey(Struct, frozen=True, kw_only=True):
    """A public key that signs access tokens, as a JSON Web Key (RFC 8037 section 2); `x` is base64url."""

    kid: str
    x: str
    kty: str = "OKP"
    crv: str = "Ed25519"
    use: str = "sig"
    alg: str = "EdDSA"


class VerificationKeys(Struct, frozen=True):
    """A JSON Web Key Set (RFC 7517 section 5)."""

    keys: list[VerificationKey]
