"""The commands of `messenger-admin` that act on accounts: keys, invites, users, devices, sessions, audit.

Each says in a line what it did, or lists things in columns, with times in UTC. A USER is a name or an id.
What can't be done (no such user, disabled already) is one line on standard error and status 1. All changes
are written down in `auth.audit`, with who made them; `messenger-admin audit` shows them.
"""

import argparse
import re
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from messenger.admin.running import Tell, run
from messenger.auth.admin_store import AdminStore, KnownUser
from messenger.auth.signing import Seal, new_key
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings
from messenger.wire.codec import uuid_text

ANNOUNCE_SECONDS = 30.0
DAY = 86_400.0
_INVITE_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)

Command = Callable[[AdminStore, Tell, argparse.Namespace, Settings], Awaitable[None]]


def add_commands(commands: Any) -> None:
    """Add the commands' parsers to argparse's sub-parsers; each sets `command`."""
    keys = _group(commands, "keys", "the keys that sign access tokens")
    _add(keys, "list", _list_keys, "show all keys and what they do")
    rotate = _add(keys, "rotate", _rotate, "announce a new key; the old ones verify while they have to")
    rotate.add_argument(
        "--announce",
        type=_bounded(float, 0, 86_400),
        default=ANNOUNCE_SECONDS,
        metavar="SECONDS",
        help="how long the new key is known before it signs (default: %(default)g)",
    )
    invites = _group(commands, "invites", "invites to register, where [auth] registration is invite")
    make = _add(invites, "make", _make_invite, "print a new invite; it is not shown again")
    make.add_argument("--uses", type=_bounded(int, 1, 1_000_000), default=1, metavar="N")
    make.add_argument("--days", type=_bounded(float, 0.001, 3_650), default=7.0, metavar="N")
    _limited(_add(invites, "list", _list_invites, "show invites, latest first"))
    _add(invites, "revoke", _revoke, "make an invite useless").add_argument("id", type=_invite_id)

    users = _group(commands, "users", "accounts")
    listed = _limited(_add(users, "list", _list_users, "show users by name"))
    listed.add_argument("--after", default="", metavar="NAME", help="go on after this name")
    _on_user(_add(users, "show", _show_user, "show one user"))
    _on_user(_add(users, "disable", _disable, "end all sessions, and let the user in no more"))
    _on_user(_add(users, "enable", _enable, "let a disabled user in again"))
    _on_user(_add(users, "reset-factor", _reset_factor, "remove a second factor that its user has lost"))
    delete = _on_user(_add(users, "delete", _delete, "delete an account for good"))
    delete.add_argument("--yes", action="store_true", help="without this nothing is deleted")

    devices = _group(commands, "devices", "the devices of a user")
    _on_user(_add(devices, "list", _list_devices, "show a user's devices"))
    sessions = _group(commands, "sessions", "the sessions of a user")
    _on_user(_add(sessions, "list", _list_sessions, "show a user's sessions"))
    end = _add(sessions, "end", _end, "end one session, or all of a user")
    which = end.add_mutually_exclusive_group(required=True)
    which.add_argument("session_id", nargs="?", type=_uuid)
    which.add_argument("--user", metavar="USER")
    audit = _limited(commands.add_parser("audit", help="show what administrators did, latest first"))
    audit.set_defaults(command=_run_command, command_on_accounts=_audit)


def _run_command(settings: Settings, chosen: argparse.Namespace) -> int:
    command: Command = chosen.command_on_accounts
    run(settings, lambda store, tell: command(store, tell, chosen, settings))
    return 0


# keys and invites


async def _list_keys(store: AdminStore, _tell: Tell, _chosen: argparse.Namespace, _: Settings) -> None:
    _table(("KID", "MADE", "SIGNS FROM", "VERIFIES UNTIL", "STATE"), await store.keys())


async def _rotate(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, settings: Settings) -> None:
    seal = Seal(settings.auth.signing_secret)
    kid, sealed = await store.signing_key()
    seal.open(sealed, kid)  # or the services could not open what this one seals
    key = new_key(seal)
    active_at = await store.rotate_key(key, chosen.announce, settings.auth.access_token)
    if active_at is None:
        raise StartError("a new key is announced already; wait until it signs")
    _say(f"new key {key.kid} signs from {_text(active_at)}")


