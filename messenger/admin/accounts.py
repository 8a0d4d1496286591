"""The commands of `messenger-admin` that act on accounts: keys, invites, users, devices, sessions, audit.

`users create` and `users reset-password` stand in passwords.py, `users export` in export.py. A USER is a name
or an id. What can't be done (no such user, disabled already) is one line on standard error and status 1. All
changes are written down in `auth.audit`, with who made them; `messenger-admin audit` shows them.
"""

import argparse
import re
import secrets
from hashlib import sha256
from typing import Any

from messenger.admin import export, passwords
from messenger.admin.running import Tell
from messenger.admin.shell import add, bounded, group, limited, on_user, say, table, text, user_of
from messenger.auth.signing import Seal, new_key
from messenger.auth.store.administration import AdminStore, KnownUser
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings
from messenger.wire.codec import uuid_text

ANNOUNCE_SECONDS = 30.0
DAY = 86_400.0
_INVITE_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def add_commands(commands: Any) -> None:
    """Add the commands' parsers to argparse's sub-parsers; each sets `command`."""
    keys = group(commands, "keys", "the keys that sign access tokens")
    add(keys, "list", _list_keys, "show all keys and what they do")
    rotate = add(keys, "rotate", _rotate, "announce a new key; the old ones verify while they have to")
    rotate.add_argument(
        "--announce",
        type=bounded(float, 0, 86_400),
        default=ANNOUNCE_SECONDS,
        metavar="SECONDS",
        help="how long the new key is known before it signs (default: %(default)g)",
    )
    invites = group(commands, "invites", "invites to register, where [auth] registration is invite")
    make = add(invites, "make", _make_invite, "print a new invite; it is not shown again")
    make.add_argument("--uses", type=bounded(int, 1, 1_000_000), default=1, metavar="N")
    make.add_argument("--days", type=bounded(float, 0.001, 3_650), default=7.0, metavar="N")
    limited(add(invites, "list", _list_invites, "show invites, latest first"))
    add(invites, "revoke", _revoke, "make an invite useless").add_argument("id", type=_invite_id)

    users = group(commands, "users", "accounts")
    listed = limited(add(users, "list", _list_users, "show users by name"))
    listed.add_argument("--after", default="", metavar="NAME", help="go on after this name")
    on_user(add(users, "show", _show_user, "show one user"))
    passwords.add_actions(users)
    export.add_action(users)
    on_user(add(users, "disable", _disable, "end all sessions, and let the user in no more"))
    on_user(add(users, "enable", _enable, "let a disabled user in again"))
    on_user(add(users, "reset-factor", _reset_factor, "remove a second factor that its user has lost"))
    delete = on_user(add(users, "delete", _delete, "delete an account for good"))
    delete.add_argument("--yes", action="store_true", help="without this nothing is deleted")

    devices = group(commands, "devices", "the devices of a user")
    on_user(add(devices, "list", _list_devices, "show a user's devices"))
    sessions = group(commands, "sessions", "the sessions of a user")
    on_user(add(sessions, "list", _list_sessions, "show a user's sessions"))
    end = add(sessions, "end", _end, "end one session, or all of a user")
    which = end.add_mutually_exclusive_group(required=True)
    which.add_argument("session_id", nargs="?", type=_uuid)
    which.add_argument("--user", metavar="USER")
    limited(add(commands, "audit", _audit, "show what administrators did, latest first"))


# keys and invites


async def _list_keys(store: AdminStore, _tell: Tell, _chosen: argparse.Namespace, _: Settings) -> None:
    table(("KID", "MADE", "SIGNS FROM", "VERIFIES UNTIL", "STATE"), await store.signing_keys.listed())


async def _rotate(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, settings: Settings) -> None:
    seal = Seal(settings.auth.signing_secret)
    kid, sealed = await store.signing_keys.signing_key()
    seal.open(sealed, kid)  # or the services could not open what this one seals
    key = new_key(seal)
    active_at = await store.signing_keys.rotate(key, chosen.announce, settings.auth.access_token, store.audit)
    if active_at is None:
        raise StartError("a new key is announced already; wait until it signs")
    say(f"new key {key.kid} signs from {text(active_at)}")


async def _make_invite(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    invite = secrets.token_urlsafe(24)
    await store.invites.add(sha256(invite.encode("ascii")).digest(), chosen.uses, chosen.days * DAY)
    say(invite)


async def _list_invites(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    table(("ID", "USES LEFT", "MADE", "EXPIRES", "STATE"), await store.invites.latest(chosen.limit))


async def _revoke(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    if not await store.invites.revoke(chosen.id):
        raise StartError(f"there is no invite {chosen.id}")
    say(f"invite {chosen.id} is revoked")


# users


async def _list_users(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    found = await store.users(chosen.after, chosen.limit)
    rows = [
        (one.username, one.user_id, one.state, one.devices, one.sessions, one.last_seen_at) for one in found
    ]
    table(("NAME", "ID", "STATE", "DEVICES", "SESSIONS", "LAST SEEN"), rows)


async def _show_user(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await user_of(store, chosen.user)
    for name in KnownUser.__slots__:
        say(f"{name:14} {text(getattr(user, name))}")


async def _disable(store: AdminStore, tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await user_of(store, chosen.user)
    events = await store.disable(user.user_id)
    if events is None:
        raise StartError(f"{user.username} is {user.state} already")
    tell(events)
    say(f"{user.username} is disabled; sessions ended: {len(events)}")


async def _enable(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await user_of(store, chosen.user)
    if not await store.enable(user.user_id):
        raise StartError(f"{user.username} is {user.state}")
    say(f"{user.username} is enabled")


async def _reset_factor(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await user_of(store, chosen.user)
    if not await store.reset_factor(user.user_id):
        raise StartError(f"{user.username} has no second factor")
    say(f"{user.username} logs in by the password alone")


async def _delete(store: AdminStore, tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await user_of(store, chosen.user)
    if not chosen.yes:
        raise StartError(f"{user.username} was not deleted: this can't be undone; say --yes")
    events = await store.delete(user.user_id)
    if events is None:
        raise StartError(f"{user.username} is deleted already")
    tell(events)
    say(f"{user.username} is deleted; the name stays taken")


# devices, sessions, audit


async def _list_devices(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await user_of(store, chosen.user)
    table(("ID", "NAME", "MADE", "LAST SEEN"), await store.devices(user.user_id))


async def _list_sessions(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    user = await user_of(store, chosen.user)
    heads = ("ID", "DEVICE", "LOGGED IN", "REFRESHED", "EXPIRES", "ENDED", "WHY")
    table(heads, await store.sessions(user.user_id))


async def _end(store: AdminStore, tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    if chosen.session_id is not None:
        events = await store.end_session(chosen.session_id)
        if events is None:
            raise StartError(f"there is no live session {chosen.session_id}")
    else:
        user = await user_of(store, chosen.user)
        events = await store.end_sessions(user.user_id)
        if events is None:
            raise StartError(f"{user.username} is {user.state}")
    tell(events)
    say(f"sessions ended: {len(events)}")


async def _audit(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, _: Settings) -> None:
    table(("WHEN", "WHO", "WHAT", "ON"), await store.audit.latest(chosen.limit))


def _uuid(given: str) -> str:
    found = uuid_text(given)
    if found is None:
        raise argparse.ArgumentTypeError(f"{given!r} is no id")
    return found


def _invite_id(given: str) -> str:
    if not _INVITE_ID.fullmatch(given):
        raise argparse.ArgumentTypeError(f"{given!r} is no invite's id: see `invites list`")
    return given
