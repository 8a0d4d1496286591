"""Wake-ups, by a push service that the test runs: who is woken, with what, and where nothing ever goes."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.push_receiver import Device, PushService, claims_of
from tests.system.people import Person
from tests.system.stack import Stack, running
from tests.system.waiting import until

pytestmark = pytest.mark.system

SECRET = base64.b64encode(bytes(range(1, 33))).decode()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushService]:
    found = PushService(tmp_path_factory.mktemp("push"))
    yield found
    found.stop()


def settings(service: PushService) -> dict[str, str]:
    return {
        "MESSENGER_PUSH__NETWORKS": "127.0.0.0/8,::1/128",
        "MESSENGER_PUSH__CA": str(service.ca),
        "MESSENGER_PUSH__CONTACT": "mailto:admin@example.org",
    }


@pytest.fixture(scope="module")
def waking(service: PushService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`twist messenger`, which may wake devices at the test's push service."""
    with running(Stack(Path(tmp_path_factory.mktemp("waking")), "one", settings(service))) as stack:
        yield stack


class Sleeper(Person):
    """Somebody whose device is away, and wants to be woken at a path of its own."""

    def __init__(self, stack: Stack, service: PushService) -> None:
        super().__init__(stack.url, "sleeper")
        self.service = service
        self.keys = Device()
        self.path = f"/wake/{self.device_id}"
        self.subscribe(service.origin + self.path)

    def subscribe(self, endpoint: str) -> None:
        self.ok("PUT", "/push", 204, json=self.keys.target(endpoint))

    def wakes(self, count: int) -> list[Any]:
        """What has come, once there is so much of it; AssertionError where more has come."""
        found = until(lambda: len(found := self.service.at(self.path)) >= count and found)
        assert len(found) == count
        return found


def tries(stack: Stack, result: str) -> float:
    """How many tries ended so, on all message instances."""
    names = [name for name in stack.ports if name == "message" or name.startswith("message-")]
    total = 0.0
    for name in names:
        text = httpx.get(f"http://127.0.0.1:{stack.ports[name]}/metrics", timeout=10).text
        for line in text.splitlines():
            if line.startswith(f'messenger_push_tries_total{{result="{result}"}}'):
                total += float(line.rpartition(" ")[2])
    return total


def test_a_device_that_is_away_is_woken_once(waking: Stack, service: PushService) -> None:
    alice, bob, later = Person(waking.url), Sleeper(waking, service), Sleeper(waking, service)
    name = alice.group(bob, later)
    later.ok("DELETE", "/push", 204)
    alice.send(name, b"not for the push service")
    (wake,) = bob.wakes(1)
    assert bob.keys.read(wake.body) == {"type": "wake"}
    state = bob.ok("GET", "/push")
    assert state["endpoint"] == service.origin + bob.path
    key = base64.b64decode(state["vapid_key"], validate=True)
    claims = claims_of(wake.headers["authorization"], key, service.origin)
    assert claims["sub"] == "mailto:admin@example.org"
    assert time.time() < claims["exp"] <= time.time() + 86_400
    assert int(wake.headers["ttl"]) > 0
    assert wake.headers["content-encoding"] == "aes128gcm"
    for secret in (name, alice.user_id, bob.user_id, "not for"):
        assert secret not in f"{wake.headers} {wake.body!r}"
    # It has been woken and has not come: what else comes changes nothing. The one who is woken by the last of
    # these messages shows that all of them have been looked at.
    for _ in range(20):
        alice.send(name)
    later.subscribe(service.origin + later.path)
    alice.send(name)
    later.wakes(1)
    bob.wakes(1)


def test_only_what_another_user_said_wakes(waking: Stack, service: PushService) -> None:
    alice, bob, carol = Person(waking.url), Sleeper(waking, service), Sleeper(waking, service)
    name = alice.group(bob, carol)
    other = bob.another_device()
    alice.send(name, kind="control")
    other.send(name)
    # Who is woken by that shows that all devices have been looked at.
    carol.wakes(1)
    assert service.at(bob.path) == []
    for _ in range(30):
        other.send(name)
    alice.send(name)
    for _ in range(30):
        alice.send(name, kind="control")
    bob.wakes(1)


def test_who_is_connected_or_wrote_it_is_not_woken(waking: Stack, service: PushService) -> None:
    alice, bob, carol = (Sleeper(waking, service) for _ in range(3))
    name = alice.group(bob, carol)
    with bob.socket() as socket:
        socket.until("synced")
        until(lambda: bob.ok("GET", "/push") and _seen(waking, bob))
        alice.send(name)
        socket.until("message")
        carol.wakes(1)
    assert service.at(alice.path) == []
    assert service.at(bob.path) == []


