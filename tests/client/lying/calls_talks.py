"""The honest answers about conversations, messages and files."""

from hashlib import sha256
from typing import Any

from messenger.core.ids import new_id
from messenger.wire import conversations as wire
from messenger.wire.codec import base64_bytes
from messenger.wire.errors import Code, Problem, not_found
from messenger.wire.files import File
from messenger.wire.paging import Items, Page
from tests.client.lying.front import Answer, Ask
from tests.client.lying.live import commit, digest_of
from tests.client.lying.server import Server, body, now, plain, route
from tests.client.lying.state import Device, Member, Talk


def _conversation(server: Server, device: Device, talk: Talk) -> wire.Conversation:
    member = talk.members[device.user_id]
    return wire.Conversation(
        conversation_id=talk.conversation_id,
        type=talk.type,
        metadata=talk.metadata,
        message_ttl=talk.message_ttl,
        created_at=talk.created_at,
        updated_at=talk.updated_at,
        ended_at=talk.ended_at,
        first_seq=member.first_seq,
        last_seq=len(server.seen(device, talk)),
        last_change=len(talk.changes),
        role=member.role,
        read_seq=member.read_seq,
        unread=0,
        member_count=len(talk.members),
    )


@route("POST", "/conversations")
def create(server: Server, device: Device, ask: Ask) -> wire.Conversation:
    said: wire.NewConversation = body(ask, wire.NewConversation)
    others = [str(one) for one in said.members if one != device.user_id]
    if any(one not in server.state.users for one in others):
        raise not_found()
    for talk in server.state.talks.values():
        pair = said.type == talk.type == "direct" and talk.members.keys() == {device.user_id, *others}
        again = said.client_id is not None and (talk.creator_id, talk.client_id) == (
            device.user_id,
            said.client_id,
        )
        if pair or again:
            return _conversation(server, device, talk)
    talk = new_talk(server, device.user_id, said.type, others, said.metadata, said.client_id)
    server.push(talk)
    return _conversation(server, device, talk)


def new_talk(
    server: Server,
    creator_id: str,
    kind: str,
    others: list[str],
    metadata: bytes | None = None,
    client_id: str | None = None,
) -> Talk:
    """A new conversation."""
    moment = now()
    raw = None if metadata is None else bytes(metadata)
    talk = Talk(new_id(), kind, raw, moment, moment, client_id, creator_id)
    talk.members[creator_id] = Member(creator_id, "owner", moment)
    for one in others:
        talk.members[one] = Member(one, "owner" if kind == "direct" else "member", moment)
    server.state.talks[talk.conversation_id] = talk
    server.happened(talk, creator_id, "created", conversation=_shared(talk))
    return talk


def _shared(talk: Talk) -> dict[str, Any]:
    found: dict[str, Any] = plain(
        {
            "conversation_id": talk.conversation_id,
            "type": talk.type,
            "metadata": talk.metadata,
            "message_ttl": talk.message_ttl,
            "created_at": talk.created_at,
            "updated_at": talk.updated_at,
            "ended_at": talk.ended_at,
            "last_seq": len(talk.messages),
            "last_change": len(talk.changes) + 1,
            "member_count": len(talk.members),
        }
    )
    return found


@route("GET", "/conversations")
def talks(server: Server, device: Device, _ask: Ask) -> Page[wire.Conversation]:
    own = [one for one in server.state.talks.values() if device.user_id in one.members]
    return Page([_conversation(server, device, one) for one in own])


@route("GET", "/conversations/{}")
def one_talk(server: Server, device: Device, ask: Ask) -> wire.Conversation:
    return _conversation(server, device, server.talk(device, ask.ids[0]))


@route("PATCH", "/conversations/{}")
def update(server: Server, device: Device, ask: Ask) -> wire.Conversation:
    talk = server.talk(device, ask.ids[0])
    said: wire.ConversationUpdate = body(ask, wire.ConversationUpdate)
    if talk.members[device.user_id].role == "member":
        raise Problem(Code.forbidden)
    if said.metadata is None or isinstance(said.metadata, bytes):
        talk.metadata = said.metadata
    if said.message_ttl is None or isinstance(said.message_ttl, int):
        talk.message_ttl = said.message_ttl
    server.happened(talk, device.user_id, "updated", conversation=_shared(talk))
    server.push(talk)
    return _conversation(server, device, talk)


@route("GET", "/conversations/{}/members")
def members(server: Server, device: Device, ask: Ask) -> Items[wire.Member]:
    talk = server.talk(device, ask.ids[0])
    return Items(
        [
            wire.Member(
                user_id=one.user_id,
                role=one.role,
                joined_at=one.joined_at,
                delivered_seq=0,
                read_seq=one.read_seq,
            )
            for one in talk.members.values()
        ]
    )


_RANK = {"member": 0, "admin": 1, "owner": 2}


@route("POST", "/conversations/{}/members")
def add_member(server: Server, device: Device, ask: Ask) -> Answer:
    talk = server.talk(device, ask.ids[0])
    said: wire.NewMember = body(ask, wire.NewMember)
    own = talk.members[device.user_id]
    if own.role == "member" or _RANK[said.role] >= _RANK[own.role]:
        raise Problem(Code.forbidden)
    if said.user_id not in server.state.users:
        raise not_found()
    if said.user_id not in talk.members:
        join(server, talk, device.user_id, said.user_id, said.role)
    return Answer(201, b"{}")


