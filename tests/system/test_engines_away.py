"""Engines that hang, die, are missing at the start or at the stop: what is said, and that all comes back."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.system.people import Person
from tests.system.stack import Stack, running
from tests.system.waiting import until

pytestmark = pytest.mark.system

# Which service's /ready names which engine.
NEEDS = [("postgres", "message", "postgresql"), ("nats", "message", "nats"), ("seaweedfs", "file", "s3")]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of our own, to be mistreated."""
    with running(Stack(Path(tmp_path_factory.mktemp("night")), "apart")) as stack:
        yield stack


def readiness(stack: Stack, service: str) -> tuple[int, dict[str, str]]:
    answer = httpx.get(f"{stack.service_url(service)}/ready", timeout=10)
    return answer.status_code, answer.json()["checks"]


@pytest.mark.parametrize(("engine", "service", "check"), NEEDS)
def test_an_engine_that_hangs_is_named_and_comes_back(
    night: Stack, engine: str, service: str, check: str
) -> None:
    thaw = night.freeze_engine(engine)
    try:
        until(lambda: readiness(night, service)[0] == 503, 10, 0.2)
        assert readiness(night, service)[1][check] != "ready"
        # The gateway needs one instance that is ready: all of them must have noticed. Other services need
        # the engine, too, and may say so before.
        until(
            lambda: httpx.get(f"{night.url}/ready", timeout=10).json()["checks"][service] != "ready", 10, 0.2
        )
        assert httpx.get(f"{night.url}/ready", timeout=10).status_code == 503
        assert httpx.get(f"{night.url}/health", timeout=10).status_code == 200
    finally:
        thaw()
    night.wait_ready(10)


@pytest.mark.parametrize("engine", ["postgres", "nats", "valkey", "seaweedfs"])
def test_an_engine_that_dies_comes_back(night: Stack, engine: str) -> None:
    ann, ben = Person(night.urls[0]), Person(night.urls[1])
    conversation_id = ann.direct(ben)
    with ben.socket() as own:
        own.until("synced")
        night.kill_engine(engine)
        night.wait_ready(20)
        until(lambda: _sends(ann, conversation_id), 10, 0.2)
        assert own.until("message", 15)["seq"] >= 1


def _sends(person: Person, conversation_id: str) -> bool:
    try:
        person.send(conversation_id)
    except AssertionError:
        return False
    return True


def test_valkey_is_not_needed(night: Stack) -> None:
    thaw = night.freeze_engine("valkey")
    try:
        ann = Person(night.url)
        for _ in range(5):
            ann.ok("GET", "/auth/me", timeout=5)
        # An engine that another test has killed may still be on its way back; who needed Valkey is
        # never ready.
        until(lambda: httpx.get(f"{night.url}/ready", timeout=10).status_code == 200, 20, 0.2)
    finally:
        thaw()


def test_a_session_ends_everywhere_with_nats_away(night: Stack) -> None:
    ann = Person(night.url)
    urls = [
        f"{night.service_url(name)}/api/v1{path}"
        for name, path in (
            ("message", "/conversations"),
            ("key", "/keys/status"),
            ("file", "/files/0192f3c0-1111-7111-8111-111111111111/info"),
        )
    ]
    thaw = night.freeze_engine("nats")
    try:
        # At once: nobody has noticed yet.
        with ann.socket() as own:
            own.until("synced")
            headers = {"Authorization": f"Bearer {ann.token}"}
            assert [httpx.get(url, headers=headers).status_code for url in urls] == [200, 200, 404]
            ann.ok("POST", "/auth/logout", 204)
            for url in urls:
                until(lambda url=url: httpx.get(url, headers=headers).status_code == 401, 5)
    finally:
        thaw()
    night.wait_ready(10)


def test_messages_go_on_with_nats_away(night: Stack) -> None:
    ann, ben = Person(night.urls[0]), Person(night.urls[1])
    conversation_id = ann.direct(ben)
    with ann.socket(night.urls[0]) as one, ben.socket(night.urls[1]) as other:
        one.until("synced")
        other.until("synced")
        thaw = night.freeze_engine("nats")
        try:
            sent = one.send(conversation_id)
            assert sent["type"] == "sent"
            # Wherever the two sockets are, the heads are read again within seconds.
            assert other.until("message", 15)["seq"] == sent["seq"]
        finally:
            thaw()
    night.wait_ready(10)


def test_a_service_waits_for_an_engine_that_is_missing_at_its_start(night: Stack) -> None:
    night.kill("message-2")
    thaw = night.freeze_engine("nats")
    try:
        begin = len(night.processes["message-2"].text())
        night.restart("message-2")
        until(lambda: "waiting for NATS" in night.processes["message-2"].text()[begin:], 15)
    finally:
        thaw()
    night.wait_ready(20)


@pytest.mark.parametrize("engine", ["postgres", "nats"])
def test_a_service_stops_in_time_without_its_engine(night: Stack, engine: str) -> None:
    ann = Person(night.url)
    process = night.processes["message-2"]
    with ann.socket() as own:
        own.until("synced")
        thaw = night.freeze_engine(engine)
        try:
            process.send(signal.SIGTERM)
            assert process.wait(20) in (0, -signal.SIGTERM)
        finally:
            thaw()
            night.restart("message-2")
    night.wait_ready(20)
