"""What has to be asked of the server before the rules can judge: names, keys, members, conversations."""

import time
from collections import OrderedDict
from collections.abc import Iterable

from messenger.client import events
from messenger.client.e2e import KnownUser, Policy
from messenger.client.engine import approval, directory
from messenger.client.engine.sealing import DeviceView
from messenger.client.engine.titles import retitle
from messenger.client.engine.vault import Store, Vault
from messenger.client.errors import ContactConflict, NotFound, UnknownUser
from messenger.client.net.api import Api
from messenger.client.records import Person
from messenger.client.settings import Settings
from messenger.wire.auth import User
from messenger.wire.codec import uuid_text
from messenger.wire.conversations import Conversation, Member

REFUSED_AGAIN = 60.0  # seconds before the keys of a user with a refused device are asked for again
MOST_VIEWS = 1_000


class Asking:
    """Questions to the server, and their answers in the store."""

    def __init__(self, vault: Vault, api: Api, settings: Settings) -> None:
        self._vault = vault
        self._api = api
        self.policy = Policy(settings.identity_changes)
        self._views: OrderedDict[str, DeviceView] = OrderedDict()
        self._fresh: set[str] = set()  # users whose keys were asked for on this connection
        self._asked: OrderedDict[tuple[str, str], float] = OrderedDict()

    # users

    async def user(self, username: str) -> Person:
        """A user by name. UnknownUser, ContactConflict where the server names another than before."""
        username = username.strip().lower()
        found = await self._api.user_named(username)
        if found is None or found.username != username:
            raise UnknownUser(f"There is no user {username}.")
        if not await self._vault.run(lambda store: directory.name_user(store, found.user_id, username)):
            raise ContactConflict(f"The server names another user {username} than before: nothing is done.")
        return Person(user_id=found.user_id, username=username)

    async def names(self, user_ids: list[str]) -> None:
        """Have the names of these users."""
        missing = await self._vault.run(lambda store: store.conversations.nameless(user_ids))
        for start in range(0, len(missing), 200):
            asked = set(missing[start : start + 200])
            found = [one for one in await self._api.lookup(sorted(asked)) if one.user_id in asked]

            def put(store: Store, found: list[User] = found) -> None:
                for one in found:
                    directory.name_user(store, one.user_id, one.username)

            await self._vault.run(put)

    async def learn(self, user_id: str) -> None:
        """Ask for a user's keys, and take in what holds."""
        await self.names([user_id])
        try:
            said = await self._api.identities(user_id)
        except NotFound:
            return  # the account is gone; what was known stays
        await self._vault.run(lambda store: directory.learn(store, user_id, said, self.policy))
        self._fresh.add(user_id)

    async def ensure_fresh(self, user_ids: Iterable[str]) -> None:
        """Have the keys of these users as the server names them on this connection: what is sent goes by keys
        that were looked at just before."""
        for user_id in user_ids:
            if user_id not in self._fresh:
                await self.learn(user_id)

    def stale(self, user_id: str) -> None:
        """A user's keys may have changed."""
        self._fresh.discard(user_id)

    async def learn_own(self) -> None:
        """Before approval: have the own devices as the server names them, to read a grant by."""
        said = await self._api.identities(await self._vault.run(lambda store: store.user_id))

        def put(store: Store) -> None:
            known = KnownUser(store.user_id)
            known.learn(said, Policy.WARN)
            store.account.set("provisional", known.to_bytes())

        await self._vault.run(put)

    async def learn_senders(self, senders: list[tuple[str, str]]) -> None:
        """Have the keys of these senders, (user, device), where a device is not known."""
        now = time.monotonic()

        def unknown(store: Store) -> tuple[list[tuple[str, str]], bool]:
            waiting = not approval.judges_own(store)
            found = []
            for user_id, device_id in dict.fromkeys(senders):
                own = user_id == store.user_id and waiting
                if not own and device_id not in store.known(user_id).devices:
                    found.append((user_id, device_id))
            return found, waiting and any(user == store.user_id for user, _ in senders)

        missing, own = await self._vault.run(unknown)
        if own:
            await self.learn_own()
        users = []
        for pair in missing:
            if now - self._asked.get(pair, -REFUSED_AGAIN) >= REFUSED_AGAIN:
                self._asked[pair] = now
                users.append(pair[0])
        while len(self._asked) > MOST_VIEWS:
            self._asked.popitem(last=False)
        for user_id in dict.fromkeys(users):
            await self.learn(user_id)

    # conversations

    async def conversation(self, conversation_id: str) -> None:
        """Have a conversation and its members as the server names them."""
        said = await self._api.conversation(conversation_id)
        await self.take(said)

    async def know(self, conversation_ids: list[str]) -> None:
        """Have these conversations, where they are not known."""

        def unknown(store: Store) -> list[str]:
            return [one for one in dict.fromkeys(conversation_ids) if store.conversations.get(one) is None]

        for conversation_id in await self._vault.run(unknown):
            await self.conversation(conversation_id)

    async def take(
        self,
        said: Conversation,
        key: bytes | None = None,
        *,
        peer: str | None = None,
        own: bool = False,
    ) -> None:
        """Write down what the server says about a conversation, with its members; `key` opens its name.

        `peer` is whom a direct conversation was asked for with, `own` marks that of one's own devices.
        """
        members = await self._api.members(said.conversation_id)
        await self.names([one.user_id for one in members])
        await self._vault.run(lambda store: take_conversation(store, said, members, key, peer=peer, own=own))

    async def all_conversations(self) -> dict[str, int]:
        """Have all conversations that are new or were changed; the last place of each."""

        def stale(store: Store) -> list[Conversation]:
            found = []
            for one in said:
                row = store.conversations.get(one.conversation_id)
                if row is None or row.updated_at != one.updated_at or row.ended:
                    found.append(one)
            return found

        said = await self._api.conversations()
        for one in await self._vault.run(stale):
            await self.take(one)
        return {one.conversation_id: one.last_seq for one in said if one.ended_at is None}

    async def members(self, conversation_id: str) -> None:
        """Have a conversation's members anew."""
        members = await self._api.members(conversation_id)
        await self.names([one.user_id for one in members])
        await self._vault.run(lambda store: take_members(store, conversation_id, members))

    # devices

    async def view(self, conversation_id: str) -> DeviceView:
        """The devices that a message goes to; as remembered, until something is said to have changed."""
        found = self._views.get(conversation_id)
        if found is None:
            said = await self._api.conversation_devices(conversation_id)
            named = {one.device_id: one.user_id for one in said.items}
            found = DeviceView(users={one: user for one, user in named.items() if uuid_text(one) == one})
            self._views[conversation_id] = found
            while len(self._views) > MOST_VIEWS:
                self._views.popitem(last=False)
        return found

    def forget_view(self, conversation_id: str) -> None:
        """Its devices may have changed."""
        self._views.pop(conversation_id, None)

    def forget_views(self) -> None:
        """All may have changed."""
        self._views.clear()
        self._fresh.clear()


