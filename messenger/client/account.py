"""The account: how a profile for it is made and opened, and the calls that are about the account itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import msgspec

from messenger.client.e2e.password import Kdf, new_kdf
from messenger.client.engine.core import Engine
from messenger.client.engine.publishing import make_keys
from messenger.client.engine.vault import Store, Vault
from messenger.client.errors import (
    ClientError,
    ProfileMismatch,
    SecondFactorRequired,
    ServerUnreachable,
    SessionExpired,
)
from messenger.client.net.api import Open
from messenger.client.net.http import Http
from messenger.client.net.tokens import tokens_of
from messenger.client.passwords import asked_kdf, check_new, keep_kdf, known_kdf, sent_as
from messenger.client.records import SecondFactorSecret
from messenger.client.settings import Settings
from messenger.client.store.unlock import Passphrase, Unlock, change_passphrase, read_key_file
from messenger.wire.auth import Session
from messenger.wire.keys import Identities

Code = str | Callable[[], Awaitable[str]]


class Account:
    """The part of `Client` that is about the account and its profile."""

    def __init__(self, engine: Engine, profile: Path, username: str) -> None:
        self.engine = engine
        self.profile = profile
        self.username = username

    # opening

    @classmethod
    async def register(
        cls,
        profile: Path | str,
        server: str,
        username: str,
        password: str,
        unlock: Unlock,
        *,
        invite: str | None = None,
        device_name: str | None = None,
        settings: Settings | None = None,
    ) -> Self:
        """A new account, its first device and a new profile for it. The password does not leave the device.

        WeakPassword, UsernameTaken, ServerRefused (a bad name, a bad invite), ServerUnreachable,
        ProfileExists, ProfileLocked.
        """
        check_new(password, username)
        chosen = settings or Settings()
        server = _server(server)
        vault = await Vault.open(Path(profile), unlock, create=True)
        http = _http(server, chosen)
        try:
            kdf = new_kdf()
            login = await sent_as(password, kdf)
            session = await Open(http).register(username, login, kdf, invite, device_name)
            await vault.run(lambda store: _adopt_session(store, server, session, kdf, new=True, first=True))
        except BaseException:
            await vault.close()
            vault.discard()
            await http.close()
            raise
        return await cls._made(vault, http, chosen)

    @classmethod
    async def login(
        cls,
        profile: Path | str,
        server: str,
        username: str,
        password: str,
        unlock: Unlock,
        *,
        second_factor: Code | None = None,
        device_name: str | None = None,
        allow_bare_password: bool = False,
        settings: Settings | None = None,
    ) -> Self:
        """A session for a profile that exists, as its device; or a new device in a new profile.

        A new device of an account that has others is to be approved by one of them (`device_code`).
        `allow_bare_password`: send the password itself, where the server says that the account is older than
        derived passwords; never by a profile that has derived one. `change_password` ends that state.
        KdfRefused, BadCredentials, SecondFactorRequired, ProfileMismatch, WrongPassphrase, DeviceLimit ...
        """
        chosen = settings or Settings()
        server = _server(server)
        create = not cls.exists(profile)
        vault = await Vault.open(Path(profile), unlock, create=create)
        http = _http(server, chosen)
        try:
            await _login(
                vault, http, server, username, password, second_factor, device_name, allow_bare_password
            )
        except BaseException:
            await vault.close()
            if create:
                vault.discard()
            await http.close()
            raise
        return await cls._made(vault, http, chosen)

    @classmethod
    async def open(cls, profile: Path | str, unlock: Unlock, *, settings: Settings | None = None) -> Self:
        """A profile that exists. NoProfile, WrongPassphrase, ProfileLocked, StoreCorrupt, StoreTooNew."""
        chosen = settings or Settings()
        vault = await Vault.open(Path(profile), unlock)
        server = await vault.run(lambda store: store.account.get("server") or "")
        return await cls._made(vault, _http(server, chosen), chosen)

    @classmethod
    async def _made(cls, vault: Vault, http: Http, settings: Settings) -> Self:
        engine = await Engine.make(vault, http, settings)
        username = await vault.run(lambda store: store.account.get("username") or "")
        return cls(engine, vault.profile, username)

    @staticmethod
    def exists(profile: Path | str) -> bool:
        """Whether there is a profile here."""
        return read_key_file(Path(profile)) is not None

    @staticmethod
    def unlock_kind(profile: Path | str) -> Literal["passphrase", "keyring"] | None:
        """How a profile is unlocked; None where there is none."""
        file = read_key_file(Path(profile))
        return None if file is None else file.kind

    # the account

    async def logout(self) -> None:
        """End the session; the profile stays, and a later login goes on as this device."""
        await self.engine.stop()
        await self.tolerant(self.engine.api.logout())
        await self.engine.tokens.replace(None)

    async def delete_account(self, password: str) -> None:
        """Delete the account at the server, for good. NotAllowed for a wrong password, KdfRefused."""
        await self.engine.api.delete_account(await self._stated(password))
        await self.engine.stop()
        await self.engine.tokens.replace(None)

    async def change_password(self, current: str, new: str) -> None:
        """Another password, derived with a new salt; all other sessions end. The profile's passphrase stays.

        A bare password becomes a derived one. WeakPassword, NotAllowed, KdfRefused.
        """
        check_new(new, self.username)
        stated = await self._stated(current)
        kdf = new_kdf(await self.engine.vault.run(known_kdf))
        await self.engine.api.change_password(stated, await sent_as(new, kdf), kdf)
        await self.engine.vault.run(lambda store: keep_kdf(store, kdf))

    async def change_passphrase(self, old: Passphrase, new: Passphrase) -> None:
        """Another passphrase for the profile; the password stays. WrongPassphrase."""
        await asyncio.to_thread(change_passphrase, self.profile, old, new)

    async def _stated(self, password: str) -> str:
        """What is sent where the server asks for the password once more. KdfRefused."""
        known = await self.engine.vault.run(known_kdf)
        # Without one this session began by a bare password, and a change elsewhere would have ended it.
        kdf = await asked_kdf(self.engine.http, self.username, known, allow_bare=known is None)
        return await sent_as(password, kdf)

    async def begin_second_factor(self, password: str) -> SecondFactorSecret:
        """A secret for an authenticator app; `confirm_second_factor` makes it count. NotAllowed."""
        found = await self.engine.api.begin_totp(await self._stated(password))
        return SecondFactorSecret(secret=found.secret, uri=found.uri)

    async def confirm_second_factor(self, code: str) -> list[str]:
        """The app's first code; the recovery codes, shown once."""
        return await self.engine.api.confirm_totp(code)

    async def remove_second_factor(self, password: str) -> None:
        """Log in by password alone again. NotAllowed, KdfRefused."""
        await self.engine.api.remove_totp(await self._stated(password))

    async def tolerant(self, work: Awaitable[object]) -> None:
        """Do something that is as well left undone where the server can't be reached."""
        try:
            await work
        except (ServerUnreachable, SessionExpired):
            return