async def _make_invite(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    text = secrets.token_urlsafe(24)
    await store.add_invite(sha256(text.encode("ascii")).digest(), chosen.uses, chosen.days * DAY)
    _say(text)


async def _list_invites(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    _table(("ID", "USES LEFT", "MADE", "EXPIRES", "STATE"), await store.invites(chosen.limit))


async def _revoke(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    if not await store.revoke_invite(chosen.id):
        raise StartError(f"there is no invite {chosen.id}")
    _say(f"invite {chosen.id} is revoked")


# users


async def _list_users(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    found = await store.users(chosen.after, chosen.limit)
    rows = [
        (one.username, one.user_id, one.state, one.devices, one.sessions, one.last_seen_at) for one in found
    ]
    _table(("NAME", "ID", "STATE", "DEVICES", "SESSIONS", "LAST SEEN"), rows)


async def _show_user(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await _user(store, chosen.user)
    for name in KnownUser.__slots__:
        _say(f"{name:14} {_text(getattr(user, name))}")


async def _disable(store: AdminStore, tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await _user(store, chosen.user)
    events = await store.disable(user.user_id)
    if events is None:
        raise StartError(f"{user.username} is {user.state} already")
    tell(events)
    _say(f"{user.username} is disabled; sessions ended: {len(events)}")


async def _enable(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await _user(store, chosen.user)
    if not await store.enable(user.user_id):
        raise StartError(f"{user.username} is {user.state}")
    _say(f"{user.username} is enabled")


async def _reset_factor(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await _user(store, chosen.user)
    if not await store.reset_factor(user.user_id):
        raise StartError(f"{user.username} has no second factor")
    _say(f"{user.username} logs in by the password alone")


async def _delete(store: AdminStore, tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await _user(store, chosen.user)
    if not chosen.yes:
        raise StartError(f"{user.username} was not deleted: this can't be undone; say --yes")
    events = await store.delete(user.user_id)
    if events is None:
        raise StartError(f"{user.username} is deleted already")
    tell(events)
    _say(f"{user.username} is deleted; the name stays taken")


# devices, sessions, audit


async def _list_devices(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await _user(store, chosen.user)
    _table(("ID", "NAME", "MADE", "LAST SEEN"), await store.devices(user.user_id))


async def _list_sessions(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await _user(store, chosen.user)
    heads = ("ID", "DEVICE", "LOGGED IN", "REFRESHED", "EXPIRES", "ENDED", "WHY")
    _table(heads, await store.sessions(user.user_id))


async def _end(store: AdminStore, tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    if chosen.session_id is not None:
        events = await store.end_session(chosen.session_id)
        if events is None:
            raise StartError(f"there is no live session {chosen.session_id}")
    else:
        user = await _user(store, chosen.user)
        events = await store.end_sessions(user.user_id)
        if events is None:
            raise StartError(f"{user.username} is {user.state}")
    tell(events)
    _say(f"sessions ended: {len(events)}")


async def _audit(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    _table(("WHEN", "WHO", "WHAT", "ON"), await store.audit(chosen.limit))


async def _user(store: AdminStore, text: str) -> KnownUser:
    user_id = uuid_text(text)
    found = await store.user_named(text.lower()) if user_id is None else await store.user(user_id)
    if found is None:
        raise StartError(f"there is no user {text!r}")
    return found


# the command line and its answers


def _group(commands: Any, name: str, what: str) -> Any:
    parser = commands.add_parser(name, help=what, description=f"Look after {what}.")
    return parser.add_subparsers(dest="action", required=True, metavar="ACTION")


def _add(group: Any, name: str, command: Command, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = group.add_parser(name, help=what, description=what.capitalize() + ".")
    parser.set_defaults(command=_run_command, command_on_accounts=command)
    return parser


def _on_user(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("user", metavar="USER", help="a name or an id")
    return parser


def _limited(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--limit", type=_bounded(int, 1, 10_000), default=100, metavar="N")
    return parser


def _bounded(kind: type[int] | type[float], least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least:g} to {most:g}")
        return value

    return read


def _uuid(text: str) -> str:
    found = uuid_text(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no id")
    return found


def _invite_id(text: str) -> str:
    if not _INVITE_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no invite's id: see `invites list`")
    return text


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    # What users named themselves is no business of the terminal's.
    return "-" if value is None else "".join(one if one.isprintable() else "?" for one in str(value))


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    lines = [list(heads), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        _say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
