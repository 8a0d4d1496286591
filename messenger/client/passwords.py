"""What is sent as the password: asked for, judged and derived, in a thread of its own.

A profile keeps how its account's password was derived last (`account` table, `kdf`). It asks again each time,
since the password may have been changed elsewhere, and takes nothing weaker. A profile without one is from
before passwords were derived, or was told to log in bare; what its live session asks for is what it began
with, and its next change of the password ends that.
"""

import asyncio

import msgspec

from messenger.client.e2e.errors import BareKdf, KdfError, UnknownKdf, WeakKdf
from messenger.client.e2e.password import Kdf, derive, judge
from messenger.client.engine.vault import Store
from messenger.client.errors import KdfRefused, StoreCorrupt, WeakPassword
from messenger.client.net.api import Open
from messenger.client.net.http import Http
from messenger.client.store.unlock import one_at_a_time
from messenger.wire.passwords import fault

_NAME = "kdf"
_CODES: dict[type[KdfError], str] = {BareKdf: "bare_kdf", UnknownKdf: "unknown_kdf", WeakKdf: "weak_kdf"}


def known_kdf(store: Store) -> Kdf | None:
    """How this profile's password was derived last; None where it never was. StoreCorrupt."""
    raw = store.account.raw(_NAME)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Kdf)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise StoreCorrupt("How the password is derived can't be read.") from None


def keep_kdf(store: Store, kdf: Kdf | None) -> None:
    """Keep how the password is derived; that it once was is never forgotten."""
    if kdf is not None:
        store.account.set(_NAME, msgspec.json.encode(kdf))


def check_new(password: str, username: str) -> None:
    """The server's rules for passwords, before it gets what it can't judge. WeakPassword."""
    wrong = fault(password, username.strip().lower())
    if wrong is not None:
        raise WeakPassword(wrong)


async def asked_kdf(http: Http, username: str, known: Kdf | None, allow_bare: bool) -> Kdf | None:
    """How the server wants this name's password; None: bare, which was allowed. KdfRefused."""
    said = await Open(http).kdf(username)
    try:
        return judge(said, known=known, allow_bare=allow_bare)
    except KdfError as error:
        raise KdfRefused(str(error), code=_CODES.get(type(error), "excessive_kdf")) from None


async def sent_as(password: str, kdf: Kdf | None) -> str:
    """What is sent as the password; it is worked out in a thread. WeakPassword for what is no Unicode."""
    return password if kdf is None else await asyncio.to_thread(_login_half, password, kdf)


def _login_half(password: str, kdf: Kdf) -> str:
    try:
        with one_at_a_time:
            return derive(password, kdf).login
    except UnicodeEncodeError:
        raise WeakPassword("The password is not Unicode text.") from None
