"""`messenger-admin users create` and `users reset-password`: passwords that an administrator makes.

Clients send what they derive of a password (docs/encryption.md), and refuse a server that asks for the
password itself. So it is derived here as a client would, with a fresh salt, and how goes with the account:
any client logs in with the password that is printed. It is printed once; of it the server keeps a hash of
what is derived.

A reset gives nobody what was written before: that is under keys of the user's devices. Who logs in on a new
device waits there, as always, until a device that the user has approves it.
"""

import argparse
import sys
from secrets import choice, token_bytes
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from messenger.admin.running import Tell
from messenger.admin.shell import add, on_user, say, user_of
from messenger.auth.domain.derivations import LANES, MEMORY_KIB, PASSES, SALT_BYTES
from messenger.auth.domain.rules import checked_username
from messenger.auth.passwords import fresh_hash
from messenger.auth.store.administration import AdminStore
from messenger.core.ids import new_id
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings
from messenger.wire.auth import Kdf
from messenger.wire.codec import Binary, base64_text
from messenger.wire.passwords import MAX_PASSWORD, fault

MOST_PASSES = 16  # more is more than clients do
KEY_BYTES = 32

# Nothing that is taken for something else when it is read out, or copied by hand.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
GROUPS = 5
GROUP = 5


def add_actions(users: Any) -> None:
    """Add the parsers to those of `users`."""
    create = add(users, "create", _create, "make an account, whatever [auth] registration says")
    create.add_argument("username", metavar="NAME")
    reset = on_user(add(users, "reset-password", _reset, "set a new password, and end all sessions"))
    for parser in (create, reset):
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="take the password from the first line of standard input; else one is made and printed",
        )


def new_password() -> str:
    """A random password of 125 bits, in groups that are easy to copy."""
    return "-".join("".join(choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


def new_kdf(known: Kdf | None = None) -> Kdf:
    """How a new password is derived, with a fresh salt: today's parameters, or the stronger ones that were
    there, for a device that knows them takes no weaker ones."""
    return Kdf(
        algorithm="argon2id",
        memory_kib=max(MEMORY_KIB, known.memory_kib if known else 0),
        passes=max(PASSES, min(known.passes, MOST_PASSES) if known else 0),
        lanes=known.lanes if known else LANES,
        salt=Binary(token_bytes(SALT_BYTES)),
    )


def sent_as(password: str, kdf: Kdf) -> str:
    """The text that a client sends as the password: docs/encryption.md, "The password". Takes some tenths of
    a second."""
    argon2id = Argon2id(
        salt=bytes(kdf.salt),
        length=KEY_BYTES,
        iterations=kdf.passes,
        lanes=kdf.lanes,
        memory_cost=kdf.memory_kib,
    )
    key = argon2id.derive(password.encode("utf-8"))
    login = HKDF(SHA256(), length=KEY_BYTES, salt=None, info=b"messenger-login-1").derive(key)
    return base64_text(login)


async def _create(store: AdminStore, _tell: Tell, chosen: argparse.Namespace, settings: Settings) -> None:
    username = checked_username(chosen.username)
    given = _given(chosen, username)
    password = given or new_password()
    kdf, user_id = new_kdf(), new_id()
    if not await store.create(user_id, username, _stored(password, kdf, settings), kdf):
        raise StartError(f"the name {username} was given out before: names are given out once")
    say(f"{username} is created, with the id {user_id}")
    if given is None:
        say(f"password: {password}")
        say("It is not shown again. Its user logs in with it, and changes it with `messenger password`.")


async def _reset(store: AdminStore, tell: Tell, chosen: argparse.Namespace, settings: Settings) -> None:
    user = await user_of(store, chosen.user)
    if user.state == "deleted":
        raise StartError(f"{user.username} is deleted")
    given = _given(chosen, user.username)
    password = given or new_password()
    kdf = new_kdf(await store.derivation(user.username))
    events = await store.reset_password(user.user_id, _stored(password, kdf, settings), kdf)
    if events is None:
        raise StartError(f"{user.username} is deleted")
    tell(events)
    say(f"{user.username} has a new password; sessions ended: {len(events)}")
    if given is None:
        say(f"password: {password}")
        say("It is not shown again. Its user logs in with it, and changes it with `messenger password`.")
    say("Devices keep what they have, and log in again. On a new device nothing that was written before can")
    say("be read by this password: that needs the recovery key, or another device that is still there.")
    if user.second_factor:
        say("The second factor is asked for as before; `users reset-factor` removes it.")
    if user.state == "disabled":
        say("The account is disabled still; `users enable` lets its user in.")


def _given(chosen: argparse.Namespace, username: str) -> str | None:
    """The password from standard input, None where one is to be made; StartError for what no client takes."""
    if not chosen.password_stdin:
        return None
    raw = sys.stdin.buffer.readline(MAX_PASSWORD + 3)
    try:
        password = raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise StartError("the password is not UTF-8") from None
    wrong = fault(password, username)
    if wrong is not None:
        raise StartError(wrong)
    return password


def _stored(password: str, kdf: Kdf, settings: Settings) -> str:
    login = sent_as(password, kdf).encode("ascii")
    return fresh_hash(login, settings.auth.bcrypt_cost, settings.auth.pepper)
