"""`messenger-admin users export`: what the server holds of a user, as JSON, for whoever asks for it.

All tables out of one state of the database, one row a line: account, devices, sessions, public keys, who is
in which conversation with whom since when, when and how much the user has written, files, blocks. What the
server can't read it can't export either: of ciphertext there is its size, or with `--ciphertext` itself, in
base64. Left out is what would give somebody access (hashes, secrets of second factors), and what is others':
what they wrote, and whether they block. A new table has to be named here; a test compares this with the
migrations.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from messenger.admin.running import note
from messenger.admin.shell import on_user
from messenger.core.administrator import Administrator
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings
from messenger.wire.codec import uuid_text

_OWN_DEVICES = "(select device_id from auth.devices where user_id = %(user)s)"
_OWN_CONVERSATIONS = "(select conversation_id from message.members where user_id = %(user)s)"
_OWN_FILES = "(select file_id from file.files where uploader_id = %(user)s)"
_OF_USER = "user_id = %(user)s"
_OF_DEVICE = f"device_id in {_OWN_DEVICES}"


@dataclass(frozen=True, slots=True)
class Exported:
    """The rows of a table that are the user's. `left` are columns that are not told, `public` binary ones
    that are told as they are; other binary ones are ciphertext."""

    name: str
    where: str = _OF_USER
    left: tuple[str, ...] = ()
    public: tuple[str, ...] = ()


EXPORTED = (
    Exported("auth.users", left=("password_hash",)),
    Exported("auth.devices"),
    Exported("auth.sessions", left=("refresh_hash", "previous_hash")),
    Exported("auth.factors", left=("secret",)),
    Exported("auth.recovery_codes", left=("code_hash",)),
    Exported("auth.audit", "subject = %(user)s::text", left=("actor", "audit_id")),
    Exported(
        "key.devices",
        left=(),
        public=("identity_key", "signed_prekey", "signed_prekey_signature", "certificate"),
    ),
    Exported("key.accounts", public=("account_key",)),
    Exported("key.lists", public=("account_key", "signature")),
    Exported("key.listed_devices", public=("identity_key",)),
    Exported("key.one_time_prekeys", _OF_DEVICE, public=("public_key",)),
    Exported("key.kem_prekeys", _OF_DEVICE, public=("public_key", "signature")),
    Exported("key.last_resort_prekeys", _OF_DEVICE, public=("public_key", "signature")),
    Exported("key.claims", "asker_id = %(user)s"),
    Exported("key.vault"),
    # Not how it went on after the user had left, nor whether the other one blocks.
    Exported(
        "message.conversations",
        f"conversation_id in {_OWN_CONVERSATIONS}",
        left=(
            *("pair", "client_id", "updated_at", "ended_at", "blocked"),
            *("last_seq", "last_change", "member_count"),
        ),
    ),
    Exported("message.members"),
    # By conversation, since no index goes by sender.
    Exported("message.messages", f"conversation_id in {_OWN_CONVERSATIONS} and sender_id = %(user)s"),
    Exported("message.changes", f"conversation_id in {_OWN_CONVERSATIONS} and actor_id = %(user)s"),
    Exported("message.places", _OF_DEVICE),
    Exported("message.presence", left=("instance_id",)),
    Exported("message.push", left=("auth",), public=("p256dh",)),
    Exported("message.blocks", "blocker = %(user)s"),
    Exported("message.preferences"),
    Exported("file.files", "uploader_id = %(user)s", left=("blob_key", "upload_id"), public=("sha256",)),
    Exported("file.shares", f"file_id in {_OWN_FILES}", left=("checked_at",)),
    Exported("file.segments", f"file_id in {_OWN_FILES}", left=("blob_key",)),
    Exported("file.usage"),
)

NOT_EXPORTED = {
    "auth.invites": "they are nobody's",
    "auth.signing_keys": "they are the server's",
    "auth.secrets": "they are the server's",
    "auth.tickets": "they last half a minute, and are hashes",
    "auth.challenges": "they last five minutes, and are hashes",
    "auth.outbox": "events on their way, of what stands in other tables",
    "key.outbox": "the same",
    "message.outbox": "the same",
    "file.outbox": "the same",
    "message.blocked_by": "it says that others block; the user's own blocks are in message.blocks",
    "message.instances": "they are the server's",
    "file.removals": "names of blobs that go",
}

_COLUMNS = """
    select attname, format_type(atttypid, null) from pg_attribute
    where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
