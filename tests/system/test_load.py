"""Large groups, clients that do not read, long backlogs, nonsense: order holds, and memory stays bounded."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect

from tests.system.people import Person, b64
from tests.system.stack import Stack, running
from tests.system.waiting import until

pytestmark = pytest.mark.system

MIB = 1024 * 1024
UNREAD_BYTES = 256 * 1024


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One instance of each service, so that its memory is what is measured."""
    small = {"MESSENGER_MESSAGE__UNREAD_BYTES": str(UNREAD_BYTES)}
    folder: Path = tmp_path_factory.mktemp("load")
    with running(Stack(folder, "apart", small, instances=1)) as stack:
        yield stack


def memory(stack: Stack) -> int:
    """Resident bytes of the message service."""
    return psutil.Process(stack.processes["message-1"].pid).memory_info().rss


def crowd(stack: Stack, count: int) -> list[Person]:
    """That many registered users."""
    with ThreadPoolExecutor(8) as threads:
        people = list(threads.map(lambda _: Person(stack.url, "crowd"), range(count)))
    for person in people:
        person.http.close()
    return people


async def open_socket(person: Person) -> ClientConnection:
    return await connect(
        person.url.replace("http", "ws", 1) + "/ws",
        additional_headers={"Authorization": f"Bearer {person.token}"},
        open_timeout=60,
        ping_interval=None,
        max_size=None,
        compression=None,
    )


async def frames(connection: ClientConnection) -> list[dict[str, Any]]:
    decoded = json.loads(await asyncio.wait_for(connection.recv(), 60))
    return decoded if isinstance(decoded, list) else [decoded]


async def received(connection: ClientConnection, count: int) -> list[int]:
    """The numbers of the next `count` messages."""
    found: list[int] = []
    while len(found) < count:
        found += [frame["seq"] for frame in await frames(connection) if frame["type"] == "message"]
    return found


def send_frame(conversation_id: str, content: bytes = b"x") -> dict[str, Any]:
    return {
        "type": "send",
        "ref": "r",
        "conversation_id": conversation_id,
        "client_id": str(uuid4()),
        "kind": "text",
        "content": b64(content),
    }


@pytest.mark.long
def test_a_group_of_five_hundred_connected_members(alone: Stack) -> None:
    owner, *others = crowd(alone, 500)
    owner = Person(alone.url, session=owner.session)
    conversation_id = owner.group(*others)
    count = 50

    async def run() -> None:
        sockets = []
        for start in range(0, len(others), 50):
            sockets += await asyncio.gather(*map(open_socket, others[start : start + 50]))
        own = await open_socket(owner)
        listening = [asyncio.create_task(received(one, count)) for one in sockets]
        for _ in range(count):
            await own.send(json.dumps(send_frame(conversation_id)))
        for numbers in await asyncio.gather(*listening):
            assert numbers == list(range(1, count + 1))
        await asyncio.gather(*(one.close() for one in [own, *sockets]))

    asyncio.run(run())


def deaf_socket(person: Person) -> socket.socket:
    """An open WebSocket whose client never reads a frame."""
    host, _, port = person.url.removeprefix("http://").partition(":")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect((host, int(port)))
    head = (
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Bearer {person.token}\r\n\r\n"
    )
    deaf.sendall(head.encode())
    deaf.settimeout(60)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += deaf.recv(1)
    assert b" 101 " in answer
    return deaf


@pytest.mark.long
def test_a_thousand_clients_that_never_read(alone: Stack) -> None:
    people = crowd(alone, 100)
    with ThreadPoolExecutor(8) as threads:
        devices = [*people, *threads.map(Person.another_device, people * 9)]
    for device in devices:
        device.http.close()
    ann, ben = Person(alone.url, "ann"), Person(alone.url, "ben")
    crowded, quiet = ann.group(*people), ann.direct(ben)
    deaf = [deaf_socket(device) for device in devices]
    try:
        with ann.socket() as own, ben.socket() as other:
            own.until("synced")
            other.until("synced")
            before = memory(alone)
            slowest = 0.0
            for _ in range(60):
                assert own.send(crowded, b"x" * 16_384)["type"] == "sent"
                began = time.monotonic()
                sent = own.send(quiet)
                assert other.until("message")["seq"] == sent["seq"]
                slowest = max(slowest, time.monotonic() - began)
            growth = memory(alone) - before
        # The bound is for each socket; the frames of one message are shared by all that it goes to.
        assert growth < len(deaf) * UNREAD_BYTES
        assert slowest < 5.0
    finally:
        for one in deaf:
            one.close()


@pytest.mark.long
def test_a_hundred_thousand_messages_wait_for_one_device(alone: Stack) -> None:
    count, window = 100_000, 200
    ann, ben = Person(alone.url, "ann"), Person(alone.url, "ben")
    conversation_id = ann.direct(ben)

    async def write() -> None:
        own = await open_socket(ann)
        answered = 0
        for _ in range(count // window):
            await own.send(json.dumps([send_frame(conversation_id, b"x" * 100) for _ in range(window)]))
            answered += window
            while answered > 0:
                answered -= sum(frame["type"] == "sent" for frame in await frames(own))
        await own.close()

    async def read() -> list[int]:
        other = await open_socket(ben)
        found = await received(other, count)
        await other.close()
        return found

    asyncio.run(write())
    before = memory(alone)
    assert asyncio.run(read()) == list(range(1, count + 1))
    assert memory(alone) - before < 64 * MIB


# Nonsense, of the contract's own shapes.

TEXT = st.text(max_size=40) | st.sampled_from(["", "x" * 65, "\0", str(uuid4())])
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["send", "ack", "read", "typing", "presence", "resend", "token", "none", ""]) | VALUE
FRAME = st.fixed_dictionaries(
    {"type": TYPES},
    optional=dict.fromkeys(
        ("ref", "conversation_id", "seq", "change", "after", "is_typing", "status", "access_token"), VALUE
    )
    | dict.fromkeys(("client_id", "kind", "content", "envelopes", "devices_digest", "partial"), VALUE),
)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
def test_frames_of_nonsense_harm_nobody(alone: Stack) -> None:
    ann, ben = Person(alone.url, "ann"), Person(alone.url, "ben")
    conversation_id = ann.direct(ben)
    with ann.socket() as own:
        own.until("synced")

        @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.lists(FRAME, min_size=1, max_size=10), st.booleans())
        def throw(found: list[dict[str, Any]], real: bool) -> None:
            if real:
                found = [{**frame, "conversation_id": conversation_id} for frame in found]
            own.connection.send(json.dumps(found))
            # Whatever that was, the socket lives and the next frame is answered.
            assert own.send(conversation_id)["type"] == "sent"

        throw()
        before = memory(alone)
        for _ in range(2):
            throw()
        until(lambda: memory(alone) < before * 1.1, 10)
    assert "Traceback" not in alone.processes["message-1"].text()
