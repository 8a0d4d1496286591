"""All that one account can do to the others: each kind of frame, and each call of the API's description.

The calls are made from the description (messenger/gateway/openapi.json), path, query and example, so that
a new one is an attack without a word here. `VARIANTS` says what makes a call dearer than its example is, and
what it needs to come through at all.
"""

import base64
import json
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import uuid4

from messenger.gateway import __path__ as gateway
from tests.system.people import PASSWORD, b64

CONTENT = b64(b"\x5a" * 512)
NOBODY = "01900000-0000-7000-8000-00000000abcd"
DISTINCT = 200  # requests that differ, where a repeat would be another thing

Has = dict[str, str]  # what an attacker has: ids and secrets by the names that paths give them


class Ask(NamedTuple):
    """One request. None stands for what the description has."""

    path: str | None = None
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    query: str | None = None


class Attack(NamedTuple):
    """Something to be done over and over: bytes for a socket, or requests for connections."""

    name: str
    kind: str  # frames, calls, paced
    make: Callable[[Has], list[bytes]]


def _ids(count: int) -> list[str]:
    return [f"01900000-0000-7000-8000-{number:012x}" for number in range(count)]


# frames


def _frames(*several: dict[str, Any]) -> list[bytes]:
    return [json.dumps(one).encode() for one in several]


def _send(has: Has, content: str = CONTENT) -> dict[str, Any]:
    return {
        "type": "send",
        "ref": "r",
        "conversation_id": has["direct"],
        "client_id": str(uuid4()),
        "kind": "text",
        "content": content,
    }


def _about(has: Has, type_: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "conversation_id": has["direct"], **more}


FRAMES: dict[str, Callable[[Has], list[bytes]]] = {
    "send, the same again": lambda has: _frames(_send(has)),
    "send": lambda has: _frames(*(_send(has) for _ in range(DISTINCT))),
    "send of 64 KiB": lambda has: _frames(*(_send(has, b64(bytes(65_536))) for _ in range(50))),
    "send of what is refused": lambda has: _frames(
        *({**_send(has), "devices_digest": b64(bytes(32))} for _ in range(DISTINCT))
    ),
    "ack": lambda has: _frames(_about(has, "ack", seq=1)),
    "read": lambda has: _frames(_about(has, "read", seq=1)),
    "typing": lambda has: _frames(*(_about(has, "typing", is_typing=on) for on in (True, False))),
    "presence": lambda _: _frames(*({"type": "presence", "status": one} for one in ("online", "away"))),
    "resend": lambda has: _frames(_about(has, "resend", after=0)),
    "resend of much": lambda has: _frames(_about(has, "resend", after=0, conversation_id=has["group"])),
    "token": lambda has: _frames({"type": "token", "ref": "r", "access_token": has["token"]}),
    "token that is none": lambda has: _frames(
        {"type": "token", "ref": "r", "access_token": has["token"][:-4] + "AAAA"}
    ),
    "ping": lambda _: _frames({"type": "ping", "ref": "r"}),
    "nonsense": lambda _: _frames({"type": "nonsense"}),
    "nonsense of 1 MB": lambda _: [b'{"type":"nonsense","x":"' + b"x" * 1_000_000 + b'"}'],
    "9,000 resends in an array": lambda has: [json.dumps([_about(has, "resend", after=0)] * 9_000).encode()],
    "9,000 acks of as many conversations in an array": lambda _: [
        json.dumps([{"type": "ack", "conversation_id": one, "seq": 1} for one in _ids(9_000)]).encode()
    ],
    "10,000 things that are nothing in an array": lambda _: [json.dumps([0] * 10_000).encode()],
}


def within_limits(has: Has) -> list[bytes]:
    """What a tenth of a second holds for a busy client within its limits: 4 messages, 16 other frames."""
    return [
        *_frames(*(_send(has) for _ in range(4))),
        *_frames(*(_about(has, "ack", seq=number) for number in range(1, 9))),
        *_frames(*(_about(has, "read", seq=number) for number in range(1, 8))),
        *_frames({"type": "ping", "ref": "r"}),
    ]


# calls


def _drafts(has: Has, content: str, count: int) -> list[Ask]:
    draft = {"kind": "text", "content": content}
    path = f"/api/v1/conversations/{has['direct']}/messages"
    return [Ask(path, {**draft, "client_id": str(uuid4())}) for _ in range(count)]


def _one(*several: Ask) -> Callable[[Has], list[Ask]]:
    return lambda _: list(several)


