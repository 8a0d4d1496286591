"""A method for each call of the wire contract that the client makes, in the wire's own types."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from messenger.client.e2e.password import Kdf
from messenger.client.errors import BadCredentials, NotFound, SecondFactorRequired, ServerRefused
from messenger.client.net.http import Http, Token, decoded
from messenger.wire import auth, files, keys
from messenger.wire import conversations as talks
from messenger.wire.codec import Binary, Uuid, base64_text
from messenger.wire.paging import Items, Page
from messenger.wire.system import Info

PAGES = 1_000  # of one list, at most
Nothing = type(None)


class Open:
    """The calls that want no session."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def info(self) -> Info:
        """The server's version, protocols and limits."""
        return await self._http.call("GET", "/info", Info)

    async def kdf(self, username: str) -> Kdf | None:
        """How the password of this name is derived; None: not at all, or the server has no such call."""
        try:
            return (await self._http.call("GET", "/auth/kdf", _Said, query={"username": username})).kdf
        except NotFound:
            return None

    async def register(
        self, username: str, password: str, kdf: Kdf, invite: str | None, device_name: str | None
    ) -> auth.Session:
        """A new account; `password` is derived by `kdf`. UsernameTaken."""
        body = auth.Register(
            username=username, password=password, invite=invite, device_name=device_name, kdf=_wire(kdf)
        )
        return await self._http.call("POST", "/auth/register", auth.Session, body=body)

    async def login(
        self, username: str, password: str, device_id: str | None, device_name: str | None
    ) -> auth.Session | str:
        """A session, or the challenge that a second factor has to answer. BadCredentials."""
        body = auth.Login(
            username=username,
            password=password,
            device_id=None if device_id is None else Uuid(device_id),
            device_name=device_name,
        )
        try:
            return await self._http.call("POST", "/auth/login", auth.Session, body=body)
        except ServerRefused as error:
            challenge = error.members.get("challenge")
            if error.code == "second_factor_required" and isinstance(challenge, str):
                return challenge
            raise _credentials(error) from None

    async def second_factor(self, challenge: str, code: str) -> auth.Session:
        """A session for a challenge. BadCredentials."""
        body = auth.SecondFactor(challenge=challenge, code=code)
        try:
            return await self._http.call("POST", "/auth/second-factor", auth.Session, body=body)
        except ServerRefused as error:
            raise _credentials(error) from None


class _Said(Struct, frozen=True):
    """The wire's KdfAnswer, without its bounds: what is out of them is refused by its own name."""

    kdf: Kdf | None


def _wire(kdf: Kdf) -> auth.Kdf:
    return auth.Kdf(
        algorithm="argon2id",
        memory_kib=kdf.memory_kib,
        passes=kdf.passes,
        lanes=kdf.lanes,
        salt=Binary(kdf.salt),
    )


def _credentials(error: ServerRefused) -> Exception:
    if error.code == "second_factor_required":
        return SecondFactorRequired()
    if error.status == 401:
        return BadCredentials(error.status, error.code, error.detail, error.members)
    return error


