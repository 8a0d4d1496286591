"""Forged tokens are refused by every service and at the WebSocket.

The forger has more than any real one: the system's own signing key, so that what is wrong with a token is
exactly what its name says. tests/core/test_tokens.py has more forgeries, without the sockets.
"""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256, sha512
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from messenger.auth.signing import Seal
from tests.system.people import TRUST, Person
from tests.system.stack import Stack

pytestmark = pytest.mark.system

PATHS = ("/auth/me", "/conversations", "/keys/status", "/files/0192f3c0-1111-7111-8111-111111111111/info")
Sign = Callable[[bytes], bytes]


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(header: Any, claims: Any, sign: Sign) -> str:
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{part(sign(text.encode()))}"


def signing_key(stack: Stack, kid: str) -> Ed25519PrivateKey:
    """The private key itself, as only PostgreSQL's superuser with the signing secret can have it."""
    found = stack.admin_environment
    connection = stack.database()
    with connection, connection.cursor() as cursor:
        cursor.execute("select private_key from auth.signing_keys where kid = %s", (kid,))
        row = cursor.fetchone()
    connection.close()
    assert row is not None
    raw = Seal(found["MESSENGER_AUTH__SIGNING_SECRET"]).open(bytes(row[0]), kid)
    return Ed25519PrivateKey.from_private_bytes(raw)


def forgeries(person: Person, key: Ed25519PrivateKey) -> dict[str, str]:
    """Tokens by what is wrong with them."""
    good = person.token
    header = jwt.get_unverified_header(good)
    claims = jwt.decode(good, options={"verify_signature": False})
    head, body, signature = good.split(".")
    theirs, now = Ed25519PrivateKey.generate(), int(time.time())
    public = key.public_key().public_bytes_raw()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    their_jwk = {"kty": "OKP", "crv": "Ed25519", "x": part(theirs.public_key().public_bytes_raw())}
    found: dict[str, str] = {}

    def claim(name: str, **changes: Any) -> None:
        changed = {key_: value for key_, value in {**claims, **changes}.items() if value is not ...}
        found[name] = token(header, changed, key.sign)

    def heads(name: str, sign: Sign = theirs.sign, **changes: Any) -> None:
        changed = {key_: value for key_, value in {**header, **changes}.items() if value is not ...}
        found[name] = token(changed, claims, sign)

    for alg in ("none", "None", "NONE", "nOnE", "none ", "", None, 0, [], {}, True):
        heads(f"alg {alg!r}, no signature", lambda _: b"", alg=alg)
        heads(f"alg {alg!r}, a good signature", key.sign, alg=alg)
    for name, secret in (("raw", public), ("PEM", pem), ("base64", part(public).encode()), ("no", b"")):
        heads(f"HS256, {name} key", lambda text, k=secret: hmac.new(k, text, sha256).digest(), alg="HS256")
        heads(f"HS512, {name} key", lambda text, k=secret: hmac.new(k, text, sha512).digest(), alg="HS512")
    heads("alg left out", key.sign, alg=...)
    heads("another alg's name", key.sign, alg="ES256")
    heads("alg in lower case", key.sign, alg="eddsa")
    heads("another's key")
    heads("kid left out", key.sign, kid=...)
    for kid in (
        None,
        "",
        7,
        [header["kid"]],
        "../../dev/null",
        "x' or '1'='1",
        header["kid"] + "\0",
        "k" * 900,
    ):
        heads(f"kid {str(kid)[:20]!r}", kid=kid)
    heads("jwk", jwk=their_jwk)
    heads("jwk and no kid", jwk=their_jwk, kid=...)
    heads("jku", jku="http://127.0.0.1:9/jwks.json")
    heads("x5u", x5u="http://127.0.0.1:9/cert.pem")
    heads("x5c", x5c=["AAAA"])
    heads("crit", key.sign, crit=["exp"])
    heads("crit with a name of its own", key.sign, crit=["http://x.example"], **{"http://x.example": True})
    heads("crit, empty", key.sign, crit=[])
    for bad in ([], "text", 7, None, b"\xff\xfe", b"{", b""):
        found[f"header {bad!r}"] = token(bad, claims, key.sign)
        found[f"claims {bad!r}"] = token(header, bad, key.sign)
    claim("another issuer", iss="another")
    claim("issuers", iss=["secure-messenger"])
    claim("another audience", aud="another")
    claim("no audience", aud=...)
    claim("audiences without ours", aud=["a", "b"])
    claim("issued in the future", iat=now + 600)
    claim("not yet valid", nbf=now + 600)
    for name in ("iss", "sub", "did", "sid", "auth_time", "iat", "exp", "jti"):
        claim(f"no {name}", **{name: ...})
    for number in (-1, 1e400, 2**64, 2**63, "9999999999", 1.5, None, True, [now + 600]):
        claim(f"exp {number!r}", exp=number)
    claim("sub is no id", sub="' or 1=1")
    claim("sub is another kind", sub=7)
    claim("sid is no id", sid="x")
    found["signature cut"] = good[:-2]
    found["signature of another"] = f"{head}.{part({**claims, 'sub': claims['did']})}.{signature}"
    found["signature empty"] = f"{head}.{body}."
    found["signature left out"] = f"{head}.{body}"
    found["four parts"] = good + ".x"
    found["padded"] = good + "="
    found["reversed"] = good[::-1]
    found["a refresh token"] = person.session["refresh_token"]
    found["a ticket"] = person.ok("POST", "/auth/ticket")["ticket"]
    found["12 kB"] = "a" * 12_000
    found["12 kB, signed"] = token(header, {**claims, "jti": "j" * 9_000}, key.sign)
    found["a user's id"] = person.user_id
    return found