def _server(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.username is not None:
        raise ClientError(f"{text} is no address of a server: https://HOST[:PORT].", code="bad_address")
    return text.rstrip("/")


def _http(server: str, settings: Settings) -> Http:
    return Http(server, timeout=settings.request_timeout, patience=settings.patience)


def _adopt_session(
    store: Store, server: str, session: Session, kdf: Kdf | None, *, new: bool, first: bool
) -> None:
    keep_kdf(store, kdf)
    store.account.set("server", server)
    store.account.set("user_id", session.user.user_id)
    store.account.set("username", session.user.username)
    store.account.set("device_id", session.device_id)
    store.account.set("tokens", msgspec.json.encode(tokens_of(session, time.time())))
    store.conversations.put_person(session.user.user_id, session.user.username)
    if new:
        make_keys(store, first=first)


async def _login(
    vault: Vault,
    http: Http,
    server: str,
    username: str,
    password: str,
    second_factor: Code | None,
    device_name: str | None,
    allow_bare: bool,
) -> None:
    def known(store: Store) -> tuple[str | None, str | None, str | None]:
        return tuple(store.account.get(name) for name in ("server", "username", "device_id"))  # type: ignore[return-value]

    at, name, device_id = await vault.run(known)
    if device_id is not None and (at, name) != (server, username.strip().lower()):
        raise ProfileMismatch(f"The profile is {name}'s at {at}.")
    kdf = await asked_kdf(http, username, await vault.run(known_kdf), allow_bare)
    login = await sent_as(password, kdf)
    session = await _session(http, username, login, device_id, second_factor, device_name)
    new = device_id is None
    first = new and await _first_device(http, session)
    await vault.run(lambda store: _adopt_session(store, server, session, kdf, new=new, first=first))


async def start_session(
    http: Http,
    username: str,
    password: str,
    device_id: str | None,
    second_factor: Code | None,
    *,
    known: Kdf | None = None,
) -> Session:
    """Log in by a derived password, with the second factor where one is asked for. KdfRefused.

    `known` is how the profile's password was derived last.
    """
    kdf = await asked_kdf(http, username, known, allow_bare=False)
    return await _session(http, username, await sent_as(password, kdf), device_id, second_factor, None)


async def _session(
    http: Http,
    username: str,
    login: str,
    device_id: str | None,
    second_factor: Code | None,
    device_name: str | None,
) -> Session:
    found = await Open(http).login(username, login, device_id, device_name)
    if isinstance(found, Session):
        return found
    if second_factor is None:
        raise SecondFactorRequired()
    code = second_factor if isinstance(second_factor, str) else await second_factor()
    return await Open(http).second_factor(found, code.strip())


async def _first_device(http: Http, session: Session) -> bool:
    """Whether the account has no devices with keys yet, so that this one makes the account key."""

    class Once:
        async def access(self) -> str:
            return session.access_token

        async def renew(self, stale: str) -> str:
            return stale

    path = f"/keys/identity/{session.user.user_id}"
    said = await http.call("GET", path, Identities, token=Once())
    return said.device_list is None and not said.items