def join(server: Server, talk: Talk, actor_id: str, user_id: str, role: wire.Role) -> None:
    """A user becomes a member, and sees what comes from now on."""
    seq, change = len(talk.messages), len(talk.changes)
    talk.members[user_id] = Member(user_id, role, now(), seq + 1, change + 1)
    talk.left.pop(user_id, None)
    for one in server.state.devices_of(user_id):
        one.place[talk.conversation_id] = (seq, change)
        wire = server.wires.get(one.device_id)
        if wire is not None:
            wire.owner.sent[talk.conversation_id] = (seq, change)
    server.happened(talk, actor_id, "member_added", user_id=user_id, role=role)
    server.push(talk)


@route("PATCH", "/conversations/{}/members/{}")
def set_role(server: Server, device: Device, ask: Ask) -> Answer:
    talk = server.talk(device, ask.ids[0])
    said: wire.RoleChange = body(ask, wire.RoleChange)
    own, target = talk.members[device.user_id], talk.members.get(ask.ids[1])
    if target is None:
        raise not_found()
    handing_on = own.role == said.role == "owner"
    if _RANK[target.role] >= _RANK[own.role] or (_RANK[said.role] >= _RANK[own.role] and not handing_on):
        raise Problem(Code.forbidden)
    target.role = said.role
    server.happened(talk, device.user_id, "role_changed", user_id=target.user_id, role=said.role)
    if handing_on:
        own.role = "admin"
        server.happened(talk, device.user_id, "role_changed", user_id=own.user_id, role="admin")
    server.push(talk)
    return Answer(200, b"{}")


@route("DELETE", "/conversations/{}/members/{}")
def remove_member(server: Server, device: Device, ask: Ask) -> None:
    talk = server.talk(device, ask.ids[0])
    own, target = talk.members[device.user_id], talk.members.get(ask.ids[1])
    if target is None:
        raise not_found()
    if target is not own and _RANK[target.role] >= _RANK[own.role]:
        raise Problem(Code.forbidden)
    leave(server, talk, device.user_id, target.user_id)


def leave(server: Server, talk: Talk, actor_id: str, user_id: str) -> None:
    """A user is a member no more."""
    role = talk.members.pop(user_id).role
    server.happened(talk, actor_id, "member_removed", user_id=user_id)
    talk.left[user_id] = (len(talk.messages), len(talk.changes))
    if role == "owner" and talk.members:
        heir = min(talk.members.values(), key=lambda one: (one.role != "admin", one.joined_at))
        heir.role = "owner"
        server.happened(talk, actor_id, "role_changed", user_id=heir.user_id, role="owner")
    if not talk.members:
        talk.ended_at = now()
    server.push(talk)


@route("GET", "/conversations/{}/devices")
def talk_devices(server: Server, device: Device, ask: Ask) -> wire.Devices:
    found = server.devices_of(server.talk(device, ask.ids[0]))
    return wire.Devices(items=found, digest=digest_of({one.device_id for one in found}))


@route("POST", "/conversations/{}/messages")
def post_message(server: Server, device: Device, ask: Ask) -> wire.Sent:
    talk = server.talk(device, ask.ids[0])
    said = commit(server, device, talk, body(ask, wire.Draft))
    server.push(talk)
    return wire.Sent(said.at, said.created_at)


@route("GET", "/conversations/{}/messages")
def messages(server: Server, device: Device, ask: Ask) -> Page[Any]:
    talk = server.talk(device, ask.ids[0])
    after, limit = int(ask.query.get("after", "0")), int(ask.query.get("limit", "50"))
    first = max(after, talk.members[device.user_id].first_seq - 1)
    seen = list(enumerate(server.seen(device, talk), 1))[first:]
    found = [server.shown(device, talk, seq, said) for seq, said in seen[:limit]]
    return Page(found, f"a{first + limit}" if len(seen) > limit else None)


@route("DELETE", "/conversations/{}/messages/*")
def delete_message(server: Server, device: Device, ask: Ask) -> None:
    talk = server.talk(device, ask.ids[0])
    said = next((one for one in talk.messages if one.at == int(ask.ids[1])), None)
    if said is None or (said.sender_id != device.user_id and talk.members[device.user_id].role == "member"):
        raise not_found()
    said.deleted = True
    server.happened(talk, device.user_id, "deleted", seq=said.at)
    server.push(talk)


@route("GET", "/conversations/{}/changes")
def changes(server: Server, device: Device, ask: Ask) -> Page[wire.Change]:
    talk = server.talk(device, ask.ids[0])
    first = max(int(ask.query.get("after", "0")), talk.members[device.user_id].first_change - 1)
    return Page(talk.changes[first:])


# files


@route("POST", "/files")
def upload(server: Server, _device: Device, ask: Ask) -> File:
    metadata = ask.headers.get("x-file-metadata")
    file = File(
        file_id=new_id(),
        size=len(ask.body),
        sha256=sha256(ask.body).digest(),
        metadata=None if metadata is None else base64_bytes(metadata),
        conversation_ids=[ask.headers["x-conversation-id"]],
        created_at=now(),
        expires_at=None,
    )
    server.state.files[file.file_id] = (file, ask.body)
    return file


@route("GET", "/files/{}/info")
def file_info(server: Server, _device: Device, ask: Ask) -> File:
    found = server.state.files.get(ask.ids[0])
    if found is None:
        raise not_found()
    return found[0]


@route("GET", "/files/{}")
def download(server: Server, device: Device, ask: Ask) -> Answer:
    found = server.state.files.get(ask.ids[0])
    if found is None or not any(
        device.user_id in server.state.talks[one].members for one in found[0].conversation_ids
    ):
        raise not_found()
    return Answer(200, found[1], "application/octet-stream")
