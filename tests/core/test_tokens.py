"""Access tokens: only what auth signed, for us, for now; and no session that has ended."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core import tokens as module
from messenger.core.identity import Identity
from messenger.core.tokens import KEYS_SECONDS, MAX_TOKEN, Tokens
from messenger.wire.codec import encode
from messenger.wire.errors import Code, Problem, unavailable
from messenger.wire.events import SESSION_ENDED, SessionEnded

NOW = 1_800_000_000
USER = "0190b5c2-7e1a-7c3d-8f21-000000000001"
DEVICE = "0190b5c2-7e1a-7c3d-8f21-000000000002"
SESSION = "0190b5c2-7e1a-7c3d-8f21-000000000003"
OTHER = "0190b5c2-7e1a-7c3d-8f21-000000000004"
KID = "key-1"

OURS = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
NEXT = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
THEIRS = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
CURVE = generate_private_key(SECP256R1())

CLAIMS = {
    "iss": "secure-messenger",
    "aud": "messenger",
    "sub": USER,
    "did": DEVICE,
    "sid": SESSION,
    "auth_time": NOW - 100,
    "iat": NOW - 10,
    "exp": NOW + 890,
    "jti": "j",
}
HEADER = {"alg": "EdDSA", "kid": KID, "typ": "JWT"}


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def pem_public(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def part(value: Any) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=")


def token(
    claims: Any = CLAIMS, header: Any = HEADER, sign: Callable[[bytes], bytes] = OURS.sign, **changes: Any
) -> str:
    """A compact JWS (RFC 7515 section 3.1). Our own key signs, unless told otherwise."""
    if changes:
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not ...}
    signed = part(header) + b"." + part(claims)
    return (signed + b"." + part(sign(signed))).decode()


def headed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**HEADER, **changes}.items() if value is not ...}


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.new(secret, signed, sha256).digest()


def unsigned(alg: Any, tail: str = "") -> str:
    return ".".join(token(header=headed(alg=alg)).split(".")[:2]) + "." + tail


def jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": part(raw_public(key)).decode(), "kid": KID}


def es256(signed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    r, s = decode_dss_signature(CURVE.sign(signed, ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


GOOD = token()
_head, _body, _signature = GOOD.split(".")

# Each is refused as `unauthorized`, by a word for why.
FORGED: dict[str, str] = {
    # no algorithm at all, in all its spellings
    **{
        f"alg {alg!r}{' with a signature' if tail else ''}": unsigned(alg, tail)
        for alg in ("none", "None", "NONE", "nOnE", "none ", "", None, 0, [], ["EdDSA"], {"EdDSA": 1}, True)
        for tail in ("", _signature)
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
    "signature left out": f"{_head}.{_body}.",
    "signature cut": GOOD[:-2],
    "signature of zeros": f"{_head}.{_body}.{part(bytes(64)).decode()}",
    "signature longer": GOOD + "AA",
    "signature padded": GOOD + "==",
    "signature with bits to spare": GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
    "signature with a character of no alphabet": f"{_head}.{_body}.{_signature[:9]}~{_signature[9:]}",
    "a fourth part": GOOD + ".",
    "signature of another body": f"{_head}.{part({**CLAIMS, 'sub': OTHER}).decode()}.{_signature}",
    "two parts": f"{_head}.{_body}",
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


class Bus:
    """A bus that a test speaks on."""

    def __init__(self) -> None:
        self.connected = True
        self.listeners: dict[str, Callable[[str, bytes], object]] = {}
        self.gap: list[Callable[[], object]] = []

    def on(self, subject: str, listener: Callable[[str, bytes], object]) -> None:
        self.listeners[subject] = listener

    def on_gap(self, listener: Callable[[], object]) -> None:
        self.gap.append(listener)

    def ended(self, session: str) -> None:
        event = SessionEnded(session_id=session, user_id=USER, device_id=DEVICE)
        self.listeners[SESSION_ENDED](SESSION_ENDED, encode(event))


class Views:
    """The two views of auth that every service reads."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, bytes]] = [(KID, raw_public(OURS))]
        self.ended: list[tuple[str, str, str]] = []
        self.key_reads = 0
        self.ended_reads = 0
        self.error: Exception | None = None
        self.hold: Deferred[None] | None = None

    async def read(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        if "verification_keys" in sql:
            self.key_reads += 1
            found: list[Any] = self.keys
        else:
            assert "ended_sessions" in sql
            self.ended_reads += 1
            found = self.ended
        found = list(found)
        if self.hold is not None:
            await self.hold
        if self.error is not None:
            raise self.error
        return found


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = float(NOW)
        self.bus = Bus()
        self.views = Views()
        self.tokens = Tokens(
            self.clock,
            self.views,  # type: ignore[arg-type]
            self.bus,  # type: ignore[arg-type]
            issuer="secure-messenger",
            audience="messenger",
            lifetime=900,
        )
        self.heard: list[str] = []
        self.tokens.on_ended(lambda event: self.heard.append(event.session_id))

    def start(self) -> "World":
        answer: list[object] = []
        ensureDeferred(self.tokens.start()).addBoth(answer.append)
        assert answer == [None]
        return self

    def identify(self, text: str) -> Identity:
        answer: list[Any] = []
        ensureDeferred(self.tokens.identify(text)).addBoth(answer.append)
        [found] = answer
        if isinstance(found, Identity):
            return found
        raise found.value

    def refusal(self, text: str) -> Code:
        with pytest.raises(Problem) as caught:
            self.identify(text)
        return caught.value.code


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


# sessions that have ended


def test_an_ended_session_is_refused_at_once(world: World) -> None:
    world.identify(GOOD)
    world.bus.ended(SESSION)
    assert world.refusal(GOOD) is Code.unauthorized
    assert world.refusal(token(jti="another of the session")) is Code.unauthorized
    assert world.identify(token(sid=OTHER)).session_id == OTHER
    assert world.heard == [SESSION]


def test_an_end_is_told_once(world: World) -> None:
    world.bus.ended(SESSION)
    world.bus.ended(SESSION)
    assert world.heard == [SESSION]


def test_sessions_that_had_ended_before_the_start() -> None:
    world = World()
    world.views.ended = [(SESSION, USER, DEVICE)]
    world.start()
    assert world.refusal(GOOD) is Code.unauthorized


def test_an_ended_session_is_forgotten_when_its_last_token_has_expired(world: World) -> None:
    world.bus.ended(SESSION)
    world.clock.pump([1] * 899)
    assert len(world.tokens._ended) == 1
    world.clock.pump([1] * 2)
    assert len(world.tokens._ended) == 0
    assert world.refusal(GOOD) is Code.token_expired


def test_while_the_bus_is_away_the_view_is_read_each_second(world: World) -> None:
    reads = world.views.ended_reads
    world.clock.pump([1] * 5)
    assert world.views.ended_reads == reads
    world.bus.connected = False
    world.views.ended = [(SESSION, USER, DEVICE)]
    world.clock.advance(1)
    assert world.views.ended_reads == reads + 1
    assert world.refusal(GOOD) is Code.unauthorized
    world.clock.pump([1] * 3)
    assert world.views.ended_reads == reads + 4


def test_after_a_gap_the_view_is_read_once(world: World) -> None:
    reads = world.views.ended_reads
    world.bus.gap[0]()
    world.views.ended = [(SESSION, USER, DEVICE)]
    world.clock.pump([1] * 5)
    assert world.views.ended_reads == reads + 1
    assert world.heard == [SESSION]


def test_a_gap_during_the_read_makes_another(world: World) -> None:
    world.bus.gap[0]()
    world.views.hold = held = Deferred()
    world.clock.advance(1)
    world.bus.gap[0]()
    world.views.ended = [(SESSION, USER, DEVICE)]  # too late for the read that is under way
    held.callback(None)
    world.views.hold = None
    world.clock.advance(1)
    assert world.heard == [SESSION]


class PollingTests(SynchronousTestCase):
    """What fails on the way must not end the polling: sessions would live on for as long as NATS is away."""

    def setUp(self) -> None:
        self.world = World().start()
        self.world.bus.connected = False

    def test_a_database_that_is_away(self) -> None:
        self.world.views.error = unavailable("The database is away.")
        self.world.clock.pump([1] * 3)
        self.world.views.error = None
        self.world.bus.ended(SESSION)
        self.assertEqual(self.world.heard, [SESSION])

    def test_a_gap_is_not_forgotten_while_the_database_is_away(self) -> None:
        self.world.bus.connected = True
        self.world.bus.gap[0]()
        self.world.views.error = unavailable("The database is away.")
        self.world.clock.advance(1)
        self.world.views.error = None
        self.world.views.ended = [(SESSION, USER, DEVICE)]
        self.world.clock.advance(1)
        self.assertEqual(self.world.heard, [SESSION])

    def test_what_nobody_foresaw(self) -> None:
        self.world.views.error = RuntimeError("permission denied")
        self.world.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.world.views.error = None
        self.world.views.ended = [(SESSION, USER, DEVICE)]
        self.world.clock.advance(1)
        self.assertEqual(self.world.heard, [SESSION])

    def test_a_listener_that_fails_does_not_keep_the_others(self) -> None:
        later: list[str] = []

        def fail(event: SessionEnded) -> None:
            raise RuntimeError("a bug in a listener")

        self.world.tokens.on_ended(fail)
        self.world.tokens.on_ended(lambda event: later.append(event.session_id))
        self.world.views.ended = [(SESSION, USER, DEVICE), (OTHER, USER, DEVICE)]
        self.world.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual((self.world.heard, later), ([SESSION, OTHER], [SESSION, OTHER]))

    def test_stop(self) -> None:
        answer: list[object] = []
        ensureDeferred(self.world.tokens.stop()).addBoth(answer.append)
        self.assertEqual(answer, [None])
        self.assertEqual(self.world.clock.getDelayedCalls(), [])


class StartTests(SynchronousTestCase):
    def test_a_key_that_is_none_leaves_the_others(self) -> None:
        world = World()
        world.views.keys = [("short", b"\x00"), (KID, raw_public(OURS))]
        world.start()
        self.assertEqual(world.identify(GOOD).user_id, USER)

    def test_start_says_when_the_views_can_not_be_read(self) -> None:
        world = World()
        world.views.error = unavailable("The database is away.")
        self.failureResultOf(ensureDeferred(world.tokens.start()), Problem)
