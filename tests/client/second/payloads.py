"""Payloads and bodies: what they must have, and what is made of them."""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any, NoReturn

from tests.client.second.basics import Given, Refused, padded, raw, unpadded

Check = Callable[[Any], Any]
BIG = 2**53
LEFT_OUT: dict[str, tuple[Any, ...]] = {"list_version": (0,), "text": ("",), "put": ([],), "remove": ([],)}


def malformed() -> NoReturn:
    raise Refused("Malformed")


def text(most: int | None = None) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or (most is not None and len(value) > most):
            malformed()
        return value

    return check


def number(least: int, below: int) -> Check:
    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < below:
            malformed()
        return value

    return check


def binary(least: int, most: int) -> Check:
    def check(value: Any) -> Any:
        try:
            size = len(base64.b64decode(text()(value), validate=True))
        except binascii.Error:
            malformed()
        return value if least <= size <= most else malformed()

    return check


def truth(value: Any) -> Any:
    return value if isinstance(value, bool) else malformed()


def one_of(*values: str) -> Check:
    return lambda value: value if isinstance(value, str) and value in values else malformed()


def many(check: Check, most: int) -> Check:
    def all_of(value: Any) -> Any:
        if not isinstance(value, list) or len(value) > most:
            malformed()
        return [check(one) for one in value]

    return all_of


def or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def members(**checks: Check) -> Check:
    """An object; a name that ends in `_` may be left out, and is where it says nothing."""

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            malformed()
        found = {}
        for spelled, judge in checks.items():
            name = spelled.removesuffix("_")
            if name in value:
                taken = judge(value[name])
                if name == spelled or taken not in LEFT_OUT.get(name, (None,)):
                    found[name] = taken
            elif name == spelled:
                malformed()
        return found

    return check


KEY = binary(32, 32)
VERSION = number(1, BIG)
REFERENCE = members(device_id=text(), client_id=text())
FILE = members(
    file_id=text(),
    key=KEY,
    sha256=KEY,
    size=number(0, 2**47 + 1),
    name=text(1024),
    media_type=text(255),
)
MEMBERS = many(members(user_id=text(), account_key=KEY, role=one_of("owner", "admin", "member")), 1_000)
PIXELS = or_null(number(1, 65_536))


def _reply(value: Any) -> Any:
    return value if isinstance(value, str) else REFERENCE(value)


BODIES: dict[str, Check] = {
    "text": members(text=text(), reply_to_=or_null(_reply), mentions_=or_null(many(text(), 100))),
    "file": members(
        file=FILE,
        text_=text(),
        thumbnail_=or_null(binary(0, 16_384)),
        duration_=or_null(number(0, 2**32)),
        waveform_=or_null(many(number(0, 256), 256)),
        width_=PIXELS,
        height_=PIXELS,
        reply_to_=or_null(REFERENCE),
    ),
    "reaction": members(message=REFERENCE, emoji=text(64)),
    "edit": members(message=REFERENCE, text=text()),
    "delete": members(message=REFERENCE),
    "timer": members(expires_in=or_null(number(1, 31_536_001))),
    "sender_key": members(
        chain_id=binary(16, 16),
        iteration=number(0, 2**32),
        chain_key=KEY,
        signature_key=KEY,
        number=VERSION,
    ),
    "start": members(number=VERSION),
    "roster": members(version=VERSION, members=MEMBERS),
    "roster_change": members(version=VERSION, previous=KEY, put_=MEMBERS, remove_=many(text(), 1_000)),
    "roster_request": members(version=number(0, BIG)),
    "resend_request": members(client_id=text()),
    "resent": members(payload=binary(0, BIG)),
    "account_grant": members(seed=KEY, proof=KEY),
    "metadata_key": members(key=KEY),
    "verified": members(user_id=text(), account_key=KEY),
    "read_mark": members(conversation_id=text(), message=REFERENCE),
    "mute": members(conversation_id=text(), until=or_null(text())),
    "archive": members(conversation_id=text(), archived=truth),
    "pin": members(conversation_id=text(), pinned=truth),
    "note": members(conversation_id=text(), text=text(16_384)),
}
PAYLOAD = members(
    conversation_id=text(),
    sender_id=text(),
    sender_device_id=text(),
    client_id=text(),
    kind=text(),
    number=number(0, BIG),
    sent_at=text(),
    list_version_=number(0, BIG),
    roster_=or_null(members(version=VERSION, digest=KEY)),
    seen_=or_null(members(**{"from": VERSION}, seq=VERSION, digest=KEY)),
    expires_in_=or_null(number(1, 31_536_001)),
    body=lambda value: value,
)


def parsed(text_: bytes) -> Any:
    try:
        found = json.loads(text_.decode(), parse_constant=lambda _: malformed())
        json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate is no Unicode
        return found
    except (ValueError, RecursionError):
        malformed()


def read_payload(plaintext: bytes) -> Given:
    found: Given = PAYLOAD(parsed(plaintext))
    return found


def read_body(body: Any) -> Given:
    """The body in short, with its type; of a type that is not known, the type."""
    kind = text()(members(type=text())(body)["type"])
    return {"type": kind, **BODIES[kind](body)} if kind in BODIES else {"type": kind}


def check_said(payload: Given, said: Given) -> None:
    """What the payload repeats is what the server said."""
    if payload["conversation_id"] != said["conversation_id"]:
        raise Refused("ConversationMismatch")
    if payload["sender_device_id"] != said["sender_device_id"]:
        raise Refused("SenderMismatch")
    if said["sender_id"] is not None and payload["sender_id"] != said["sender_id"]:
        raise Refused("SenderMismatch")
    if payload["client_id"] != said["client_id"]:
        raise Refused("ClientIdMismatch")
    if payload["kind"] != said["kind"]:
        raise Refused("KindMismatch")


class Payloads:
    """Verbs of payloads."""

    def do_pad(self, payload: str) -> Given:
        return {"padded": padded(raw(payload)).hex()}

    def do_unpad(self, padded: str) -> Given:
        return {"payload": unpadded(raw(padded)).hex()}

    def do_payload(self, payload: str) -> Given:
        return {"payload": read_payload(payload.encode())}

    def do_body(self, body: str) -> Given:
        return {"body": read_body(parsed(body.encode()))}
