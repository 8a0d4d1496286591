"""The endpoints under /conversations, /blocks and /push: decode, ask the rules, encode."""

from messenger.core.http.answers import Answer
from messenger.core.http.call import Call
from messenger.core.http.routing import route
from messenger.messages.domain.blocks import Blocks
from messenger.messages.domain.conversations import Conversations
from messenger.messages.domain.messages import Messages, Sender
from messenger.messages.domain.preferences import Preferences
from messenger.messages.domain.push import Push, Subscriber
from messenger.messages.live.render import change_item
from messenger.messages.model import ConversationRow
from messenger.wire import conversations
from messenger.wire.errors import Code
from messenger.wire.paging import Items, Page, PageQuery
from messenger.wire.preferences import Preferences as Wishes
from messenger.wire.push import PushState, PushTarget
from messenger.wire.times import rfc3339


class ConversationEndpoints:
    """Conversations and their members."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    @route(
        "POST",
        "/conversations",
        body=conversations.NewConversation,
        answer=conversations.Conversation,
        status=201,
        also=(200,),
        errors=(Code.not_found, Code.blocked, Code.forbidden, Code.unprocessable, Code.too_large),
    )
    async def create(self, call: Call, body: conversations.NewConversation) -> Answer:
        """Open a conversation; 200 with the one that stands where it was opened before."""
        row, fresh = await self._conversations.create(call.identity.user_id, body)
        return Answer(201 if fresh else 200, conversation(row))

    @route("GET", "/conversations", query=PageQuery, answer=Page[conversations.Conversation])
    async def page(self, call: Call, query: PageQuery) -> Page[conversations.Conversation]:
        """The asker's conversations, latest activity first."""
        found = await self._conversations.page(call.identity.user_id, query)
        return Page([conversation(row) for row in found.items], found.next)

    @route(
        "GET", "/conversations/{conversation_id}", answer=conversations.Conversation, errors=(Code.not_found,)
    )
    async def get(self, call: Call) -> conversations.Conversation:
        """One conversation as the asker sees it."""
        name = call.params["conversation_id"]
        return conversation(await self._conversations.get(call.identity.user_id, name))

    @route(
        "PATCH",
        "/conversations/{conversation_id}",
        body=conversations.ConversationUpdate,
        answer=conversations.Conversation,
        errors=(
            Code.not_found,
            Code.forbidden,
            Code.blocked,
            Code.gone,
            Code.unprocessable,
            Code.too_large,
        ),
    )
    async def update(self, call: Call, body: conversations.ConversationUpdate) -> conversations.Conversation:
        """Change a conversation's metadata or its messages' lifetime."""
        name, user_id = call.params["conversation_id"], call.identity.user_id
        await self._conversations.update(user_id, name, body)
        return conversation(await self._conversations.get(user_id, name))

    @route(
        "GET",
        "/conversations/{conversation_id}/members",
        answer=Items[conversations.Member],
        errors=(Code.not_found,),
    )
    async def members(self, call: Call) -> Items[conversations.Member]:
        """All members of a conversation."""
        rows = await self._conversations.members(call.identity.user_id, call.params["conversation_id"])
        return Items(
            [
                conversations.Member(
                    user_id=row.user_id,
                    role=row.role,
                    joined_at=rfc3339(row.joined),
                    delivered_seq=row.delivered_seq,
                    read_seq=row.read_seq,
                )
                for row in rows
            ]
        )

    @route(
        "POST",
        "/conversations/{conversation_id}/members",
        body=conversations.NewMember,
        status=201,
        errors=(Code.not_found, Code.forbidden, Code.blocked, Code.conflict, Code.gone, Code.unprocessable),
    )
    async def add(self, call: Call, body: conversations.NewMember) -> Answer:
        """Add a member to a group."""
        await self._conversations.add(call.identity.user_id, call.params["conversation_id"], body)
        return Answer(201)

    @route(
        "PATCH",
        "/conversations/{conversation_id}/members/{user_id}",
        body=conversations.RoleChange,
        status=200,
        errors=(Code.not_found, Code.forbidden, Code.conflict, Code.gone),
    )
    async def set_role(self, call: Call, body: conversations.RoleChange) -> Answer:
        """Give a member another role, or hand on the ownership."""
        name, target = call.params["conversation_id"], call.params["user_id"]
        await self._conversations.set_role(call.identity.user_id, name, target, body.role)
        return Answer(200)

    @route(
        "DELETE",
        "/conversations/{conversation_id}/members/{user_id}",
        errors=(Code.not_found, Code.forbidden, Code.conflict),
    )
    async def remove(self, call: Call) -> None:
        """Remove a member from a group, or leave it."""
        name, target = call.params["conversation_id"], call.params["user_id"]
        await self._conversations.remove(call.identity.user_id, name, target)

    @route(
        "GET",
        "/conversations/{conversation_id}/devices",
        answer=conversations.Devices,
        errors=(Code.not_found,),
    )
    async def devices(self, call: Call) -> conversations.Devices:
        """The published devices of all members: whom to encrypt to."""
        found = await self._conversations.devices(call.identity.user_id, call.params["conversation_id"])
        items = [conversations.MemberDevice(user_id=user_id, device_id=name) for user_id, name in found.items]
        return conversations.Devices(items=items, digest=found.digest)


