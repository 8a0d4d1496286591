"""Examples for the API's description: a value for each member, put together as the schemas say.

One story runs through all of them: Alice writes to Bob. So an example is valid wherever its schema is, and a
new member without a value here is an error that names it. Each operation also has a call by curl.
"""

import hashlib
import json
from base64 import b64encode
from typing import Any

Schema = dict[str, Any]

ALICE = "01985c3e-7a10-7c6e-9d3b-5e0f4a1b2c3d"
BOB = "01985c3e-8b21-7f4a-8c2d-6f1a5b2c3d4e"
PHONE = "01985c3e-7a10-7b11-a4c5-0d9e8f7a6b5c"
LAPTOP = "01985c40-1f32-7d55-b6e7-1a2b3c4d5e6f"
CONVERSATION = "01985c41-2c43-7e88-9f01-2b3c4d5e6f70"
FILE = "01985c42-3d54-7a99-8a12-3c4d5e6f7081"
UPLOAD = "01985c43-4e65-7baa-9b23-4d5e6f708192"
CLIENT = "5f0c1d2e-3b4a-4c5d-8e9f-0a1b2c3d4e5f"
THEN, NOW = "2026-01-30T18:00:00.000Z", "2026-01-31T09:30:00.123Z"


def opaque(size: int, what: str) -> str:
    """So many bytes that stand for ciphertext or a key, the same each time, in base64."""
    raw = b"".join(hashlib.sha256(f"{what} {number}".encode()).digest() for number in range(size // 32 + 1))
    return b64encode(raw[:size]).decode("ascii")


_DERIVED = "i2YOUiY8TBjYcLZ3d6/saqSK/UpiTRTVRCJ4LSDk6Ps="
_ANY: dict[str, Any] = {
    "access_token": "eyJhbGciOiJFZERTQSIsImtpZCI6IjhmMyJ9.eyJzdWIiOiIwMTk4In0.c2lnbmF0dXJl",
    "account_key": opaque(32, "account key"),
    "actor_id": ALICE,
    "at_seq": 41,
    "auth": opaque(16, "push auth"),
    "challenge": "ch_9wV0b2hTq3mC",
    "change": 3,
    "checks": {"auth": "ready", "message": "ready", "file": "ready", "key": "ready"},
    "client_id": CLIENT,
    "code": "492039",
    "content": opaque(48, "content"),
    "conversation": None,
    "conversation_id": CONVERSATION,
    "conversation_ids": [CONVERSATION],
    "created_at": THEN,
    "current": True,
    "current_password": _DERIVED,
    "deleted": False,
    "delivered_seq": 42,
    "device_id": PHONE,
    "device_name": "Alice's phone",
    "devices_digest": None,
    "digest": opaque(32, "digest"),
    "ended_at": None,
    "endpoint": "https://push.example.org/v1/0f9d",
    "envelope": None,
    "event": "member_added",
    "expires_at": None,
    "expires_in": 900,
    "features": ["websocket", "files", "resumable_files", "totp", "kdf", "kem_prekeys", "device_lists"],
    "file_id": FILE,
    "first_seq": 1,
    "highest_key_id": 112,
    "identity_key": opaque(32, "identity key"),
    "invite": None,
    "joined_at": THEN,
    "kem_prekeys": 88,
    "key_id": 112,
    "kid": "8f3a",
    "kind": "text",
    "lanes": 1,
    "last_change": 3,
    "last_resort": False,
    "last_seen_at": NOW,
    "last_seq": 42,
    "limits": {"body": 1_048_576, "content": 65_536, "file": 104_857_600, "devices": 10, "members": 1_000},
    "list_version": 2,
    "member_count": 2,
    "members": [BOB],
    "memory_kib": 65_536,
    "message_ttl": None,
    "metadata": opaque(32, "metadata"),
    "name": "seed",
    "new_password": "uVbW1z4nJ8Qm0cTqv3xkZ2yHhU6s9aR5oPdE7fLgMwA=",
    "next": None,
    "one_time_prekeys": 88,
    "p256dh": b64encode(b"\x04" + hashlib.sha512(b"p256dh").digest()).decode("ascii"),
    "partial": False,
    "passes": 3,
    "password": _DERIVED,
    "protocols": ["messenger.v1"],
    "public_key": opaque(32, "prekey"),
    "read_seq": 40,
    "ready": True,
    "recovery_codes": ["k7wq-2mzd", "p4xn-9trc", "h8vb-5jsf"],
    "refresh_token": "rt_4mB7kQ2xWn9TzLc1",
    "registration": "invite",
    "role": "member",
    "salt": b64encode(bytes(range(16))).decode("ascii"),
    "schema": {"auth": "0004", "key": "0004", "message": "0003", "file": "0003"},
    "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "sender_device_id": PHONE,
    "sender_id": ALICE,
    "seq": 42,
    "sha256": opaque(32, "blob"),
    "signature": opaque(64, "signature"),
    "signed_prekey_created_at": THEN,
    "signed_prekey_id": 3,
    "size": 1_048_576,
    "ticket": "tk_0pXv7Rr1Yd3S",
    "type": "direct",
    "unread": 2,
    "updated_at": NOW,
    "uri": "otpauth://totp/secure-messenger:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "user_id": BOB,
    "user_ids": [ALICE, BOB],
    "username": "alice",
    "vapid_key": b64encode(b"\x04" + hashlib.sha512(b"vapid").digest()).decode("ascii"),
    "version": 2,
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
# Where a name means something else than elsewhere; LEFT leaves a member out.
LEFT = object()
_OF: dict[tuple[str, str], Any] = {
    ("Change", "conversation"): LEFT,
    ("Change", "seq"): LEFT,
    ("Claim", "devices"): LEFT,
    ("Conversation", "role"): "owner",
    ("Draft", "envelopes"): LEFT,
    ("Draft", "devices_digest"): opaque(32, "digest"),
    ("Health", "version"): "0.1.0",
    ("Health", "instance"): LEFT,
    ("Info", "version"): "0.1.0",
    ("KemPrekey", "public_key"): opaque(1_568, "kem prekey"),
    ("BundleKemPrekey", "public_key"): opaque(1_568, "kem prekey"),
    ("Login", "device_id"): LEFT,
    ("Message", "sender_id"): BOB,
    ("NewConversation", "client_id"): CLIENT,
    ("Register", "invite"): LEFT,
    ("Ticket", "expires_in"): 30,
    ("User", "user_id"): ALICE,
    ("ConversationUpdate", "message_ttl"): 604_800,
    ("RoleChange", "role"): "admin",
    ("Preferences", "groups"): "contacts",
    ("PendingDevice", "device_id"): LAPTOP,
    ("PendingDevice", "device_name"): "Alice's laptop",
}
PARAMETERS: dict[str, Any] = {
    "after": 40,
    "before": 41,
    "conversation_id": CONVERSATION,
    "cursor": "eyJhIjo0MH0",
    "device_id": LAPTOP,
    "file_id": FILE,
    "limit": 50,
    "name": "seed",
    "seq": 42,
    "ticket": "tk_0pXv7Rr1Yd3S",
    "upload_id": UPLOAD,
    "user_id": BOB,
    "username": "alice",
    "If-Match": '"2"',
    "If-None-Match": "*",
    "Tus-Resumable": "1.0.0",
    "Upload-Checksum": "sha256 " + opaque(32, "blob"),
    "Upload-Length": "1048576",
    "Upload-Metadata": "conversation_id " + b64encode(CONVERSATION.encode()).decode("ascii"),
    "Upload-Offset": "524288",
    "X-Conversation-ID": CONVERSATION,
    "X-File-Metadata": opaque(32, "metadata"),
    "X-HTTP-Method-Override": "PATCH",
}
# Headers that a call may have and mostly has not, and query parameters that one call does not have together.
_SELDOM = frozenset({"If-Match", "If-None-Match", "Upload-Checksum", "cursor", "before", "ticket", "limit"})
_LONG = 600


class MissingExample(Exception):
    """A member or parameter has no value here, or an operation no text in openapi_texts.py."""


def example_of(schema: Schema, components: Schema, kind: str = "", name: str = "") -> Any:
    """An example of a schema; `kind` and `name` say of which struct's member it is."""
    if (kind, name) in _OF:
        return _OF[kind, name]
    structured = [one for one in (schema, *schema.get("anyOf", ())) if "$ref" in one or "items" in one]
    if structured:
        return _structured(structured[0], components, kind, name)
    if len(schema.get("enum", ())) == 1:
        return schema["enum"][0]
    if name in _ANY:
        return _ANY[name]
    if "default" in schema:
        return schema["default"]
    raise MissingExample(f"{kind}.{name} has no example: see openapi_examples.py")


def _structured(schema: Schema, components: Schema, kind: str, name: str) -> Any:
    if "$ref" in schema:
        kind = schema["$ref"].rpartition("/")[2]
        members = components[kind]["properties"]
        found = {member: example_of(below, components, kind, member) for member, below in members.items()}
        return {member: value for member, value in found.items() if value is not LEFT}
    if "$ref" in schema["items"]:
        return [example_of(schema["items"], components)]
    return _ANY.get(name, [BOB])


def illustrate(document: Schema) -> None:
    """Give each operation of an OpenAPI document examples: of parameters, body and answers, and a call by
    curl."""
    components = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for one in operation.get("parameters", ()):
                if one["name"] not in PARAMETERS:
                    raise MissingExample(
                        f"the parameter {one['name']} has no example: see openapi_examples.py"
                    )
                one["example"] = PARAMETERS[one["name"]]
            contents = [operation.get("requestBody", {}).get("content", {})]
            contents += [
                answer.get("content", {})
                for status, answer in operation["responses"].items()
                if status.startswith("2")
            ]
            for content in contents:
                json_content = content.get("application/json", {})
                if json_content.get("schema", {}).get("$ref"):
                    json_content["example"] = example_of(json_content["schema"], components)
            operation["x-codeSamples"] = [
                {"lang": "Shell", "label": "curl", "source": _curl(path, method, operation)}
            ]


def _curl(path: str, method: str, operation: Schema) -> str:
    """A call that a reader can paste: the server of `make run`, an access token in $TOKEN."""
    parameters = operation.get("parameters", ())
    for one in parameters:
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", str(one["example"]))
    chosen = [one for one in parameters if one.get("required") or one["name"] not in _SELDOM]
    query = "&".join(f"{one['name']}={one['example']}" for one in chosen if one["in"] == "query")
    url = f"http://127.0.0.1:8080{path}{'?' + query if query else ''}"
    parts = ["curl", *_method(method), f"'{url}'"]
    if operation.get("security") != []:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    parts += [f"-H '{one['name']}: {one['example']}'" for one in chosen if one["in"] == "header"]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            body = json.dumps(content["example"])
            parts += ["-H 'Content-Type: application/json'"]
            parts += [f"-d '{body}'".replace("Alice's", "My")] if len(body) <= _LONG else ["-d @body.json"]
        else:
            kind = "application/offset+octet-stream" if method == "patch" else kind  # noqa: PLW2901 - tus' own
            parts += [f"-H 'Content-Type: {kind}'", "--data-binary @blob.bin"]
    return " \\\n    ".join(parts)


def _method(method: str) -> list[str]:
    return {"get": [], "head": ["--head"]}.get(method, ["-X", method.upper()])
