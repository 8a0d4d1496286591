"""One client floods; nobody else is to notice, and a moment later all is as it was."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.system.people import Person
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system

CALM_SECONDS = 5.0
SETTINGS = {"MESSENGER_LIMITS__FRAME": "200/s", "MESSENGER_LIMITS__SEND": "50/s"}


@pytest.fixture(scope="module", params=["one", "apart"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With the limits of frames that a server has by default."""
    folder = Path(tmp_path_factory.mktemp(f"flood-{request.param}"))
    with running(Stack(folder, request.param, SETTINGS, instances=1)) as made:
        yield made


def pool(stack: Stack) -> tuple[float, float, float]:
    """Connections of the message service that are idle, that are busy, and calls that wait for one."""
    port = stack.ports["message" if stack.form == "one" else "message-1"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    found = dict(re.findall(r'^messenger_database_connections\{state="(\w+)"\} (\S+)$', text, re.MULTILINE))
    waiting = re.search(r"^messenger_database_waiting (\S+)$", text, re.MULTILINE)
    assert waiting is not None
    return float(found["idle"]), float(found["busy"]), float(waiting[1])


def flood(attacker: Person, messages: list[list[dict[str, Any]]]) -> int | None:
    """Say all of it on one socket, as fast as it goes; the code with which it was closed, if it was."""
    with attacker.socket() as socket, suppress(TimeoutError, ConnectionClosed):
        socket.until("synced")
        for message in messages:
            socket.connection.send(json.dumps(message))
        while True:
            socket.next(0.5)
    return socket.connection.close_code


def assert_calm(stack: Stack, one: Person, other: Person) -> None:
    """Within CALM_SECONDS sends take no time, `/ready` says yes and nobody waits for PostgreSQL."""
    began = time.monotonic()
    name = one.direct(other)
    with one.socket() as mine, other.socket() as theirs:
        mine.until("synced")
        theirs.until("synced")
        for _ in range(5):
            sent = mine.send(name)
            assert sent["type"] == "sent", sent
            theirs.until("message", 2)
    assert httpx.get(f"{stack.url}/ready", timeout=5).status_code == 200
    while (found := pool(stack))[1:] != (0.0, 0.0):
        assert time.monotonic() - began < CALM_SECONDS, found
    assert found[0] == 4
    assert time.monotonic() - began < CALM_SECONDS


@pytest.fixture
def three(stack: Stack) -> list[Person]:
    return [Person(stack.url, name) for name in ("attacker", "ann", "ben")]


def test_resends_of_an_empty_conversation(stack: Stack, three: list[Person]) -> None:
    attacker, ann, ben = three
    frame = {"type": "resend", "conversation_id": attacker.group(), "after": 0}
    flood(attacker, [[frame] * 9_000] * 5)
    assert_calm(stack, ann, ben)


@pytest.mark.parametrize("kind", ["resend", "ack", "read", "typing"])
def test_many_conversations_or_none(stack: Stack, three: list[Person], kind: str) -> None:
    """Nothing to merge: each frame names another conversation."""
    attacker, ann, ben = three
    members = {
        "resend": {"after": 0},
        "ack": {"seq": 1, "change": 1},
        "read": {"seq": 1},
        "typing": {"is_typing": True},
    }[kind]
    names = [f"01900000-0000-7000-8000-{number:012x}" for number in range(9_000)]
    message = [{"type": kind, "conversation_id": name, **members} for name in names]
    assert flood(attacker, [message] * 5) == 4429
    assert_calm(stack, ann, ben)


def test_nonsense_and_pings(stack: Stack, three: list[Person]) -> None:
    attacker, ann, ben = three
    assert flood(attacker, [[{"type": "nonsense"}] * 9_000] * 5) == 4429
    assert_calm(stack, ann, ben)
    assert flood(ann, [[{"type": "ping", "ref": "r"}] * 9_000] * 5) == 4429


def test_who_was_cut_off_and_comes_back_at_once_is_not_let_in(stack: Stack, three: list[Person]) -> None:
    attacker = three[0]
    refusal = None
    # What was refused is forgotten within seconds, on a busy machine before the socket is asked for again.
    for _ in range(5):
        assert flood(attacker, [[{"type": "ping", "ref": "r"}] * 9_000] * 5) == 4429
        try:
            with attacker.socket():
                continue
        except InvalidStatus as error:
            refusal = error.response
            break
    assert refusal is not None
    assert refusal.status_code == 429
    assert 1 <= int(refusal.headers["Retry-After"]) <= 5


def test_typing_is_passed_on_once_a_second(stack: Stack, three: list[Person]) -> None:
    attacker, ann, _ = three
    name = attacker.direct(ann)
    with attacker.socket() as loud, ann.socket() as heard:
        loud.until("synced")
        heard.until("synced")
        began = time.monotonic()
        for number in range(100):
            loud.say(type="typing", conversation_id=name, is_typing=number % 2 == 0)
        loud.say(type="ping", ref="through")
        loud.until("pong")
        found = [heard.until("typing", 3)["is_typing"]]
        found.append(heard.until("typing", 3)["is_typing"])
        seconds = time.monotonic() - began
        assert found == [True, False]
        with pytest.raises(TimeoutError):
            heard.until("typing", 1.5)
    assert seconds >= 0.9