"""
_FIND = "select user_id::text, username from auth.users where {} = %s"


def add_action(users: Any) -> None:
    """Add the parser to those of `users`."""
    parser = on_user(
        users.add_parser(
            "export",
            help="print what the server holds of a user, as JSON",
            description="Print what the server holds of a user, as JSON: for requests by whom it is about.",
        )
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="a new file, for its owner alone; else standard output"
    )
    parser.add_argument(
        "--ciphertext", action="store_true", help="ciphertext too, in base64, not its sizes alone"
    )
    parser.set_defaults(command=_command)


def _command(settings: Settings, chosen: argparse.Namespace) -> int:
    with Administrator(settings.database) as database:
        user_id, username = _user(database, chosen.user)
        with _written(chosen.output) as out:
            export(database, user_id, out, ciphertext=chosen.ciphertext)
        note(database, "users export", user_id)
    if chosen.output is not None:
        sys.stdout.write(f"what is held of {username} is in {chosen.output}\n")
    return 0


def export(database: Administrator, user_id: str, out: TextIO, *, ciphertext: bool) -> None:
    """Write all that is held of the user of this id, as one JSON document."""
    head = {"user_id": user_id, "exported_at": datetime.now(UTC).isoformat(timespec="seconds")}
    out.write("{" + json.dumps(head)[1:-1] + ', "tables": {')
    with database.transaction(snapshot=True):
        for number, one in enumerate(EXPORTED):
            out.write(f'{"," if number else ""}\n"{one.name}": [')
            query = _query(one, database.rows(_COLUMNS, (one.name,)), ciphertext=ciphertext)
            for count, (row,) in enumerate(database.stream(query, {"user": user_id})):
                out.write(f"{',' if count else ''}\n{row}")
            out.write("]")
    out.write("\n}}\n")


def _query(one: Exported, columns: list[tuple[Any, ...]], *, ciphertext: bool) -> str:
    found = []
    for name, kind in columns:
        if name in one.left:
            continue
        shown = ciphertext or name in one.public
        if kind == "bytea":
            found.append(f"{_base64(name)} as {name}" if shown else f"octet_length({name}) as {name}_bytes")
        elif kind == "bytea[]":
            how, ending = (_base64("e"), "") if shown else ("octet_length(e)", "_bytes")
            found.append(f"(select array_agg({how}) from unnest({name}) e) as {name}{ending}")  # noqa: S608
        else:
            found.append(name)
    # Names are the catalogue's and ours, never a user's.
    return f"select to_json(t)::text from (select {', '.join(found)} from {one.name} where {one.where}) t"  # noqa: S608


def _base64(what: str) -> str:
    return f"translate(encode({what}, 'base64'), E'\\n', '')"


def _user(database: Administrator, given: str) -> tuple[str, str]:
    user_id = uuid_text(given)
    column, value = ("username", given.lower()) if user_id is None else ("user_id", user_id)
    rows = database.rows(_FIND.format(column), (value,))
    if not rows:
        raise StartError(f"there is no user {given!r}")
    return rows[0][0], rows[0][1]


@contextmanager
def _written(path: Path | None) -> Iterator[TextIO]:
    """Where the export goes; a file that could not be written to its end is removed."""
    if path is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise StartError(f"{path} can't be made: {error.strerror}") from None
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        path.unlink()
        raise StartError(f"{path} can't be written: {error.strerror}") from None
    except BaseException:
        path.unlink()
        raise
