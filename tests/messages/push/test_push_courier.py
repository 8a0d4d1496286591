"""What leaves for a push service, judged by the standards; and what its answers mean."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.error import ConnectionRefusedError as Refused

from messenger.messages.domain.push import PushServer
from messenger.messages.push.courier import MESSAGE, Answer, Courier, Result, seconds_of
from messenger.messages.push.outbound import NotPermitted
from messenger.messages.push.vapid import LIFETIME, RENEWED, Vapid
from messenger.messages.store.push import Wake
from messenger.wire.errors import unavailable
from tests.push_receiver import Device, claims_of, decrypted, point_of, url_bytes

SECRET = base64.b64encode(bytes(range(1, 33))).decode()
NOW = 1_800_000_000.0


def test_the_tests_own_decryption_is_that_of_rfc_8291() -> None:
    """Appendix A."""
    private = ec.derive_private_key(
        int.from_bytes(url_bytes("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big"), ec.SECP256R1()
    )
    body = url_bytes(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    auth = url_bytes("BTBZMqHH6r4Tts7J_aSIgg")
    assert decrypted(private, auth, body) == b"When I grow up, I want to be a watermelon"


class OutboundClient:
    """Notes what is posted."""

    def __init__(self, answer: Any = (201, {})) -> None:
        self.posted: list[tuple[str, PushServer, dict[str, str], bytes]] = []
        self._answer = answer

    async def post(self, url: str, server: PushServer, headers: dict[str, str], body: bytes) -> Any:
        self.posted.append((url, server, headers, body))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def sent(outbound: OutboundClient, device: Device, endpoint: str = "https://push.example/x") -> Answer:
    """The courier's answer."""
    courier = Courier(outbound, Vapid(SECRET, "mailto:a@b.example", lambda: NOW))
    wake = Wake("device", endpoint, point_of(device.private.public_key()), device.auth, 1, "lease", 0.0)
    sending = courier.send(wake)
    try:
        sending.send(None)
    except StopIteration as done:
        answer: Answer = done.value
        return answer
    raise AssertionError("it waits")


def test_a_wake_up_says_nothing_but_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt.api_jwt.datetime", _Clock)
    device, outbound = Device(), OutboundClient()
    assert sent(outbound, device) == (Result.sent, 0.0)
    assert sent(outbound, device) == (Result.sent, 0.0)
    (url, _, headers, body), (_, _, _, other) = outbound.posted
    assert url == "https://push.example/x"
    assert device.read(body) == device.read(other) == {"type": "wake"}
    assert decrypted(device.private, device.auth, body) == MESSAGE
    assert body != other  # another key and salt each time
    assert len(body) == len(other)
    assert headers["TTL"].isdigit()
    assert {name: headers[name] for name in ("Content-Encoding", "Urgency", "Topic")} == {
        "Content-Encoding": "aes128gcm",
        "Urgency": "high",
        "Topic": "wake",
    }
    key = Vapid(SECRET, "", lambda: NOW).public_key
    claims = claims_of(headers["Authorization"], key, "https://push.example")
    assert claims == {"aud": "https://push.example", "exp": NOW + LIFETIME, "sub": "mailto:a@b.example"}


class _Clock(datetime):
    """The time of the test, for PyJWT."""

    @classmethod
    def now(cls, tz: Any = None) -> "_Clock":
        return cls.fromtimestamp(NOW, tz)


def test_a_signature_is_made_anew_before_it_ends() -> None:
    now = [NOW]
    vapid = Vapid(SECRET, "", lambda: now[0])
    first = vapid.authorization("https://a.example")
    assert vapid.authorization("https://b.example") != first
    now[0] += LIFETIME - RENEWED
    assert vapid.authorization("https://a.example") == first
    now[0] += 1
    assert vapid.authorization("https://a.example") != first


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET.rstrip("="), SECRET.replace("+", "-").replace("/", "_"), f"{SECRET}\n"]
)
def test_a_key_in_either_alphabet(secret: str) -> None:
    assert (
        Vapid(secret, "https://example.org", lambda: NOW).public_key
        == Vapid(SECRET, "", lambda: NOW).public_key
    )


@pytest.mark.parametrize(
    ("secret", "contact"),
    [
        ("x", ""),
        ("not base64!", ""),
        (base64.b64encode(bytes(32)).decode(), ""),
        (base64.b64encode(b"\xff" * 32).decode(), ""),
        (base64.b64encode(bytes(range(31))).decode(), ""),
        (SECRET, "admin@example.org"),
    ],
)
def test_a_key_that_does_not_do(secret: str, contact: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Vapid(secret, contact, lambda: NOW)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, {}), Answer(Result.sent)),
        ((202, {}), Answer(Result.sent)),
        ((404, {}), Answer(Result.gone)),
        ((410, {}), Answer(Result.gone)),
        ((429, {"retry-after": "120"}), Answer(Result.later, 120.0)),
        ((429, {}), Answer(Result.later)),
        ((500, {}), Answer(Result.later)),
        ((503, {"retry-after": "999999999999"}), Answer(Result.later, 86_400.0)),
        ((301, {"location": "https://169.254.169.254/"}), Answer(Result.refused)),
        ((307, {"location": "https://push.example/y"}), Answer(Result.refused)),
        ((400, {}), Answer(Result.refused)),
        ((403, {}), Answer(Result.refused)),
        (NotPermitted("at 127.0.0.1"), Answer(Result.forbidden)),
        (TimeoutError(), Answer(Result.later)),
        (OSError("no such name"), Answer(Result.later)),
        (Refused(), Answer(Result.later)),
        (SSL.Error([]), Answer(Result.later)),
        (unavailable("full"), Answer(Result.later)),
        (ValueError("no name"), Answer(Result.refused)),
    ],
)
def test_what_an_answer_means(answer: Any, expected: Answer) -> None:
    assert sent(OutboundClient(answer), Device()) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        ("0", 0.0),
        ("7", 7.0),
        ("-7", 0.0),
        ("7.5", 0.0),
        ("soon", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Fri, 01 Jan 2027 00:00:00 GMT", 86_400.0),
        ("Fri, 01 Jan 2027 00:00:00", 0.0),
        ("²", 0.0),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    assert seconds_of(text, datetime(2026, 1, 1, tzinfo=UTC)) == seconds
