"""Payloads, padding, and all bodies."""

import base64
from collections.abc import Iterator
from typing import Any

from tests.client.scenarios.cast import CONVERSATION, SENT_AT, an_id, compact
from tests.client.scenarios.script import Script

LEFT_OUT = object()
KEY, SHORT, ID = (base64.b64encode(bytes(range(size))).decode() for size in (32, 31, 16))
MESSAGE = {"device_id": an_id("device bob"), "client_id": an_id("message")}
MEMBER = {"user_id": an_id("bob"), "account_key": KEY, "role": "member"}
FILE = {
    "file_id": an_id("file"),
    "key": KEY,
    "sha256": KEY,
    "size": 5,
    "name": "a.txt",
    "media_type": "text/plain",
}
BODIES: dict[str, dict[str, Any]] = {
    "text": {"text": "hello"},
    "file": {"file": FILE},
    "reaction": {"message": MESSAGE, "emoji": "👍"},
    "edit": {"message": MESSAGE, "text": "hello!"},
    "delete": {"message": MESSAGE},
    "timer": {"expires_in": 3_600},
    "sender_key": {"chain_id": ID, "iteration": 0, "chain_key": KEY, "signature_key": KEY, "number": 1},
    "start": {"number": 1},
    "roster": {"version": 1, "members": [MEMBER]},
    "roster_change": {"version": 2, "previous": KEY, "put": [MEMBER], "remove": [an_id("carol")]},
    "roster_request": {"version": 0},
    "resend_request": {"client_id": an_id("message")},
    "resent": {"payload": KEY},
    "account_grant": {"seed": KEY, "proof": KEY},
    "metadata_key": {"key": KEY},
    "verified": {"user_id": an_id("bob"), "account_key": KEY},
    "read_mark": {"conversation_id": CONVERSATION, "message": MESSAGE},
    "mute": {"conversation_id": CONVERSATION, "until": SENT_AT},
    "archive": {"conversation_id": CONVERSATION, "archived": True},
    "pin": {"conversation_id": CONVERSATION, "pinned": False},
    "note": {"conversation_id": CONVERSATION, "text": "call back"},
}


def stories() -> Iterator[Script]:
    yield bodies()
    yield bounds()
    yield payloads()
    yield padding()


def changed(of: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**of, **change}.items() if value is not LEFT_OUT}


def bodies() -> Script:
    s = Script("bodies", "Each body, without each of its members, and with each of another form.")
    for kind, members in BODIES.items():
        whole = {"type": kind, **members}
        s.do("body", body=compact(whole))
        s.do("body", "a member more", body=compact({**whole, "more": 1}))
        for name in members:
            for value in (LEFT_OUT, [1], {}, -1):
                _tried(s, changed(whole, {name: value}))
    _tried(s, {"type": "hologram", "x": 1}, "passed over")
    for bad in (
        "",
        "[]",
        "1",
        "null",
        '{"text":"x"}',
        '{"type":1}',
        '{"type":"text","text":"x"',
        "{'type':'text'}",
    ):
        s.refused("Malformed", "body", "no body", body=bad)
    return s


def _tried(s: Script, body: dict[str, Any], note: str = "") -> None:
    _, error = s.attempt("body", body=compact(body))
    assert error in (None, "Malformed"), note


def bounds() -> Script:
    s = Script("bounds of bodies", "The largest that is taken of each, and the smallest that is not.")

    def taken(kind: str, **change: Any) -> None:
        s.do("body", body=compact(changed({"type": kind, **BODIES[kind]}, change)))

    def not_taken(kind: str, **change: Any) -> None:
        s.refused("Malformed", "body", body=compact(changed({"type": kind, **BODIES[kind]}, change)))

    def both(kind: str, name: str, last: Any, beyond: Any) -> None:
        taken(kind, **{name: last})
        not_taken(kind, **{name: beyond})

    def binary(size: int) -> str:
        return base64.b64encode(bytes(size)).decode()

    taken("text", text="", reply_to=MESSAGE, mentions=[an_id("bob")])
    taken("text", reply_to=None, mentions=None)
    taken("text", reply_to=an_id("message"))
    not_taken("text", reply_to={"client_id": an_id("message")})
    both("text", "mentions", ["x"] * 100, ["x"] * 101)
    extras = {
        "text": "look",
        "thumbnail": KEY,
        "duration": 1,
        "waveform": [0, 255],
        "width": 1,
        "height": 65_535,
    }
    taken("file", **extras, reply_to=MESSAGE)
    taken("file", **dict.fromkeys(extras, None) | {"text": ""}, reply_to=None)
    not_taken("file", text=None)
    not_taken("file", reply_to="x")
    both("file", "thumbnail", binary(16_384), binary(16_385))
    both("file", "duration", 2**32 - 1, 2**32)
    both("file", "waveform", [7] * 256, [7] * 257)
    not_taken("file", waveform=[256])
    both("file", "width", 65_535, 65_536)
    both("file", "height", 1, 0)
    for name, last, beyond in (
        ("size", 2**47, 2**47 + 1),
        ("name", "é" * 1_024, "é" * 1_025),
        ("media_type", "x" * 255, "x" * 256),
        ("key", KEY, SHORT),
        ("sha256", KEY, SHORT),
    ):
        both("file", "file", {**FILE, name: last}, {**FILE, name: beyond})
    both("reaction", "emoji", "", "x" * 65)
    both("timer", "expires_in", 31_536_000, 31_536_001)
    both("timer", "expires_in", None, 0)
    both("sender_key", "chain_id", ID, KEY)
    both("sender_key", "iteration", 2**32 - 1, 2**32)
    both("sender_key", "chain_key", KEY, SHORT)
    both("sender_key", "number", 1, 0)
    both("sender_key", "number", 2**53 - 1, 2**53)
    both("start", "number", 2**53 - 1, 2**53)
    both("roster", "version", 1, 0)
    both("roster", "members", [], [{**MEMBER, "role": "king"}])
    both("roster", "members", [MEMBER, MEMBER], [{**MEMBER, "account_key": ""}])
    taken("roster_change", put=LEFT_OUT, remove=LEFT_OUT)
    taken("roster_change", put=[], remove=[])
    not_taken("roster_change", put=None)
    both("roster_change", "version", 2**53 - 1, 2**53)
    both("roster_request", "version", 2**53 - 1, 2**53)
    both("resent", "payload", "", "*")
    both("mute", "until", None, 5)
    both("archive", "archived", False, 0)
    both("note", "text", "", "x" * 16_385)
    return s


