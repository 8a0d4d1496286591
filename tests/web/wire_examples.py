"""Schemas and examples of every body and every frame, for the web client's tests."""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec

from messenger.admin.openapi import PATH
from messenger.admin.openapi_examples import LAPTOP, LEFT, NOW, Schema, example_of, opaque
from messenger.client.net.socket import ServerFrame
from messenger.wire import frames
from messenger.wire.codec import decode_custom, schema_of

# What bodies do not have.
_MEMBERS: dict[str, Any] = {
    "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTk4In0.c2ln",
    "after": 40,
    "code": "devices_changed",
    "detail": "The members' devices have changed.",
    "epoch": "7306021337",
    "expires_in": 900,
    "heartbeat": 45,
    "is_typing": True,
    "ref": "r-1",
    "retry_after": 3,
    "server_time": NOW,
    "status": "online",
    "devices_digest": opaque(32, "digest"),
    "envelopes": [{"device_id": LAPTOP, "content": opaque(48, "envelope")}],
}
_OF: dict[tuple[str, str], Any] = {
    ("Receipt", "kind"): "read",
    ("DeviceFrame", "event"): "published",
}


def examples() -> dict[str, Any]:
    """`schemas` by name; for bodies and for each side's frames the names of theirs, with an example."""
    sides = {
        "client": [*get_args(frames.ClientFrame)],
        "server": [*get_args(ServerFrame), frames.Pong],
    }
    kinds = [one for side in sides.values() for one in side]
    _, schemas = msgspec.json.schema_components(
        kinds, schema_hook=schema_of, ref_template="#/components/schemas/{name}"
    )
    found = {side: {one.__name__: _example(one, schemas) for one in kinds} for side, kinds in sides.items()}
    bodies: Schema = json.loads(PATH.read_text())["components"]["schemas"]
    codes = bodies.pop("Problem")["properties"]["code"]
    found["bodies"] = {name: example_of({"$ref": f"/{name}"}, bodies) for name in bodies}
    return {"schemas": {**schemas, **bodies, "Problem.code": codes}, **found}


def _example(kind: Any, schemas: Schema) -> Any:
    name = kind.__name__
    example: Schema = {}
    for member, schema in schemas[name]["properties"].items():
        if (name, member) in _OF or member in _MEMBERS:
            value = _OF.get((name, member), _MEMBERS.get(member))
        else:
            value = example_of(schema, schemas, name.removesuffix("Frame"), member)
        if value is not LEFT:
            example[member] = value
    msgspec.json.decode(json.dumps(example), type=kind, dec_hook=decode_custom)
    return example


def write(path: Path) -> Path:
    """All of it as JSON."""
    path.write_text(json.dumps(examples()))
    return path
