"""Contact links: whoever opens one has the contact's true account key, without asking the server.

    fingerprint = SHA-256("messenger-contact-1" 0x00 user_id account_key), first 20 bytes
    link        = SERVER "/#contact=" base64url(0x01 user_id fingerprint username)

All that matters stands in the fragment, which no browser sends to a server.
"""

import base64
import binascii
import re
from uuid import UUID

from msgspec import Struct

from messenger.client.e2e.errors import BadContactCode
from messenger.client.e2e.primitives import id_bytes, same, sha256

LABEL = b"messenger-contact-1\0"
FINGERPRINT_BYTES = 20
_FRAGMENT = "/#contact="
_VERSION = 1
_HEAD = 1 + 16 + FINGERPRINT_BYTES
_USERNAME = re.compile(r"[a-z][a-z0-9._-]{2,31}", re.ASCII)


class ContactCode(Struct, frozen=True, kw_only=True):
    """The contents of a contact link."""

    server: str
    username: str
    user_id: str
    fingerprint: bytes

    def fits(self, user_id: str, account_key: bytes) -> bool:
        """Whether this is the user and the account key that the link means."""
        return user_id == self.user_id and same(fingerprint(user_id, account_key), self.fingerprint)


def fingerprint(user_id: str, account_key: bytes) -> bytes:
    """The 160 bits that stand for a user's account key in a link."""
    return sha256(LABEL, id_bytes(user_id), account_key)[:FINGERPRINT_BYTES]


def contact_link(server: str, username: str, user_id: str, account_key: bytes) -> str:
    """The link to a user; `server` is its address (https://HOST[:PORT])."""
    raw = bytes((_VERSION,)) + id_bytes(user_id) + fingerprint(user_id, account_key) + username.encode()
    return server.rstrip("/") + _FRAGMENT + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_contact_link(text: str) -> ContactCode:
    """Read a link. BadContactCode where it is none, or one of a newer client."""
    server, found, fragment = text.strip().partition(_FRAGMENT)
    if not found or not server:
        raise BadContactCode("A contact link looks like https://SERVER/#contact=LETTERS.")
    try:
        raw = base64.b64decode(fragment + "=" * (-len(fragment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadContactCode("The contact link is damaged: was all of it copied?") from None
    if raw[:1] != bytes((_VERSION,)):
        raise BadContactCode("The contact link is of a newer client, or damaged.")
    username = raw[_HEAD:].decode("ascii", "replace")
    if not _USERNAME.fullmatch(username):
        raise BadContactCode("The contact link is damaged: was all of it copied?")
    return ContactCode(
        server=server,
        username=username,
        user_id=str(UUID(bytes=raw[1:17])),
        fingerprint=raw[17:_HEAD],
    )