def payloads() -> Script:
    s = Script("payloads", "What a payload must have, and what it may.")
    whole = {
        "conversation_id": CONVERSATION,
        "sender_id": an_id("alice"),
        "sender_device_id": an_id("device alice"),
        "client_id": an_id("message"),
        "kind": "text",
        "number": 1,
        "sent_at": SENT_AT,
        "body": {"type": "text", "text": "hello"},
    }
    s.do("payload", payload=compact(whole))
    seen = {"from": 1, "seq": 3, "digest": KEY}
    more = {"list_version": 3, "roster": {"version": 2, "digest": KEY}, "seen": seen, "expires_in": 60}
    s.do("payload", "all of it", payload=compact({**whole, **more}))
    s.do("payload", "in other words", payload=compact({**whole, "list_version": 0, "seen": None, "x": 1}))
    s.do("payload", "a body is judged by itself", payload=compact({**whole, "body": 5}))
    for name in whole:
        without = {one: value for one, value in whole.items() if one != name}
        s.refused("Malformed", "payload", "one is missing", payload=compact(without))
        if name != "body":
            s.refused("Malformed", "payload", "another form", payload=compact({**whole, name: [name]}))
    for name, last, beyond in (
        ("number", 0, -1),
        ("number", 2**53 - 1, 2**53),
        ("list_version", 2**53 - 1, 2**53),
        ("list_version", 1, None),
        ("roster", None, {"version": 0, "digest": KEY}),
        ("seen", seen, {**seen, "digest": SHORT}),
        ("seen", {**seen, "from": 2**53 - 1}, {**seen, "from": 0}),
        ("expires_in", 31_536_000, 31_536_001),
        ("expires_in", None, 0),
    ):
        s.do("payload", payload=compact({**whole, name: last}))
        s.refused("Malformed", "payload", payload=compact({**whole, name: beyond}))
    for bad in ("", "hello", "[]", compact(whole)[:-1]):
        s.refused("Malformed", "payload", "no JSON object", payload=bad)
    spelled = compact(whole)
    for note, was, bad in (
        ("a whole number is written in digits", '"number":1', '"number":1.0'),
        ("a whole number is written in digits", '"number":1', '"number":1e0'),
        ("not JSON's", '"number":1', '"number":01'),
        ("not JSON's", '"number":1', '"number":+1'),
        ("not JSON's", '"number":1', '"number":NaN'),
        ("rounded it would do", '"number":1', '"number":9007199254740991.4'),
        ("a lone surrogate", '"hello"', '"\\ud83d"'),
        ("a lone surrogate in what is passed over", '"number":1', '"number":1,"x":["\\udc00"]'),
        ("a control character", '"hello"', '"\n"'),
        ("an escape that is none", '"hello"', '"\\x41"'),
        ("a comma at the end", '"number":1', '"number":1,"x":[1,]'),
        ("after the end", '"hello"}}', '"hello"}}}'),
        ("a mark before it", '{"conversation_id"', '\ufeff{"conversation_id"'),
    ):
        s.refused("Malformed", "payload", note, payload=spelled.replace(was, bad, 1))
    for note, was, good in (
        ("zero", '"number":1', '"number":-0'),
        ("said twice, the last counts", '"number":1', '"number":1,"number":2'),
        ("a name in escapes", '"number":1', '"n\\u0075mber":3'),
        ("spaces", '{"conversation_id":', ' {\t"conversation_id"\r\n: '),
        ("a pair of surrogates", '"hello"', '"\\ud83d\\ude42 \\u0000 \\/"'),
        ("passed over", '"number":1', '"number":1,"x":[1e400,1.5,{"":null}],"__proto__":{"kind":1}'),
    ):
        s.do("payload", note, payload=spelled.replace(was, good, 1))
    return s


def padding() -> Script:
    s = Script("padding", "One byte 0x80, then zeros.")
    for size in (0, 1, 254, 255, 256, 2_046, 2_047, 2_303):
        made = s.do("pad", payload={"bytes": "61", "times": size})
        s.do("unpad", padded=made["padded"])
    s.refused("PayloadTooLarge", "pad", payload={"bytes": "61", "times": 61_440})
    for note, padded in (
        ("nothing", ""),
        ("zeros", "00" * 256),
        ("no mark", "61" * 256),
        ("not zeros", "618001"),
    ):
        s.refused("Malformed", "unpad", note, padded=padded)
    s.do("unpad", "of any length; the last mark counts", padded="61808000")
    return s
