"""Making conversations, and who may change what in them.

Roles rise from `member` over `admin` to `owner`. Nobody gives a role equal to or above its own, nor acts on a
member of an equal or higher one; only `owner` may be handed on, by its holder. Membership of a direct
conversation is fixed.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from msgspec import UNSET

from messenger.messages.domain.devices import Devices, DeviceSet
from messenger.messages.domain.rules import (
    check_admin,
    check_blocks,
    check_group,
    check_open,
    check_target,
    refusal,
)
from messenger.messages.model import (
    Amendment,
    ConversationRow,
    ConversationState,
    Creation,
    Decide,
    HeadsEvent,
    MemberProgress,
    MemberRow,
    Unchanged,
    pair_of,
)
from messenger.wire import conversations
from messenger.wire.codec import uuid_text
from messenger.wire.errors import Code, Problem, not_found, too_many
from messenger.wire.paging import Page, PageQuery

if TYPE_CHECKING:
    from messenger.core.limits.limits import Limits
    from messenger.messages.store.conversations import ConversationStore

METADATA_LIMIT = 4_096
MAX_TTL = 31_536_000
_RANK = {"member": 0, "admin": 1, "owner": 2}
_CURSOR = re.compile(r"([0-9]{1,15})\.([0-9a-f-]{36})", re.ASCII)


class Bounds(NamedTuple):
    """The most `members` of a conversation, and the most `conversations` that one user has made."""

    members: int
    conversations: int


class Conversations:
    """The rules of conversations and membership. `publish` sends what changed; `budget` has what a user may
    do of `group` and `stranger` in a time."""

    def __init__(
        self,
        store: "ConversationStore",
        devices: Devices,
        publish: Callable[[HeadsEvent], object],
        bounds: Bounds,
        budget: "Limits",
    ) -> None:
        self._store = store
        self._devices = devices
        self._publish = publish
        self._bounds = bounds
        self._budget = budget

    async def create(self, user_id: str, new: conversations.NewConversation) -> tuple[ConversationRow, bool]:
        """The conversation, and whether it was made just now."""
        others = sorted({str(member) for member in new.members} - {user_id})
        creation = self._creation(user_id, others, new)
        standing = await self._store.standing(creation)
        if standing is not None:
            return await self.get(user_id, standing), False
        if await self._store.unknown(others):
            raise not_found("Not all of these users exist.")
        if await self._store.blockers(user_id, others):
            raise Problem(Code.blocked)
        await self._check_bounds(user_id, others, group=creation.pair is None)
        conversation_id, event = await self._store.create(creation)
        if event is not None:
            self._publish(event)
        return await self.get(user_id, conversation_id), event is not None

    async def _check_bounds(self, user_id: str, others: list[str], *, group: bool) -> None:
        most = self._bounds.conversations
        if await self._store.made(user_id, most) >= most:
            raise too_many("conversations", most, "conversations that a user has made")
        strangers = await self._store.strangers(user_id, others)
        if group:
            if unwilling := sorted(name for name, groups in strangers.items() if groups == "contacts"):
                raise refusal(unwilling)
            await self._budget.spend("group", user_id)
        await self._budget.spend("stranger", user_id, len(strangers))

    def _creation(self, user_id: str, others: list[str], new: conversations.NewConversation) -> Creation:
        direct = new.type == "direct"
        if new.metadata is not None and len(new.metadata) > METADATA_LIMIT:
            raise Problem(Code.too_large, f"Metadata have at most {METADATA_LIMIT} bytes.")
        if direct and len(others) != 1:
            raise Problem(Code.unprocessable, "A direct conversation has exactly one other member.")
        if len(others) + 1 > self._bounds.members:
            raise too_many("members", self._bounds.members, "members of a conversation")
        roles = {user_id: "owner", **dict.fromkeys(others, "owner" if direct else "member")}
        return Creation(
            new.type,
            pair_of(user_id, others[0]) if direct else None,
            user_id,
            roles,
            None if new.metadata is None else bytes(new.metadata),
            new.client_id,
        )

    async def get(self, user_id: str, conversation_id: str) -> ConversationRow:
        """The conversation as this member sees it."""
        found = await self._store.get(user_id, conversation_id)
        if found is None:
            raise not_found()
        return found

    async def page(self, user_id: str, query: PageQuery) -> Page[ConversationRow]:
        """The user's conversations, latest activity first."""
        below = None
        if query.cursor is not None:
            match = _CURSOR.fullmatch(query.cursor)
            if match is None or uuid_text(match[2]) is None:
                raise Problem(Code.bad_request, "The cursor is none of ours.")
            below = (int(match[1]), match[2])
        rows = await self._store.page(user_id, below, query.limit + 1)
        if len(rows) <= query.limit:
            return Page(rows)
        last = rows[query.limit - 1]
        return Page(rows[: query.limit], f"{last.updated}.{last.conversation_id}")

    async def members(self, user_id: str, conversation_id: str) -> list[MemberProgress]:
        """All members, the longest-standing first."""
        await self._check_member(user_id, conversation_id)
        return await self._store.members(conversation_id, user_id)

    async def devices(self, user_id: str, conversation_id: str) -> DeviceSet:
        """The published devices of all members."""
        await self._check_member(user_id, conversation_id)
        return await self._devices.of(conversation_id, fresh=True)

    async def _check_member(self, user_id: str, conversation_id: str) -> None:
        if await self._store.sight(user_id, conversation_id) is None:
            raise not_found()

    # changes

    async def update(
        self, user_id: str, conversation_id: str, change: conversations.ConversationUpdate
    ) -> None:
        """Change metadata or lifetime: an admin may."""
        ttl, metadata = change.message_ttl, change.metadata
        if isinstance(ttl, int) and not 1 <= ttl <= MAX_TTL:
            raise Problem(Code.unprocessable, f"A lifetime is 1 to {MAX_TTL} seconds, or null.")
        if isinstance(metadata, bytes) and len(metadata) > METADATA_LIMIT:
            raise Problem(Code.too_large, f"Metadata have at most {METADATA_LIMIT} bytes.")

        def decide(state: ConversationState) -> Amendment | None:
            check_open(state)
            check_admin(state)
            check_blocks(state)
            wanted = (
                state.metadata if metadata is UNSET else metadata if metadata is None else bytes(metadata)
            )
            lifetime = state.message_ttl if ttl is UNSET else ttl
            if wanted == state.metadata and lifetime == state.message_ttl:
                return None
            return Amendment(update=True, metadata=wanted, message_ttl=lifetime, events=[("updated", {})])

        await self._amend(conversation_id, user_id, None, decide)

    async def add(self, user_id: str, conversation_id: str, new: conversations.NewMember) -> bool:
        """Add a member to a group: an admin may. False where it was one already."""
        strangers = await self._store.strangers(user_id, [new.user_id])
        await self._budget.spend("stranger", user_id, len(strangers))

        def decide(state: ConversationState) -> Amendment | None:
            check_group(state)
            check_open(state)
            check_admin(state)
            if not state.target_exists:
                raise not_found("There is no such user.")
            if state.target is not None:
                if state.target.role == new.role:
                    return None
                raise Problem(Code.conflict, "The user is a member in another role.")
            if _RANK[new.role] >= _RANK[state.actor.role]:
                raise Problem(Code.forbidden, "Nobody gives a role equal to or above its own.")
            if state.target_blocks_actor:
                raise Problem(Code.blocked)
            if strangers.get(new.user_id) == "contacts":
                raise refusal([new.user_id])
            if state.member_count >= self._bounds.members:
                raise too_many("members", self._bounds.members, "members of a conversation")
            return Amendment(
                add=MemberRow(new.user_id, new.role),
                events=[("member_added", {"user_id": new.user_id, "role": new.role})],
            )

        return await self._amend(conversation_id, user_id, new.user_id, decide)

    async def set_role(self, user_id: str, conversation_id: str, target_id: str, role: str) -> None:
        """Give a member another role, or hand on the ownership."""

        def decide(state: ConversationState) -> Amendment | None:
            check_group(state)
            check_open(state)
            target = check_target(state)
            mine = _RANK[state.actor.role]
            handing_on = role == "owner" and state.actor.role == "owner"
            if _RANK[target.role] >= mine or (_RANK[role] >= mine and not handing_on):
                raise Problem(Code.forbidden, "The member's role or the new one is not below yours.")
            if target.role == role:
                return None
            told = [("role_changed", {"user_id": target_id, "role": role})]
            roles = {target_id: role}
            if handing_on:
                told.append(("role_changed", {"user_id": user_id, "role": "admin"}))
                roles[user_id] = "admin"
            return Amendment(roles=roles, events=list(told))

        await self._amend(conversation_id, user_id, target_id, decide)

    async def remove(self, user_id: str, conversation_id: str, target_id: str) -> None:
        """Remove a member, or leave."""

        def decide(state: ConversationState) -> Amendment | None:
            check_group(state)
            target = check_target(state)
            if target_id != user_id and _RANK[target.role] >= _RANK[state.actor.role]:
                raise Problem(Code.forbidden, "Only members of a lower role are removed.")
            events: list[tuple[str, dict[str, object]]] = [("member_removed", {"user_id": target_id})]
            roles: dict[str, str] = {}
            if target.role == "owner" and state.heir is not None:
                roles[state.heir.user_id] = "owner"
                events.append(("role_changed", {"user_id": state.heir.user_id, "role": "owner"}))
            last = state.heir is None
            if last and not state.ended:
                events.append(("ended", {}))
            return Amendment(remove=target_id, roles=roles, end=last and not state.ended, events=events)

        await self._amend(conversation_id, user_id, target_id, decide)

    async def _amend(self, conversation_id: str, user_id: str, target_id: str | None, decide: Decide) -> bool:
        done = await self._store.amend(conversation_id, user_id, target_id, decide)
        if done is Unchanged.NOT_VISIBLE:
            raise not_found()
        if done is Unchanged.SAME:
            return False
        self._devices.forget(conversation_id)
        self._publish(done)
        return True
