"""The client: one profile, one account, one device.

`register`, `login` and `open` give a client that is not connected yet; `async with client` connects it, and
closes it in the end. Everything that was received stands in the store, so that conversations and history are
there without a server too.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from messenger.client.account import Account
from messenger.client.conversation import Conversation
from messenger.client.devices import Devices
from messenger.client.e2e import ConversationMetadata, FileReference, seal_conversation_metadata
from messenger.client.engine import membership
from messenger.client.engine.core import Engine
from messenger.client.engine.files import Files, Progress, safe_name
from messenger.client.engine.vault import Store
from messenger.client.errors import (
    AmbiguousName,
    ContactConflict,
    NotApproved,
    UnknownConversation,
    UnknownFile,
    UnknownUser,
)
from messenger.client.events import ConnectionState, Event
from messenger.client.group import new_key
from messenger.client.records import Message, Person
from messenger.client.store.export import write_export
from messenger.wire import frames


class Client(Account, Devices):
    """A device of an account. Made by `register`, `login` or `open`."""

    def __init__(self, engine: Engine, profile: Path, username: str) -> None:
        super().__init__(engine, profile, username)
        self.transfers = Files(engine.vault, engine.api)

    # running

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Connect, and stay connected until `close`."""
        self.engine.start()

    async def close(self) -> None:
        """Disconnect and close the profile. What waits to be sent is sent the next time."""
        if self.engine.vault.closed:
            return
        await self.engine.stop()
        await self.engine.feed.finish()
        await self.engine.vault.close()
        await self.engine.http.close()

    async def reached(self) -> None:
        """Return once the server has answered; ServerUnreachable where the first try to connect failed.

        For programs that rather give up than wait: the connection goes on trying.
        """
        await self.engine.reached()

    async def synced(self, timeout: float | None = None) -> None:
        """Return once all that waited at the server is here, and what waited here was sent or refused.

        TimeoutError after `timeout` seconds; SessionExpired.
        """
        async with asyncio.timeout(timeout):
            await self.engine.synced()

    @property
    def state(self) -> ConnectionState:
        """How the connection is."""
        return self.engine.state

    @property
    def approved(self) -> bool:
        """Whether this device may read and write; else `device_code` has to be shown to another one."""
        return self.engine.approved

    @property
    def server(self) -> str:
        """The server's address."""
        return self.engine.server

    @property
    def user_id(self) -> str:
        """The own user."""
        return self.engine.user_id

    @property
    def device_id(self) -> str:
        """The own device."""
        return self.engine.device_id

    def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """What happens, from where this application was, or from behind a position of its own."""
        return self.engine.feed.events(after)

    async def handled(self, event: Event) -> None:
        """Everything up to this event was taken care of."""
        if event.position:
            await self.engine.feed.handled(event.position)

    def say(self, frame: Any) -> None:
        """Send a frame that may be lost: there is nothing to do where there is no connection."""
        if self.engine.connection.socket is not None:
            self.engine.connection.socket.say(frame)

    async def set_presence(self, status: Literal["online", "away"]) -> None:
        """How this device wishes to be seen."""
        self.say(frames.Presence(status=status))

    async def settled(self, message: Message) -> Message:
        """The message once the server has answered for it. SendingFailed."""
        await self.engine.settled(message)
        found = await self.engine.vault.run(lambda store: store.messages.get(int(message.id)))
        return found or message

    # conversations

    async def conversations(self) -> list[Conversation]:
        """All conversations, those with the latest activity first."""
        return await self.engine.vault.run(
            lambda store: [Conversation(self, row, store) for row in store.conversations.shown()]
        )

    async def _conversation(self, conversation_id: str) -> Conversation:
        def read(store: Store) -> Conversation:
            row = store.conversations.get(conversation_id)
            if row is None:
                raise UnknownConversation()
            return Conversation(self, row, store)

        return await self.engine.vault.run(read)

    async def conversation(self, name: str) -> Conversation:
        """A conversation by its id or the beginning of it (8 or more), a group's title, or a username.

        UnknownConversation, AmbiguousName.
        """

        def find(store: Store) -> list[str]:
            rows = store.conversations.shown()
            wanted = name.strip()
            exact = [row for row in rows if row.conversation_id == wanted.lower()]
            peer = [row for row in rows if row.type == "direct" and row.title == wanted.lower()]
            titled = [row for row in rows if row.type == "group" and row.title == wanted]
            short = [row for row in rows if len(wanted) >= 8 and row.conversation_id.startswith(wanted)]
            return [row.conversation_id for row in exact or peer or titled or short]

        found = await self.engine.vault.run(find)
        if len(found) > 1:
            raise AmbiguousName(f"{len(found)} conversations are called {name}: use the id.")
        if found:
            return await self._conversation(found[0])
        try:
            return await self.direct(name)
        except UnknownUser:
            raise UnknownConversation(f"There is no conversation and no user {name}.") from None

    async def direct(self, username: str) -> Conversation:
        """The direct conversation with a user, made if it is not there.

        UnknownUser, Blocked, ContactConflict where the server answers with somebody else.
        """

        def known(store: Store) -> str | None:
            user_id = store.conversations.user_named(username.strip().lower())
            rows = [row for row in store.conversations.all() if row.type == "direct" and not row.ended]
            return next((row.conversation_id for row in rows if row.peer_id == user_id), None)

        conversation_id = await self.engine.vault.run(known)
        if conversation_id is None:
            person = await self.user(username)
            said = await self.engine.api.create_conversation("direct", [person.user_id], None, None)
            if said.type != "direct":
                raise ContactConflict(
                    f"The server answers with a group for the conversation with {username}."
                )
            await self.engine.asking.take(said, peer=person.user_id)
            conversation_id = said.conversation_id
            row = await self.engine.vault.run(lambda store: store.conversations.get(conversation_id))
            if row is None or row.peer_id != person.user_id:
                raise ContactConflict(
                    f"The server answers with another conversation than that with {username}."
                )
        return await self._conversation(conversation_id)

    async def create_group(self, title: str, usernames: list[str] | None = None) -> Conversation:
        """A new group with these members, and this user as its owner.

        UnknownUser, Blocked; MembershipRefused for a user who has no account key yet, NotApproved.
        """
        if not self.approved:
            raise NotApproved()
        people = [await self.user(username) for username in usernames or []]
        user_ids = [person.user_id for person in people]
        await self.engine.asking.ensure_fresh(user_ids)
        await self.engine.vault.run(lambda store: membership.check_known(store, user_ids))
        key = new_key()
        sealed = seal_conversation_metadata(key, ConversationMetadata(name=title))
        said = await self.engine.api.create_conversation("group", user_ids, sealed, None)
        if said.type != "group":
            raise ContactConflict("The server answers with another conversation than a new group.")
        await self.engine.vault.run(
            lambda store: membership.make_first(store, said.conversation_id, user_ids)
        )
        await self.engine.asking.take(said, key)
        conversation = await self._conversation(said.conversation_id)
        if people:
            await conversation.share_title()
        return conversation

    # people

    async def user(self, username: str) -> Person:
        """A user by name. UnknownUser."""
        return await self.engine.asking.user(username)

    async def block(self, username: str) -> None:
        """Hear no more from a user in the direct conversation, nor write to them."""
        await self.engine.api.block((await self.user(username)).user_id, True)

    async def unblock(self, username: str) -> None:
        """Take a block away."""
        await self.engine.api.block((await self.user(username)).user_id, False)

    async def blocks(self) -> list[Person]:
        """Who is blocked."""
        user_ids = await self.engine.api.blocks()
        await self.engine.asking.names(user_ids)
        return await self.engine.vault.run(
            lambda store: [Person(user_id=one, username=store.conversations.name(one)) for one in user_ids]
        )

    # files

    async def files(self, conversation: Conversation | None = None) -> list[Message]:
        """The latest messages that hold files."""
        return await self.engine.vault.run(
            lambda store: store.messages.with_files(None if conversation is None else conversation.id)
        )

    async def fetch_file(
        self,
        file: str | Message,
        path: Path | str | None = None,
        *,
        progress: Progress | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Download a file, by its message, its id or the beginning of that; where it was put.

        Without `path`, or with a folder, it gets the name that its sender gave it, made safe. UnknownFile,
        FileDamaged (told by an event too), FileExistsError, NotFound.
        """
        name = file.id if isinstance(file, Message) else file
        found: tuple[Message, FileReference] | None = await self.engine.vault.run(
            lambda store: store.messages.file(name)
        )
        if found is None:
            raise UnknownFile()
        reference = found[1]
        target = Path() if path is None else Path(path)
        if target.is_dir():
            target = target / safe_name(reference.name, reference.file_id)
        return await self.transfers.fetch(reference, target, progress=progress, overwrite=overwrite)

    # export

    async def export(self, path: Path | str, *, overwrite: bool = False) -> int:
        """Write all conversations and messages as JSON lines, readable by this user only; how many messages.

        FileExistsError.
        """
        return await self.engine.vault.run(lambda store: write_export(store, Path(path), overwrite))