def test_forged_tokens_are_refused_everywhere(apart: Stack) -> None:
    person = Person(apart.url)
    kid = jwt.get_unverified_header(person.token)["kid"]
    key = signing_key(apart, kid)
    forged = forgeries(person, key)
    assert len(forged) >= 60
    claims = jwt.decode(person.token, options={"verify_signature": False})
    resigned = token(jwt.get_unverified_header(person.token), {**claims, "jti": "mine"}, key.sign)
    expired = token(jwt.get_unverified_header(person.token), {**claims, "exp": 1_000_000_000}, key.sign)

    def refused_at(path: str) -> None:
        with httpx.Client(base_url=f"{apart.url}/api/v1", timeout=30, verify=TRUST) as http:

            def get(text: str) -> tuple[int, str]:
                answer = http.get(path, headers={"Authorization": f"Bearer {text}"})
                return answer.status_code, answer.json().get("code", "") if answer.content else ""

            # Who has the key needs no forgery: this is what makes the others worth something.
            assert get(resigned)[0] in (200, 404)
            assert get(expired) == (401, "token_expired")
            for name, text in forged.items():
                assert get(text) == (401, "unauthorized"), (path, name)

    def refused_in_header() -> None:
        for name, text in {**forged, "expired": expired}.items():
            assert upgrade(apart, {"Authorization": f"Bearer {text}"}) == 401, name

    def refused_as_ticket() -> None:
        for name, text in {**forged, "expired": expired}.items():
            if name != "a ticket":
                query = f"?ticket={httpx.QueryParams({'t': text})['t'][:400]}"
                assert upgrade(apart, {}, query) in (400, 401), name

    # A refused connection rests a moment before its next call: all places side by side.
    with ThreadPoolExecutor() as pool:
        places = [pool.submit(refused_at, path) for path in PATHS]
        places += [pool.submit(refused_in_header), pool.submit(refused_as_ticket)]
    for place in places:
        place.result()
    assert upgrade(apart, {"Authorization": f"Bearer {resigned}"}) == 101
    assert upgrade(apart, {}, f"?token={resigned}") == 401  # never in the URL


def test_a_token_of_a_megabyte(apart: Stack) -> None:
    for url in (apart.url, *(apart.service_url(name) for name in ("auth", "message", "file", "key"))):
        try:
            answer = httpx.get(
                f"{url}/api/v1/auth/me", headers={"Authorization": "Bearer " + "a" * 1_000_000}, timeout=30
            )
            assert answer.status_code in (400, 401, 404, 431), answer.status_code
        except httpx.TransportError:
            continue  # closed on us, which will do
    assert Person(apart.url).http.get("/auth/me").status_code == 200


def upgrade(stack: Stack, headers: dict[str, str], query: str = "") -> int:
    """The status that an upgrade is answered with."""
    try:
        with connect(
            stack.url.replace("http", "ws", 1) + "/ws" + query, additional_headers=headers, open_timeout=20
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code