def take_conversation(
    store: Store,
    said: Conversation,
    members: list[Member],
    key: bytes | None = None,
    *,
    peer: str | None = None,
    own: bool = False,
) -> None:
    """Write down a conversation, and tell of a new one."""
    if said.type == "direct":
        peer = _peer(store, said, members, peer)
        if peer is None:
            return
    new = store.conversations.take(said)
    row = store.conversations.get(said.conversation_id)
    assert row is not None
    if row.type == "direct" and row.peer_id is None:
        title = store.conversations.name(peer)
        store.conversations.set(said.conversation_id, peer_id=peer, title=title)
    elif own or row.type == "self":
        store.conversations.set(said.conversation_id, type="self")
        return
    elif row.type == "group":
        retitle(store, said.conversation_id, said.metadata, key or row.metadata_key)
    take_members(store, said.conversation_id, members, quiet=new)
    if new:
        row = store.conversations.get(said.conversation_id)
        assert row is not None
        store.tell(events.ConversationAdded(conversation_id=said.conversation_id, title=row.title))


def _peer(store: Store, said: Conversation, members: list[Member], asked: str | None) -> str | None:
    """Whom a direct conversation is with: the one that is pinned, else whom it was asked for with, else who
    opened it. None, and told, where the server says another thing than before."""
    row = store.conversations.get(said.conversation_id)
    others = [one.user_id for one in members if one.user_id != store.user_id]
    pinned = asked if row is None or row.peer_id is None else row.peer_id
    peer = pinned if pinned is not None else (others[0] if len(others) == 1 else None)
    if peer is None:
        if others:
            _refuse(store, said, "members", "The server gives a direct conversation more than two members.")
        return None
    second = next(
        (
            one
            for one in store.conversations.all()
            if one.type == "direct"
            and one.peer_id == peer
            and one.conversation_id != said.conversation_id
            and not one.ended
        ),
        None,
    )
    if second is not None and row is None:
        name = store.conversations.name(peer)
        _refuse(
            store, said, "second_direct", f"The server gives out a second direct conversation with {name}."
        )
        return None
    if any(one != peer for one in others):
        _refuse(
            store, said, "members", "The server lists somebody in a direct conversation who is not in it."
        )
    return peer


def _refuse(store: Store, said: Conversation, reason: str, detail: str) -> None:
    told = f"audience/{said.conversation_id}"
    if store.account.get(told) != reason:
        store.account.set(told, reason)
        store.tell(events.AudienceRefused(conversation_id=said.conversation_id, reason=reason, detail=detail))


def take_members(store: Store, conversation_id: str, said: list[Member], *, quiet: bool = False) -> None:
    """Write down who is in a conversation; who came or went without a change that says so is told."""
    before = {one.user_id for one in store.conversations.members(conversation_id)}
    store.conversations.take_members(conversation_id, said)
    after = {one.user_id: one.role for one in said}
    if quiet:
        return
    for user_id in sorted(before ^ after.keys()):
        store.tell(
            events.MembershipChanged(
                conversation_id=conversation_id,
                user_id=user_id,
                username=store.conversations.name(user_id),
                change="added" if user_id in after else "removed",
                role=after.get(user_id),
                actor_id=None,
                actor=None,
            )
        )
