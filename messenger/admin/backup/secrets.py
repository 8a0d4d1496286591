"""Tells whether a server has the secrets that a backup was made with, without keeping any in the backup.

`[auth] signing_secret` opens users' second factors, `[auth] pepper` is in each password's hash: a restore
with others would look well, and let nobody in. Of each the manifest has four bytes that HKDF (RFC 5869) makes
of it: enough to tell one from another, of no use to find out a random secret.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from messenger.core.settings import Settings

NAMES = ("signing_secret", "pepper")


def marks(settings: Settings) -> dict[str, str]:
    """A mark of each secret that the settings have."""
    found = {name: getattr(settings.auth, name) for name in NAMES}
    return {name: _mark(name, secret) for name, secret in found.items() if secret}


def others(made_with: dict[str, str], settings: Settings) -> list[str]:
    """The secrets that are not what the backup was made with."""
    now = marks(settings)
    return [name for name in NAMES if made_with.get(name, "") != now.get(name, "") and name in made_with]


def _mark(name: str, secret: str) -> str:
    derive = HKDF(SHA256(), length=4, salt=None, info=f"secure-messenger backup {name}".encode("ascii"))
    return derive.derive(secret.encode("utf-8")).hex()