class Api:
    """The calls of one device's session."""

    def __init__(self, http: Http, token: Token) -> None:
        self._http = http
        self._token = token

    async def _call(self, method: str, path: str, kind: Any, body: object = None, **query: str | int) -> Any:
        return await self._http.call(method, path, kind, token=self._token, body=body, query=query or None)

    # account

    async def logout(self) -> None:
        await self._call("POST", "/auth/logout", Nothing)

    async def delete_account(self, password: str) -> None:
        await self._call("DELETE", "/auth/me", Nothing, auth.AccountDeletion(password=password))

    async def change_password(self, current: str, new: str, kdf: Kdf) -> None:
        body = auth.PasswordChange(current_password=current, new_password=new, kdf=_wire(kdf))
        await self._call("POST", "/auth/password", Nothing, body)

    async def begin_totp(self, password: str) -> auth.TotpSecret:
        found: auth.TotpSecret = await self._call(
            "POST", "/auth/totp", auth.TotpSecret, auth.PasswordOnceMore(password=password)
        )
        return found

    async def confirm_totp(self, code: str) -> list[str]:
        body = auth.TotpCode(code=code)
        found: auth.RecoveryCodes = await self._call("POST", "/auth/totp/confirm", auth.RecoveryCodes, body)
        return found.recovery_codes

    async def remove_totp(self, password: str) -> None:
        await self._call("DELETE", "/auth/totp", Nothing, auth.PasswordOnceMore(password=password))

    async def devices(self) -> list[auth.Device]:
        found: Items[auth.Device] = await self._call("GET", "/auth/devices", Items[auth.Device])
        return found.items

    async def remove_device(self, device_id: str) -> None:
        await self._call("DELETE", f"/auth/devices/{device_id}", Nothing)

    # users

    async def user_named(self, username: str) -> auth.User | None:
        found: Items[auth.User] = await self._call("GET", "/users", Items[auth.User], username=username)
        return found.items[0] if found.items else None

    async def lookup(self, user_ids: list[str]) -> list[auth.User]:
        body = auth.UserLookup(user_ids=[Uuid(one) for one in user_ids])
        found: Items[auth.User] = await self._call("POST", "/users/lookup", Items[auth.User], body)
        return found.items

    async def blocks(self) -> list[str]:
        found: Items[str] = await self._call("GET", "/blocks", Items[str])
        return found.items

    async def block(self, user_id: str, blocked: bool) -> None:
        await self._call("PUT" if blocked else "DELETE", f"/blocks/{user_id}", Nothing)

    # keys

    async def put_identity(self, identity_key: bytes) -> None:
        await self._call("PUT", "/keys/identity", Nothing, keys.IdentityKey(Binary(identity_key)))

    async def put_signed_prekey(self, prekey: keys.SignedPrekey) -> None:
        await self._call("PUT", "/keys/signed-prekey", Nothing, prekey)

    async def post_one_time_prekeys(self, prekeys: keys.OneTimePrekeys) -> None:
        await self._call("POST", "/keys/one-time-prekeys", keys.OneTimePrekeyCount, prekeys)

    async def post_kem_prekeys(self, prekeys: keys.KemPrekeys) -> None:
        await self._call("POST", "/keys/kem-prekeys", keys.KemPrekeyCount, prekeys)

    async def key_status(self) -> keys.KeyStatus:
        found: keys.KeyStatus = await self._call("GET", "/keys/status", keys.KeyStatus)
        return found

    async def identities(self, user_id: str) -> keys.Identities:
        found: keys.Identities = await self._call("GET", f"/keys/identity/{user_id}", keys.Identities)
        return found

    async def claim(self, device_ids: list[str]) -> list[keys.Bundle]:
        body = keys.Claim(devices=[Uuid(one) for one in device_ids])
        found: Items[keys.Bundle] = await self._call("POST", "/keys/claim", Items[keys.Bundle], body)
        return found.items

    async def put_device_list(self, given: keys.DeviceList) -> None:
        await self._call("PUT", "/keys/device-list", Nothing, given)

    # conversations

    async def create_conversation(
        self, kind: talks.Kind, members: list[str], metadata: bytes | None, client_id: str | None
    ) -> talks.Conversation:
        body = talks.NewConversation(
            type=kind,
            members=[Uuid(one) for one in members],
            metadata=None if metadata is None else Binary(metadata),
            client_id=None if client_id is None else Uuid(client_id),
        )
        return await self._conversation("POST", "/conversations", body)

    async def _conversation(self, method: str, path: str, body: object = None) -> talks.Conversation:
        found: talks.Conversation = await self._call(method, path, talks.Conversation, body)
        return found

    async def conversation(self, conversation_id: str) -> talks.Conversation:
        return await self._conversation("GET", f"/conversations/{conversation_id}")

    async def conversations(self) -> list[talks.Conversation]:
        """All of them."""
        found: list[talks.Conversation] = []
        query: dict[str, str | int] = {"limit": 200}
        for _ in range(PAGES):
            page: Page[talks.Conversation] = await self._call(
                "GET", "/conversations", Page[talks.Conversation], **query
            )
            found += page.items
            if page.next is None:
                break
            query["cursor"] = page.next
        return found

    async def set_metadata(self, conversation_id: str, metadata: bytes) -> talks.Conversation:
        body = talks.ConversationUpdate(metadata=Binary(metadata))
        return await self._conversation("PATCH", f"/conversations/{conversation_id}", body)

    async def members(self, conversation_id: str) -> list[talks.Member]:
        path = f"/conversations/{conversation_id}/members"
        found: Items[talks.Member] = await self._call("GET", path, Items[talks.Member])
        return found.items

    async def add_member(self, conversation_id: str, user_id: str, role: talks.Role) -> None:
        body = talks.NewMember(user_id=Uuid(user_id), role=role)
        await self._call("POST", f"/conversations/{conversation_id}/members", Nothing, body)

    async def set_role(self, conversation_id: str, user_id: str, role: talks.Role) -> None:
        path = f"/conversations/{conversation_id}/members/{user_id}"
        await self._call("PATCH", path, Nothing, talks.RoleChange(role=role))

    async def remove_member(self, conversation_id: str, user_id: str) -> None:
        await self._call("DELETE", f"/conversations/{conversation_id}/members/{user_id}", Nothing)

    async def conversation_devices(self, conversation_id: str) -> talks.Devices:
        path = f"/conversations/{conversation_id}/devices"
        found: talks.Devices = await self._call("GET", path, talks.Devices)
        return found

    async def messages(self, conversation_id: str, after: int, limit: int = 200) -> list[talks.Message]:
        """The next messages after a place, own ones included."""
        path = f"/conversations/{conversation_id}/messages"
        page: Page[talks.Message] = await self._call(
            "GET", path, Page[talks.Message], after=after, limit=limit
        )
        return page.items

    async def changes(self, conversation_id: str, after: int) -> list[talks.Change]:
        """The next changes after a number."""
        path = f"/conversations/{conversation_id}/changes"
        page: Page[talks.Change] = await self._call("GET", path, Page[talks.Change], after=after, limit=200)
        return page.items

    async def delete_message(self, conversation_id: str, seq: int) -> None:
        await self._call("DELETE", f"/conversations/{conversation_id}/messages/{seq}", Nothing)

    # files

    async def upload(
        self, blob: AsyncIterator[bytes], size: int, conversation_id: str, metadata: bytes
    ) -> files.File:
        """Stream a blob of `size` bytes up. FileTooLarge."""

        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "X-Conversation-ID": conversation_id,
            "X-File-Metadata": base64_text(metadata),
        }
        access = await self._token.access()
        async with self._http.stream(
            "POST", "/files", access=access, headers=headers, content=blob
        ) as answer:
            return decoded(await answer.aread(), files.File)

    @asynccontextmanager
    async def download(self, file_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """A blob, in parts."""
        access = await self._token.access()
        async with self._http.stream("GET", f"/files/{file_id}", access=access) as answer:
            yield answer.aiter_raw(65_536)
