"""A group, as an application changes it: its members by the roster that they keep, and its name.

The roster goes first, by a message of the group; then the server is asked to do likewise. What it does, or
does not do, changes nothing for who may read.
"""

from collections.abc import Callable, Sequence
from secrets import token_bytes
from typing import TYPE_CHECKING, Literal

from messenger.client.e2e import ConversationMetadata, Entry, MetadataKey, seal_conversation_metadata
from messenger.client.e2e.errors import NotInAudience, RosterRefused
from messenger.client.e2e.roster import entry_with
from messenger.client.engine import membership, rosters
from messenger.client.engine.batch import Batch
from messenger.client.engine.changes import LEFT
from messenger.client.engine.queueing import queue
from messenger.client.engine.titles import retitle
from messenger.client.engine.vault import Store
from messenger.client.errors import MembershipRefused, NotFound, ServerRefused
from messenger.client.records import GroupInfo, Member, Person

if TYPE_CHECKING:
    from messenger.client.client import Client

Role = Literal["owner", "admin", "member"]
# What a change is to do, by what is known when it is made: members to put, user_ids to remove.
Wanted = Callable[[Store], tuple[Sequence[Entry], Sequence[str]]]
MOST_ROUNDS = 10  # of a change that others come before


class Group:
    """The part of `Conversation` that is about who is in it."""

    id: str
    title: str
    ended: bool
    _client: "Client"

    # members

    async def members(self) -> list[Member]:
        """Who is in it: in a group those of the roster, and not `vouched` for who only the server names."""
        if self._client.engine.tokens.alive and not self.ended:
            await self._client.tolerant(self._look())
        return await self._client.engine.vault.run(self._members)

    async def _look(self) -> None:
        """Have what the server says of the members, and their keys."""
        asking = self._client.engine.asking
        await asking.members(self.id)
        standing = await self._client.engine.vault.run(lambda store: rosters.current(store, self.id))
        await asking.ensure_fresh([] if standing is None else [one.user_id for one in standing.members])

    def _members(self, store: Store) -> list[Member]:
        row = store.conversations.get(self.id)
        standing = rosters.current(store, self.id) if row is not None and row.type == "group" else None
        entries = {} if standing is None else {one.user_id: one for one in standing.members}
        found = []
        listed = {one.user_id: one for one in store.conversations.members(self.id)}
        for user_id in [*listed, *(one for one in entries if one not in listed)]:
            at_server, entry = listed.get(user_id), entries.get(user_id)
            vouched = row is not None and row.type != "group"
            role = "" if at_server is None else at_server.role
            if entry is not None:
                vouched, role = rosters.vouched(store, entry), entry.role
            found.append(
                Member(
                    user_id=user_id,
                    username=store.conversations.name(user_id),
                    role=role,
                    joined_at="" if at_server is None else at_server.joined_at,
                    delivered_seq=0 if at_server is None else at_server.delivered_seq,
                    read_seq=0 if at_server is None else at_server.read_seq,
                    verified=store.known(user_id).verified,
                    vouched=vouched,
                    listed=at_server is not None,
                )
            )
        return found

    async def info(self) -> GroupInfo:
        """The group's roster, and its members beside what the server says of them."""
        members = await self.members()

        def read(store: Store) -> GroupInfo:
            standing = rosters.current(store, self.id)
            return GroupInfo(
                conversation_id=self.id,
                title=self.title,
                version=None if standing is None else standing.version,
                digest=None if standing is None or standing.version == 0 else standing.digest.hex(),
                members=members,
            )

        return await self._client.engine.vault.run(read)

    async def add(self, username: str, role: Literal["admin", "member"] = "member") -> None:
        """Add a user: to the roster, then at the server.

        MembershipRefused, NotAllowed, Blocked, UnknownUser.
        """
        person = await self._person(username)
        engine = self._client.engine
        added = await self._change(lambda store: ([self._entry(store, person, role)], []))
        try:
            await engine.api.add_member(self.id, person.user_id, role)
        except ServerRefused:
            if not await self._at_server(person.user_id):
                if added:
                    await self._change(lambda _: ([], [person.user_id]))
                raise
        engine.asking.forget_view(self.id)
        await self._client.tolerant(engine.asking.members(self.id))
        await self.share_title()

    async def _at_server(self, user_id: str) -> bool:
        return user_id in {one.user_id for one in await self._client.engine.api.members(self.id)}

    def _entry(self, store: Store, person: Person, role: Role) -> Entry:
        standing = rosters.current(store, self.id)
        known = None if standing is None else standing.member(person.user_id)
        if known is not None and rosters.vouched(store, known):
            return known  # in it already, and perhaps not at the server yet
        return membership.entry_of(store, person.user_id, role)

    async def remove(self, username: str) -> None:
        """Remove a user: the roster first, and new keys with the next message; then at the server, whose
        answer changes nothing. MembershipRefused, NotAllowed."""
        person = await self._person(username)
        await self._change(lambda _: ([], [person.user_id]))
        await self._leave(person.user_id)
        await self._client.tolerant(self._client.engine.asking.members(self.id))

    async def _leave(self, user_id: str) -> None:
        self._client.engine.asking.forget_view(self.id)
        try:
            await self._client.engine.api.remove_member(self.id, user_id)
        except NotFound:
            return  # it was not there

    async def leave(self) -> None:
        """Leave the group; what was said stays here. MembershipRefused for the owner of others."""
        engine = self._client.engine
        if not self.ended:
            standing = await engine.vault.run(lambda store: rosters.current(store, self.id))
            if standing is not None and standing.version and len(standing.members) > 1:
                await self._change(lambda _: ([], [engine.user_id]))
        await self._leave(engine.user_id)
        await engine.vault.run(lambda store: store.conversations.set(self.id, ended=LEFT))
        self.ended = True

    async def set_role(self, username: str, role: Role) -> None:
        """Give a member another role; an owner hands its own on. MembershipRefused, NotAllowed."""
        person = await self._person(username)
        own = self._client.engine.user_id

        def change(store: Store) -> tuple[list[Entry], list[str]]:
            standing = rosters.current(store, self.id)
            entry = None if standing is None else standing.member(person.user_id)
            if standing is None or entry is None:
                raise RosterRefused(f"{person.username} is not in the group's roster.")
            put = [entry_with(entry, role=role)]
            mine = standing.member(own)
            if role == "owner" and mine is not None and mine.role == "owner" and person.user_id != own:
                put.append(entry_with(mine, role="admin"))
            return put, []

        await self._change(change)
        await self._client.engine.api.set_role(self.id, person.user_id, role)
        await self._client.tolerant(self._client.engine.asking.members(self.id))

    async def confirm(self, username: str) -> None:
        """Take a member's new account key into the roster: from then on the member reads again.

        MembershipRefused where the user may not, or the new key was not accepted yet.
        """
        person = await self._person(username)

        def change(store: Store) -> tuple[list[Entry], list[str]]:
            standing = rosters.current(store, self.id)
            entry = None if standing is None else standing.member(person.user_id)
            if entry is None:
                raise RosterRefused(f"{person.username} is not in the group's roster.")
            key = membership.entry_of(store, person.user_id, entry.role).account_key
            return [entry_with(entry, account_key=key)], []

        await self._change(change)

    async def _person(self, username: str) -> Person:
        person = await self._client.user(username)
        await self._client.engine.asking.ensure_fresh([person.user_id])
        return person

    async def _change(self, wanted: Wanted) -> bool:
        """Change the roster, and return once the change stands; False where there was nothing to change."""
        engine = self._client.engine
        changed = False
        for _ in range(MOST_ROUNDS):
            batch = Batch.begin()

            def propose(store: Store, batch: Batch = batch) -> str | None:
                try:
                    pending = rosters.of(store, self.id).under_way
                    if pending:
                        return pending[0]
                    put, remove = wanted(store)
                    return membership.propose(store, batch, self.id, put, remove)
                except (RosterRefused, NotInAudience) as error:
                    raise MembershipRefused(str(error)) from None

            client_id = await engine.vault.run(propose)
            if client_id is None:
                return changed
            engine.sending.wake(self.id)
            changed = True
            await engine.taken(client_id)
        raise MembershipRefused("Others keep changing the group's members.")

    # the name

    async def share_title(self) -> None:
        """Hand the roster to who has not got it, and the key of the group's name to everybody; return once
        the server has both."""
        engine = self._client.engine

        def put(store: Store) -> list[str]:
            row = store.conversations.get(self.id)
            if row is None:
                return []
            rosters.hand_over(store, Batch.begin(), row, rosters.devices_of(store, self.id))
            if row.metadata_key is not None:
                queue(store, Batch.begin(), self.id, MetadataKey(key=row.metadata_key), [])
            return store.outbox.waiting(self.id)

        waiting = await engine.vault.run(put)
        engine.sending.wake(self.id)
        for client_id in waiting:
            await engine.taken(client_id)

    async def rename(self, title: str) -> None:
        """Give the group another name, under a new key. NotAllowed."""
        key = new_key()
        sealed = seal_conversation_metadata(key, ConversationMetadata(name=title))
        await self._client.engine.api.set_metadata(self.id, sealed)
        await self._client.engine.vault.run(lambda store: retitle(store, self.id, sealed, key))
        self.title = title
        await self.share_title()


def new_key() -> bytes:
    """The key of a group's name."""
    return token_bytes(32)
