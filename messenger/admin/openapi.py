"""Makes the API's description: `python -m messenger.admin.openapi`.

The gateway serves it but may not know the services, which alone know their routes. So it is composed here,
from the marks on all endpoints, with what openapi_texts.py and openapi_examples.py say besides, and kept as
`messenger/gateway/openapi.json`; a test fails while the two differ.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from messenger import __version__, gateway
from messenger.admin.openapi_examples import MissingExample, illustrate
from messenger.admin.openapi_texts import DESCRIPTIONS
from messenger.auth.http import AuthEndpoints
from messenger.core.http.openapi import Group, document
from messenger.core.http.routing import routes_of
from messenger.files.http import FileEndpoints
from messenger.files.resumable.http import UploadEndpoints
from messenger.gateway.endpoints import GatewayEndpoints
from messenger.keys.http import KeyEndpoints
from messenger.keys.vault.http import VaultEndpoints
from messenger.messages.http import (
    BlockEndpoints,
    ConversationEndpoints,
    MessageEndpoints,
    PreferenceEndpoints,
    PushEndpoints,
)
from messenger.wire.errors import PROBLEM_TYPE, Code

PATH = Path(gateway.__path__[0], "openapi.json")

# What the gateway and the limits may answer to any call of a service.
_EVERYWHERE = (Code.rate_limited, Code.bad_gateway, Code.unavailable, Code.gateway_timeout)
_SERVICES = {
    "auth": (AuthEndpoints,),
    "message": (
        ConversationEndpoints,
        MessageEndpoints,
        BlockEndpoints,
        PreferenceEndpoints,
        PushEndpoints,
    ),
    "file": (FileEndpoints, UploadEndpoints),
    "key": (KeyEndpoints, VaultEndpoints),
}
_DESCRIPTION = (
    "An end-to-end-encrypted messenger. Binary members are standard base64 with padding; times are RFC 3339 "
    "in UTC with milliseconds; ids are UUIDs. HEAD is answered wherever GET is. Errors are problem documents "
    "with a stable `code`. Unknown members are to be ignored, in both directions."
)


def groups() -> list[Group]:
    """All routes that a client can reach, by service."""
    found = [
        Group(name=name, routes=[one for kind in kinds for one in routes_of(kind)], errors=_EVERYWHERE)
        for name, kinds in _SERVICES.items()
    ]
    return [*found, Group(name="gateway", routes=routes_of(GatewayEndpoints), prefix="")]


def _socket() -> dict[str, Any]:
    """The WebSocket, as far as OpenAPI has words for it."""
    problem = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refusals = {
        "400": "The handshake is malformed.",
        "401": "The token or the ticket is missing, wrong or expired.",
        "403": "The page's origin is not allowed.",
        "426": "This path speaks WebSocket only.",
        "429": "Too many requests.",
        "502": "The message service did not answer properly.",
        "503": "There are too many sockets, or the message service is not ready.",
        "504": "The message service did not answer in time.",
    }
    ticket = {
        "name": "ticket",
        "in": "query",
        "required": False,
        "schema": {"type": "string", "maxLength": 512},
    }
    get = {
        "operationId": "message_websocket",
        "tags": ["message"],
        "summary": "Live events, and sending, over one WebSocket (RFC 6455, subprotocol messenger.v1).",
        "parameters": [ticket],
        "security": [{"bearer": []}, {}],
        "responses": {
            "101": {"description": "The connection speaks WebSocket from here on."},
            **{status: {"description": text, "content": problem} for status, text in refusals.items()},
        },
    }
    return {"get": get}


def described() -> dict[str, Any]:
    """The whole description."""
    made = document(
        groups(),
        title="Secure Messenger",
        version=__version__,
        description=_DESCRIPTION,
        paths={"/ws": _socket()},
    )
    for item in made["paths"].values():
        for operation in item.values():
            name = operation["operationId"]
            if name not in DESCRIPTIONS:
                raise MissingExample(f"{name} has no description: see openapi_texts.py")
            operation["description"] = DESCRIPTIONS[name]
    illustrate(made)
    return made


def text() -> bytes:
    """The file's content."""
    return msgspec.json.format(msgspec.json.encode(described()), indent=1) + b"\n"


def main() -> None:
    """Write the file."""
    PATH.write_bytes(text())
    sys.stdout.write(f"{PATH}\n")


if __name__ == "__main__":
    main()
