"""Access tokens: only what auth signed, for us, for now; and no session that has ended."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from messenger.core import tokens as module
from messenger.core.identity import Identity
from messenger.core.tokens import KEYS_SECONDS, MAX_TOKEN, Tokens
from messenger.wire.errors import Code, Problem, unavailable
from tests.core.token_world import (
    BODY,
    CLAIMS,
    DEVICE,
    GOOD,
    HEAD,
    HEADER,
    KID,
    NEXT,
    NOW,
    OTHER,
    OURS,
    SESSION,
    SIGNATURE,
    THEIRS,
    USER,
    World,
    es256,
    headed,
    hs256,
    jwk,
    part,
    pem_public,
    raw_public,
    token,
    unsigned,
)

# Each is refused as `unauthorized`, by a word for why.
FORGED: dict[str, str] = {
    # no algorithm at all, in all its spellings
    **{
        f"alg {alg!r}{' with a signature' if tail else ''}": unsigned(alg, tail)
        for alg in ("none", "None", "NONE", "nOnE", "none ", "", None, 0, [], ["EdDSA"], {"EdDSA": 1}, True)
        for tail in ("", SIGNATURE)
    },
    "alg left out": token(header=headed(alg=...)),
    # our public key as somebody's secret
    "HS256 with the raw public key": token(header=headed(alg="HS256"), sign=hs256(raw_public(OURS))),
    "HS256 with the PEM public key": token(header=headed(alg="HS256"), sign=hs256(pem_public(OURS))),
    "HS256 with the base64 public key": token(header=headed(alg="HS256"), sign=hs256(part(raw_public(OURS)))),
    "HS256 with nothing": token(header=headed(alg="HS256"), sign=hs256(b"")),
    "HS512 with the raw public key": token(header=headed(alg="HS512"), sign=hs256(raw_public(OURS))),
    "ES256": token(header=headed(alg="ES256"), sign=es256),
    "ES256 that says EdDSA": token(sign=es256),
    "RS256": token(header=headed(alg="RS256"), sign=lambda signed: b"\x01" * 256),
    "EdDSA in lower case": token(header=headed(alg="eddsa")),
    "EdDSA with a space": token(header=headed(alg="EdDSA ")),
    "Ed25519, RFC 9864's name": token(header=headed(alg="Ed25519")),
    # whose key
    "somebody's key under our kid": token(sign=THEIRS.sign),
    "kid left out": token(header=headed(kid=...)),
    "kid null": token(header=headed(kid=None)),
    "kid a number": token(header=headed(kid=1)),
    "kid a list": token(header=headed(kid=[KID])),
    "kid an object": token(header=headed(kid={"kid": KID})),
    "kid empty": token(header=headed(kid="")),
    "kid unknown": token(header=headed(kid="key-2")),
    "kid in another case": token(header=headed(kid=KID.upper())),
    "kid with a zero byte": token(header=headed(kid=KID + "\0")),
    "kid a path": token(header=headed(kid="../../../../dev/null"), sign=hs256(b"")),
    "kid SQL": token(header=headed(kid="' union select 'key-1', decode('00', 'hex') --"), sign=THEIRS.sign),
    "kid a URL": token(header=headed(kid="https://evil.example/key"), sign=THEIRS.sign),
    "kid a lone surrogate": token(header=headed(kid="\ud800")),
    "its own key as jwk": token(header=headed(jwk=jwk(THEIRS)), sign=THEIRS.sign),
    "its own key as jwk, no kid": token(header=headed(jwk=jwk(THEIRS), kid=...), sign=THEIRS.sign),
    "its own key by jku": token(header=headed(jku="https://evil.example/jwks"), sign=THEIRS.sign),
    "its own key by x5u": token(header=headed(x5u="https://evil.example/cert"), sign=THEIRS.sign),
    "its own key as x5c": token(header=headed(x5c=["MIIB"]), sign=THEIRS.sign),
    # extensions that we don't know (RFC 7515 section 4.1.11)
    "crit": token(header=headed(crit=["exp"])),
    "crit empty": token(header=headed(crit=[])),
    "crit of an unknown": token(header={**HEADER, "crit": ["x"], "x": 1}),
    "crit null": token(header=headed(crit=None)),
    "b64 false": token(header=headed(b64=False)),
    "b64 false and crit": token(header=headed(b64=False, crit=["b64"])),
    # not yet, or when?
    "iat in an hour": token(iat=NOW + 3_600),
    "iat in the next century": token(iat=NOW + 3_155_760_000),
    "nbf in an hour": token(nbf=NOW + 3_600),
    "auth_time in an hour": token(auth_time=NOW + 3_600),
    "exp infinite": token(b'{"iss":"secure-messenger","exp":1e999}'),
    "exp Infinity": token(exp=float("inf")),
    "exp NaN": token(exp=float("nan")),
    "exp huge": token(exp=10**300),
    "exp of many digits": token(json.dumps(CLAIMS).replace(str(NOW + 890), "9" * 1_500).encode()),
    "exp negative and huge": token(exp=-(10**30)),
    "exp text": token(exp=str(NOW + 890)),
    "exp a fraction": token(exp=NOW + 890.5),
    "exp true": token(exp=True),
    "exp null": token(exp=None),
    "exp a list": token(exp=[NOW + 890]),
    "iat text": token(iat="yesterday"),
    "iat false": token(iat=False),
    "nbf text": token(nbf="tomorrow"),
    "auth_time text": token(auth_time="now"),
    "auth_time infinite": token(auth_time=float("inf")),
    "auth_time null": token(auth_time=None),
    "auth_time negative": token(auth_time=-1),
    # for somebody else
    "iss of another": token(iss="evil"),
    "iss empty": token(iss=""),
    "iss in another case": token(iss="Secure-Messenger"),
    "iss a list": token(iss=["secure-messenger"]),
    "iss null": token(iss=None),
    "aud of another": token(aud="other"),
    "aud empty": token(aud=""),
    "aud empty list": token(aud=[]),
    "aud list of others": token(aud=["a", "b"]),
    "aud an object": token(aud={"messenger": 1}),
    "aud with more than us": token(aud="messenger other"),
    "aud null": token(aud=None),
    # what we need and is not there
    **{f"{name} left out": token(**{name: ...}) for name in CLAIMS},
    **{
        f"{name} {word}": token(**{name: value})
        for name in ("sub", "did", "sid")
        for word, value in {
            "no UUID": "root",
            "empty": "",
            "null": None,
            "a number": 1,
            "a list": [USER],
            "in braces": "{" + USER + "}",
            "with a line break": USER + "\n",
        }.items()
    },
    "jti a number": token(jti=1),
    # what is no token
    "claims a list": token([CLAIMS]),
    "claims text": token("claims"),
    "claims null": token(b"null"),
    "claims no JSON": token(b"{"),
    "claims no UTF-8": token(json.dumps(CLAIMS).encode().replace(b'"j"', b'"\xff"')),
    "claims nested": token(b'{"a":' * 500 + b"1" + b"}" * 500),
    "header a list": token(header=[HEADER]),
    "header null": token(header=b"null"),
    "header no JSON": token(header=b"{"),
    "header nested": token(header=b"[" * 2_000 + b"]" * 2_000),
    "header a number": token(header=b"9" * 2_000),
    "header no UTF-8": token(header=b'{"alg":"EdDSA","kid":"\xff"}'),
    "signature left out": f"{HEAD}.{BODY}.",
    "signature cut": GOOD[:-2],
    "signature of zeros": f"{HEAD}.{BODY}.{part(bytes(64)).decode()}",
    "signature longer": GOOD + "AA",
    "signature padded": GOOD + "==",
    "signature with bits to spare": GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
    "signature with a character of no alphabet": f"{HEAD}.{BODY}.{SIGNATURE[:9]}~{SIGNATURE[9:]}",
    "a fourth part": GOOD + ".",
    "signature of another body": f"{HEAD}.{part({**CLAIMS, 'sub': OTHER}).decode()}.{SIGNATURE}",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": GOOD + ".x",
    "five parts (JWE)": "a.b.c.d.e",
    "empty": "",
    "dots": "..",
    "text": "token",
    "not ASCII": GOOD + "é",
    "lone surrogate": "\ud800" + GOOD,
    "zero byte": GOOD + "\0",
    "star": GOOD[:-1] + "*",
    "huge": "a" * 1_000_000,
    "huge, signed": token(jti="j" * MAX_TOKEN),
    "many dots": "." * MAX_TOKEN,
}


@pytest.fixture
def world() -> World:
    return World().start()


def test_enough_forgeries() -> None:
    assert len(FORGED) >= 60
    assert len(set(FORGED.values())) == len(FORGED)


def test_a_good_token(world: World) -> None:
    assert world.identify(GOOD) == Identity(USER, DEVICE, SESSION, NOW - 100, NOW + 890)


@pytest.mark.parametrize("why", FORGED)
def test_a_forged_token_is_refused(world: World, why: str) -> None:
    assert world.refusal(FORGED[why]) is Code.unauthorized
    # Nor is it remembered as good, nor did it spoil anything for others.
    assert world.refusal(FORGED[why]) is Code.unauthorized
    assert world.identify(GOOD).user_id == USER


@pytest.mark.parametrize(
    "text",
    [
        token(aud=["other", "messenger"]),  # RFC 7519 section 4.1.3
        token(sub=USER.upper()),
        token(nbf=NOW - 10),
        token(later="ignored"),
        token(header=headed(typ="at+jwt", jku="https://evil.example", jwk=jwk(THEIRS))),  # not looked at
        token(iat=NOW + 2, auth_time=NOW + 2),  # clocks of two machines differ by a little
        token(nbf=NOW + 2),
    ],
)
def test_what_is_good_all_the_same(world: World, text: str) -> None:
    assert world.identify(text).user_id == USER


def test_refusals_say_nothing_about_the_token(world: World) -> None:
    with pytest.raises(Problem) as caught:
        world.identify(FORGED["iss of another"])
    assert "evil" not in str(caught.value)
    assert caught.value.__cause__ is None


# time


def test_a_token_expires_by_our_clock(world: World) -> None:
    assert world.refusal(token(exp=NOW)) is Code.token_expired
    assert world.refusal(token(exp=NOW - 1)) is Code.token_expired
    assert world.refusal(token(exp=0)) is Code.token_expired
    assert world.identify(token(exp=NOW + 1)).expires_at == NOW + 1


def test_a_remembered_token_expires_too(world: World) -> None:
    world.identify(GOOD)
    world.clock.advance(889)
    world.identify(GOOD)
    world.clock.advance(1)
    assert world.refusal(GOOD) is Code.token_expired
    assert world.refusal(GOOD) is Code.token_expired


def test_a_forged_token_is_not_told_that_it_expired(world: World) -> None:
    assert world.refusal(token(exp=NOW - 1, sign=THEIRS.sign)) is Code.unauthorized


# what is remembered


def test_a_signature_is_checked_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.identify(GOOD)
    monkeypatch.setattr(Tokens, "_verify", None)
    world.identify(GOOD)


def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 5)
    for number in range(20):
        world.identify(token(jti=str(number)))
    assert len(world.tokens._remembered) == 5
    world.identify(token(jti="0"))


def test_forgeries_take_no_memory(world: World) -> None:
    for text in FORGED.values():
        world.refusal(text)
    assert len(world.tokens._remembered) == 0


# keys


def test_a_new_key_is_found_when_its_first_token_comes(world: World) -> None:
    world.clock.advance(60)
    world.views.keys.append(("key-2", raw_public(NEXT)))
    fresh = token(header=headed(kid="key-2"), sign=NEXT.sign)
    assert world.identify(fresh).user_id == USER
    assert world.identify(GOOD).user_id == USER


def test_all_who_come_with_a_new_key_at_once_get_in(world: World) -> None:
    """One read serves them all; none is refused because another one is just asking."""
    world.clock.advance(60)
    world.views.keys.append(("key-2", raw_public(NEXT)))
    world.views.hold = held = Deferred()
    reads = world.views.key_reads
    answers: list[Any] = []
    for number in range(3):
        fresh = token(header=headed(kid="key-2"), sign=NEXT.sign, jti=str(number))
        ensureDeferred(world.tokens.identify(fresh)).addBoth(answers.append)
    held.callback(None)
    assert [type(answer) for answer in answers] == [Identity] * 3
    assert world.views.key_reads == reads + 1


def test_who_leaves_does_not_take_the_read_along(world: World) -> None:
    world.clock.advance(60)
    world.views.keys.append(("key-2", raw_public(NEXT)))
    world.views.hold = held = Deferred()
    answers: list[Any] = []
    first, second = (
        ensureDeferred(world.tokens.identify(token(header=headed(kid="key-2"), sign=NEXT.sign, jti=name)))
        for name in "ab"
    )
    first.addErrback(lambda _: None)
    second.addBoth(answers.append)
    first.cancel()
    held.callback(None)
    assert [type(answer) for answer in answers] == [Identity]


def test_unknown_keys_cost_a_read_only_now_and_then(world: World) -> None:
    reads = world.views.key_reads
    for number in range(50):
        assert world.refusal(token(header=headed(kid=f"unknown-{number}"))) is Code.unauthorized
    assert world.views.key_reads == reads  # they were read at the start, just now
    for _ in range(3):
        world.clock.advance(KEYS_SECONDS + 0.1)
        for number in range(50):
            world.refusal(token(header=headed(kid=f"unknown-{number}")))
    assert world.views.key_reads == reads + 3


def test_the_very_first_key_is_found_at_once() -> None:
    """All services start together: the others before auth has ever made a key."""
    world = World()
    world.views.keys = []
    world.start()
    assert world.refusal(GOOD) is Code.unauthorized
    world.views.keys = [(KID, raw_public(OURS))]
    assert world.identify(GOOD).user_id == USER


def test_a_key_that_can_not_be_looked_up_is_no_refusal(world: World) -> None:
    """A client that is told 401 logs its user out; with the database away nobody can tell."""
    world.clock.advance(60)
    world.views.keys.append(("key-2", raw_public(NEXT)))
    fresh = token(header=headed(kid="key-2"), sign=NEXT.sign)
    world.views.error = unavailable("The database is away.")
    assert world.refusal(fresh) is Code.unavailable
    assert world.refusal(fresh) is Code.unavailable
    assert world.identify(GOOD).user_id == USER  # known keys go on serving
    world.views.error = None
    assert world.identify(fresh).user_id == USER


def test_a_key_that_was_taken_back_is_refused(world: World) -> None:
    world.views.keys = [("key-2", raw_public(NEXT))]
    world.clock.advance(60)
    world.identify(token(header=headed(kid="key-2"), sign=NEXT.sign))
    assert world.refusal(GOOD) is Code.unauthorized