def _seen(stack: Stack, person: Person) -> bool:
    """Whether a peer in a direct conversation would see this user online: its presence is written then."""
    peer = Person(stack.url)
    person.send(person.direct(peer))
    with peer.socket() as socket:
        frames = socket.all_until("synced")
        try:
            return socket.next(1.0)["type"] == "presence" or any(one["type"] == "presence" for one in frames)
        except TimeoutError:
            return False


def test_an_endpoint_that_is_gone_is_forgotten(waking: Stack, service: PushService) -> None:
    alice, bob, carol = Person(waking.url), Sleeper(waking, service), Sleeper(waking, service)
    service.answers[bob.path] = [(410, {})]
    service.answers[carol.path] = [(404, {})]
    alice.send(alice.group(bob, carol))
    for one in (bob, carol):
        one.wakes(1)
        until(lambda: one.ok("GET", "/push")["endpoint"] is None)


def test_no_redirect_is_followed(waking: Stack, service: PushService) -> None:
    alice, before = Person(waking.url), tries(waking, "refused")
    sleepers = [Sleeper(waking, service) for _ in range(5)]
    for one, status in zip(sleepers, (301, 302, 303, 307, 308), strict=True):
        service.answers[one.path] = [(status, {"Location": f"{service.origin}/elsewhere"})]
    alice.send(alice.group(*sleepers))
    for one in sleepers:
        one.wakes(1)
    until(lambda: tries(waking, "refused") == before + 5)
    assert service.at("/elsewhere") == []


def test_the_certificate_has_to_be_the_names(waking: Stack, service: PushService) -> None:
    alice, bob, before = Person(waking.url), Sleeper(waking, service), tries(waking, "later")
    bob.subscribe(f"https://127.0.0.1:{service.port}{bob.path}")
    alice.send(alice.direct(bob))
    until(lambda: tries(waking, "later") == before + 1)
    assert service.at(bob.path) == []


def test_what_is_removed_is_not_woken(waking: Stack, service: PushService) -> None:
    alice, gone, out, stays = Person(waking.url), *(Sleeper(waking, service) for _ in range(3))
    name = alice.group(gone, out, stays)
    other = gone.another_device()
    other.ok("DELETE", f"/auth/devices/{gone.device_id}", 204)
    out.ok("POST", "/auth/logout", 204)
    alice.send(name)
    stays.wakes(1)
    assert service.at(gone.path) == service.at(out.path) == []


def test_nothing_goes_into_the_private_network_by_default(one: Stack, service: PushService) -> None:
    alice, bob, before = Person(one.url), Sleeper(one, service), tries(one, "forbidden")
    alice.send(alice.direct(bob))
    until(lambda: tries(one, "forbidden") == before + 1)
    assert service.at(bob.path) == []
    for host in (
        "127.0.0.1",
        "[::1]",
        "169.254.169.254",
        "10.0.0.1",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
    ):
        body = bob.keys.target(f"https://{host}:{service.port}/x")
        assert bob.http.put("/push", json=body).status_code == 422, host


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"endpoint": 1}, 400),
        ({"endpoint": None}, 400),
        ({"p256dh": "no base64!"}, 400),
        ({"p256dh": "AAAA"}, 422),
        ({"auth": "AAAA"}, 422),
        ({"auth": "AAA"}, 400),
        ({"endpoint": "http://push.example/x"}, 422),
        ({"endpoint": "https://push.example/" + "x" * 2_048}, 400),
    ],
)
def test_bad_input(one: Stack, wrong: dict[str, Any], status: int) -> None:
    person = _person(one)
    good = Device().target("https://push.example/x")
    answer = person.http.put("/push", json={**good, **wrong})
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert person.ok("GET", "/push")["endpoint"] is None


_people: dict[str, Person] = {}


def _person(stack: Stack) -> Person:
    return _people.setdefault(stack.url, Person(stack.url))


def test_the_calls_conventions(one: Stack) -> None:
    person = _person(one)
    good = Device().target("https://push.example/x")
    missing = person.http.put("/push", json={"endpoint": good["endpoint"]})
    assert missing.status_code == 400
    assert person.http.put("/push", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert (
        person.http.put("/push", content=b"{", headers={"Content-Type": "application/json"}).status_code
        == 400
    )
    other = person.http.post("/push", json=good)
    assert (other.status_code, other.headers["Allow"]) == (405, "DELETE, GET, HEAD, PUT")
    assert person.http.get("/push/x").status_code == 404
    for method in ("GET", "PUT", "DELETE"):
        assert httpx.request(method, f"{one.url}/api/v1/push", json=good).status_code == 401
    assert person.http.put("/push", json={**good, "unknown": 1}).status_code == 204
    assert person.ok("GET", "/push")["endpoint"] == good["endpoint"]
    assert person.http.head("/push").status_code == 200
    assert person.http.delete("/push").status_code == 204
    assert person.http.delete("/push").status_code == 204
    assert "push" in person.ok("GET", "/info")["features"]