class MessageEndpoints:
    """Messages and changes of a conversation."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    @route(
        "POST",
        "/conversations/{conversation_id}/messages",
        body=conversations.Draft,
        answer=conversations.Sent,
        status=201,
        also=(200,),
        class_="send",
        errors=(
            Code.not_found,
            Code.blocked,
            Code.devices_changed,
            Code.gone,
            Code.too_large,
            Code.unprocessable,
            Code.unavailable,
        ),
    )
    async def send(self, call: Call, body: conversations.Draft) -> Answer:
        """Send a message; 200 with the first's figures for a repeat."""
        sent, repeat = await self._messages.send(_sender(call), call.params["conversation_id"], body)
        return Answer(200 if repeat else 201, sent)

    @route(
        "GET",
        "/conversations/{conversation_id}/messages",
        query=conversations.MessagesQuery,
        answer=Page[conversations.Message],
        errors=(Code.not_found,),
    )
    async def history(self, call: Call, query: conversations.MessagesQuery) -> Page[conversations.Message]:
        """A page of messages, always by rising seq."""
        return await self._messages.history(_sender(call), call.params["conversation_id"], query)

    @route(
        "DELETE",
        "/conversations/{conversation_id}/messages/{seq}",
        errors=(Code.not_found, Code.forbidden, Code.blocked),
    )
    async def delete(self, call: Call) -> None:
        """Take a message's content away; its place stays."""
        await self._messages.delete(_sender(call), call.params["conversation_id"], int(call.params["seq"]))

    @route(
        "GET",
        "/conversations/{conversation_id}/changes",
        query=conversations.ChangesQuery,
        answer=Page[conversations.Change],
        errors=(Code.not_found,),
    )
    async def changes(self, call: Call, query: conversations.ChangesQuery) -> Page[conversations.Change]:
        """A conversation's changes: its history besides messages."""
        found, cursor = await self._messages.changes(_sender(call), call.params["conversation_id"], query)
        return Page([change_item(happened) for happened in found], cursor)


class BlockEndpoints:
    """Blocks between users."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    @route("GET", "/blocks", answer=Items[str])
    async def blocks(self, call: Call) -> Items[str]:
        """Whom the asker blocks."""
        return Items(await self._blocks.of(call.identity.user_id))

    @route("PUT", "/blocks/{user_id}", errors=(Code.not_found, Code.unprocessable))
    async def block(self, call: Call) -> None:
        """Block a user."""
        await self._blocks.block(call.identity.user_id, call.params["user_id"])

    @route("DELETE", "/blocks/{user_id}")
    async def unblock(self, call: Call) -> None:
        """Take a block away."""
        await self._blocks.unblock(call.identity.user_id, call.params["user_id"])


class PreferenceEndpoints:
    """The asker's preferences."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences

    @route("GET", "/preferences", answer=Wishes)
    async def preferences(self, call: Call) -> Wishes:
        """The asker's preferences: who may add it to groups."""
        return await self._preferences.of(call.identity.user_id)

    @route("PUT", "/preferences", body=Wishes)
    async def put_preferences(self, call: Call, body: Wishes) -> None:
        """Say who may add the asker to groups from now on; who is in a group stays."""
        await self._preferences.put(call.identity.user_id, body)


class PushEndpoints:
    """Wake-ups of the asker's own device."""

    def __init__(self, push: Push) -> None:
        self._push = push

    @route("GET", "/push", answer=PushState)
    async def state(self, call: Call) -> PushState:
        """The key that wake-ups are signed with, and where this device is woken."""
        return await self._push.state(call.identity.device_id)

    @route("PUT", "/push", body=PushTarget, errors=(Code.unprocessable,))
    async def subscribe(self, call: Call, body: PushTarget) -> None:
        """Have this device woken at an endpoint when a message comes and it is away."""
        who = call.identity
        await self._push.subscribe(Subscriber(who.user_id, who.device_id, who.session_id), body)

    @route("DELETE", "/push")
    async def unsubscribe(self, call: Call) -> None:
        """Have this device woken no more."""
        await self._push.unsubscribe(call.identity.device_id)


def _sender(call: Call) -> Sender:
    return Sender(call.identity.user_id, call.identity.device_id)


def conversation(row: ConversationRow) -> conversations.Conversation:
    """A conversation for its reader."""
    return conversations.Conversation(
        conversation_id=row.conversation_id,
        type=row.type,
        metadata=row.metadata,
        message_ttl=row.message_ttl,
        created_at=rfc3339(row.created),
        updated_at=rfc3339(row.updated),
        ended_at=None if row.ended is None else rfc3339(row.ended),
        first_seq=row.first_seq,
        last_seq=row.last_seq,
        last_change=row.last_change,
        role=row.role,
        read_seq=row.read_seq,
        unread=row.unread,
        member_count=row.member_count,
    )