_TUS = {"Tus-Resumable": "1.0.0"}
_CHUNK = {**_TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
_EMPTY: Callable[[Has], list[Ask]] = _one(Ask())

# By operation, then by what is special about it; `` is the plain one.
VARIANTS: dict[str, dict[str, Callable[[Has], list[Ask]]]] = {
    "message_websocket": {
        "": _one(
            Ask(
                headers={
                    "Upgrade": "websocket",
                    "Connection": "Upgrade",
                    "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
                    "Sec-WebSocket-Version": "13",
                }
            )
        )
    },
    "auth_login": {
        "": lambda has: [Ask(body={"username": has["username"], "password": PASSWORD})],
        "a wrong password": lambda has: [
            Ask(body={"username": has["username"], "password": "no" + PASSWORD})
        ],
        "of many accounts": lambda has: [
            Ask(body={"username": f"{has['username']}-{number}", "password": PASSWORD})
            for number in range(DISTINCT)
        ],
    },
    "auth_register": {
        "": lambda has: [
            Ask(body={"username": f"{has['username']}-{number}", "password": PASSWORD})
            for number in range(DISTINCT)
        ]
    },
    "auth_kdf": {"": lambda has: [Ask(query=f"username={has['username']}")]},
    "auth_users": {"": lambda has: [Ask(query=f"username={has['username']}")]},
    "auth_refresh": {"": lambda has: [Ask(body={"refresh_token": has["refresh_token"]})]},
    "auth_lookup": {"": _one(Ask(body={"user_ids": _ids(100)}))},
    "auth_change_password": {
        "": lambda _: [
            Ask(
                body={
                    "current_password": "no" + PASSWORD,
                    "new_password": PASSWORD + " " + b64(os.urandom(9)),
                }
            )
        ]
    },
    "auth_delete_me": {"a wrong password": _one(Ask(body={"password": "no" + PASSWORD}))},
    "message_create": {
        "": lambda has: [Ask(body={"type": "group", "members": [has["user_id"]]})],
        "the same again": lambda has: [Ask(body={"type": "direct", "members": [has["user_id"]]})],
        "of 200 who are nobody": _one(Ask(body={"type": "group", "members": _ids(200)})),
    },
    "message_page": {"": _one(Ask(query="limit=200"))},
    "message_update": {"": lambda has: [Ask(body={"metadata": b64(os.urandom(3_000))}) for _ in range(20)]},
    "message_add": {
        "": lambda has: [Ask(body={"user_id": has["user_id"]})],
        "of nobody": _one(Ask(body={"user_id": NOBODY})),
    },
    "message_set_role": {"": lambda _: [Ask(body={"role": one}) for one in ("admin", "member")]},
    "message_remove": {"": _EMPTY, "of nobody": lambda has: [Ask(f"{_of(has)}/members/{NOBODY}")]},
    "message_send": {
        "": lambda has: _drafts(has, CONTENT, DISTINCT),
        "of 64 KiB": lambda has: _drafts(has, b64(bytes(65_536)), 50),
        "the same again": lambda has: _drafts(has, CONTENT, 1),
    },
    "message_history": {"": _one(Ask(query="limit=200"))},
    "message_delete": {
        "": lambda has: [Ask(f"{_of(has)}/messages/{number}") for number in range(1, DISTINCT)],
    },
    "message_changes": {"": _one(Ask(query="limit=200"))},
    "message_block": {
        "": lambda has: [Ask(f"/api/v1/blocks/{has['user_id']}"), Ask(f"/api/v1/blocks/{NOBODY}")]
    },
    "file_upload": {
        "": _one(Ask(body=bytes(65_536))),
        "of 4 MiB": _one(Ask(body=bytes(4 << 20))),
        "of a byte": _one(Ask(body=b"x")),
    },
    "file_create_upload": {
        "": _one(Ask(body=b"", headers={**_TUS, "Upload-Length": "1048576"})),
        "with 64 KiB": _one(
            Ask(
                body=bytes(65_536),
                headers={**_TUS, "Upload-Length": "65536", "Content-Type": "application/offset+octet-stream"},
            )
        ),
    },
    "file_append_to_upload": {"": _one(Ask(body=bytes(65_536), headers=_CHUNK))},
    "file_overridden": {
        "": _one(Ask(body=bytes(65_536), headers={**_CHUNK, "X-HTTP-Method-Override": "PATCH"}))
    },
    "file_end_upload": {"": _one(Ask(headers=_TUS))},
    "file_upload_progress": {"": _one(Ask(headers=_TUS))},
    "key_claim": {"": lambda has: [Ask(body={"user_id": has["user_id"]})]},
    "key_put": {
        "": _one(Ask(body={"content": CONTENT})),
        "of 60 kB": _one(Ask(body={"content": b64(bytes(60_000))})),
        "of many names": lambda _: [
            Ask(f"/api/v1/vault/x{number}", {"content": CONTENT}) for number in range(DISTINCT)
        ],
    },
}


def _of(has: Has) -> str:
    return f"/api/v1/conversations/{has['conversation_id']}"


def description() -> dict[str, Any]:
    """The API's description, as the gateway serves it."""
    with open(f"{gateway[0]}/openapi.json", encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def calls() -> list[Attack]:
    """Each call of the description, in each of its variants; and a path that is none."""
    found = []
    for path, item in description()["paths"].items():
        for method, operation in item.items():
            for what, asks in VARIANTS.get(operation["operationId"], {"": _EMPTY}).items():
                name = f"{method.upper()} {path.removeprefix('/api/v1')}" + (f", {what}" if what else "")
                found.append(Attack(name, "calls", _maker(method.upper(), path, operation, asks)))
    nothing = _maker("GET", "/api/v1/nothing", {}, _EMPTY)
    return [*found, Attack("GET of a path that is none", "calls", nothing)]


def _maker(
    method: str, template: str, operation: dict[str, Any], asks: Callable[[Has], list[Ask]]
) -> Callable[[Has], list[bytes]]:
    types = operation.get("requestBody", {}).get("content", {})
    example = types.get("application/json", {}).get("example")

    def make(has: Has) -> list[bytes]:
        made = []
        for ask in asks(has):
            path = ask.path if ask.path is not None else template.format_map(has)
            body = ask.body if ask.body is not None else example
            made.append(request(has, method, f"{path}?{ask.query}" if ask.query else path, body, ask.headers))
        return made

    return make


def request(has: Has, method: str, path: str, body: Any, headers: Mapping[str, str]) -> bytes:
    """A request's bytes."""
    content, kind = b"", ""
    if isinstance(body, bytes):
        content, kind = body, "application/octet-stream"
    elif body is not None:
        content, kind = json.dumps(body).encode(), "application/json"
    lines = {
        "Host": "localhost",
        "Authorization": f"Bearer {has['token']}",
        **({"Content-Type": kind} if kind else {}),
        **({"Content-Length": str(len(content))} if content or method in ("POST", "PUT", "PATCH") else {}),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content
