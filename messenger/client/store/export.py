"""Everything that was said, as JSON lines: the profile, then each conversation, then each message."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from messenger.client.engine.vault import Store

PAGE = 500


def write_export(store: "Store", path: Path, overwrite: bool) -> int:
    """Write an export, whole or not at all; how many messages. FileExistsError."""
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists.")
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    count = 0
    try:
        with os.fdopen(descriptor, "wb") as out:
            names = ("server", "user_id", "username", "device_id")
            profile = {name: store.account.get(name) for name in names}
            out.write(msgspec.json.encode({"record": "profile", **profile}) + b"\n")
            for row in store.conversations.all():
                said = store.conversations.members(row.conversation_id)
                members = [store.conversations.name(one.user_id) for one in said]
                line = {
                    "record": "conversation",
                    "conversation_id": row.conversation_id,
                    "type": row.type,
                    "title": row.title,
                    "members": members,
                    "created_at": row.created_at,
                    "ended": bool(row.ended),
                }
                out.write(msgspec.json.encode(line) + b"\n")
            last = 0
            while page := store.messages.after(last, PAGE):
                for message in page:
                    line = {"record": "message", **msgspec.to_builtins(message)}
                    out.write(msgspec.json.encode(line) + b"\n")
                last, count = int(page[-1].id), count + len(page)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return count
