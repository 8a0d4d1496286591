"""What a device may subscribe with."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from messenger.messages.domain.push import Push, Subscriber, push_server
from messenger.messages.push.addresses import Permitted
from messenger.wire.codec import Binary
from messenger.wire.errors import Code, Problem
from messenger.wire.push import PushTarget

POINT = (
    generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
ME = Subscriber("user", "device", "session")


class Store:
    """Keeps what was put."""

    def __init__(self) -> None:
        self.put_there: PushTarget | None = None

    async def put(self, subscriber: Subscriber, target: PushTarget, most: int) -> bool:
        self.put_there = target
        return most > 0

    async def endpoint(self, device_id: str) -> str | None:
        return None if self.put_there is None else self.put_there.endpoint

    async def delete(self, device_id: str) -> None:
        self.put_there = None


def run(coroutine: Any) -> Any:
    """What a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def target(
    endpoint: str = "https://push.example/x", p256dh: bytes = POINT, auth: bytes = bytes(16)
) -> PushTarget:
    return PushTarget(endpoint=endpoint, p256dh=Binary(p256dh), auth=Binary(auth))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://push.example", "https://push.example"),
        ("https://push.example/a/b?c=d&e", "https://push.example"),
        ("https://PUSH.example:443/x", "https://push.example"),
        ("https://push.example:8443/x", "https://push.example:8443"),
        ("https://1.1.1.1/x", "https://1.1.1.1"),
        ("https://[2606:4700:4700::1111]:8443/x", "https://[2606:4700:4700::1111]:8443"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
    ],
)
def test_good_endpoints(url: str, origin: str) -> None:
    assert push_server(url).origin == origin
    store = Store()
    run(Push(store, b"key", Permitted(), 10).subscribe(ME, target(url)))
    assert store.put_there is not None
    assert run(Push(store, b"key", Permitted(), 10).state("device")).endpoint == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://push.example/x",
        "ftp://push.example/x",
        "file:///etc/passwd",
        "https:///x",
        "https://",
        "HTTPS://push.example/x",
        "https://user@push.example/x",
        "https://user:password@push.example/x",
        "https://@push.example/x",
        "https://push.example/x#y",
        "https://push.example/ x",
        "https://push.example/\r\nHost: other",
        "https://push.example\\@other.example/",
        "https://bücher.example/",
        "https://push.example:0/",
        "https://push.example:65536/",
        "https://push.example:port/",
        "https://push..example/",
        "https://-push.example/",
        "https://push_.example/",
        "https://push.example./",
        "https://" + "a" * 64 + ".example/",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f.0.0.1/x",
        "https://0177.0.0.1/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[fe80::1%eth0]/x",
        "https://10.0.0.1:8443/",
    ],
)
def test_bad_endpoints(url: str) -> None:
    store = Store()
    with pytest.raises(Problem) as raised:
        run(Push(store, b"key", Permitted(), 10).subscribe(ME, target(url)))
    assert raised.value.code is Code.unprocessable
    assert store.put_there is None


@pytest.mark.parametrize(
    "bad",
    [
        {"p256dh": b""},
        {"p256dh": POINT[:64]},
        {"p256dh": bytes([2]) + POINT[1:33]},
        {"p256dh": bytes([5]) + POINT[1:]},
        {"p256dh": POINT[:-1] + bytes([POINT[-1] ^ 1])},
        {"p256dh": bytes([4]) + bytes(64)},
        {"auth": b""},
        {"auth": bytes(15)},
        {"auth": bytes(17)},
    ],
)
def test_bad_keys(bad: dict[str, bytes]) -> None:
    store = Store()
    with pytest.raises(Problem) as raised:
        run(Push(store, b"key", Permitted(), 10).subscribe(ME, target(**bad)))
    assert raised.value.code is Code.unprocessable


def test_a_user_has_so_many_devices_that_are_woken() -> None:
    with pytest.raises(Problem) as raised:
        run(Push(Store(), b"key", Permitted(), 0).subscribe(ME, target()))
    assert raised.value.code is Code.unprocessable
    assert raised.value.members == {"limit": "push_targets", "most": 0}


def test_a_server_without_a_key_says_so() -> None:
    rules = Push(Store(), None, Permitted(), 10)
    assert run(rules.state("device")).vapid_key is None
    with pytest.raises(Problem) as raised:
        run(rules.subscribe(ME, target()))
    assert raised.value.code is Code.unprocessable
    run(rules.unsubscribe("device"))
