"""Floods of each kind from one ordinary account: within five seconds of their end all is as it was.

Connections, memory within a tenth, readiness and latency, of every service. The first floods of a kind make
the process as large as such a flood makes it (pools, code, the allocator's arenas); what is measured is that
one more leaves nothing more behind.
"""

import json
import socket
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import WebSocketException

from tests.system.people import Person
from tests.system.stack import Stack, running
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.long]

BACK_SECONDS = 5.0
WARM = (
    4  # floods until a process is as large as they make it: uploads took that many, five more changed nothing
)
MIB = 1024 * 1024
NAMES = ("gateway-1", "auth-1", "message-1", "key-1", "file-1")


@pytest.fixture(scope="module")
def flooded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One instance of each service: all of a flood meets it."""
    with running(Stack(Path(tmp_path_factory.mktemp("flooded")), "apart", instances=1)) as stack:
        yield stack


def gauges(stack: Stack, service: str) -> dict[str, float]:
    """What `/metrics` says is held of a service's pools."""
    text = httpx.get(f"{stack.service_url(service)}/metrics", timeout=10).text
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    wanted = (
        'messenger_database_connections{state="busy"}',
        "messenger_database_waiting",
        "messenger_outbox_in_flight",
        *(name for name in found if name.startswith("messenger_threads_taken")),
    )
    return {name: float(found[name]) for name in wanted}


def at_rest(stack: Stack) -> bool:
    """Whether every gateway and service is ready, and nothing is held or waited for."""
    if httpx.get(f"{stack.url}/ready", timeout=10).status_code != 200:
        return False
    return all(not any(gauges(stack, name).values()) for name in ("auth", "message", "key", "file"))


def connections(stack: Stack) -> int:
    """Clients' connections to the gateway. Those behind it are kept for a while on purpose, and bounded."""
    there = psutil.Process(stack.processes["gateway-1"].pid).net_connections("tcp")
    return sum(one.status != "LISTEN" and one.laddr.port == stack.ports["gateway-1"] for one in there)


def memory(stack: Stack) -> dict[str, int]:
    """Resident bytes of each service."""
    return {name: psutil.Process(stack.processes[name].pid).memory_info().rss for name in NAMES}


def latency(person: Person, conversation_id: str) -> float:
    """Seconds that an ordinary message takes, in the middle of 40."""
    taken = []
    for _ in range(40):
        began = time.perf_counter()
        person.send(conversation_id)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def frames_without_end(stack: Stack, person: Person, conversation_id: str) -> None:
    """Five arrays of 9,000 `resend` frames; the client leaves before it is answered."""
    frame = {"type": "resend", "conversation_id": conversation_id, "after": 0}
    own = person.socket()
    with suppress(WebSocketException, OSError):
        for _ in range(5):
            own.connection.send(json.dumps([frame] * 9_000))
    _reset(own.connection.socket)


def sockets_that_go(stack: Stack, person: Person, conversation_id: str) -> None:
    """300 WebSockets of one device, each cut off in the middle of its backlog."""

    def open_and_cut(_number: int) -> None:
        with suppress(WebSocketException, OSError):
            own = person.socket()
            own.connection.send(
                json.dumps({"type": "typing", "conversation_id": conversation_id, "is_typing": True})
            )
            _reset(own.connection.socket)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(open_and_cut, range(300)))


def requests_that_nobody_waits_for(stack: Stack, person: Person, conversation_id: str) -> None:
    """2,000 requests whose clients are gone before the answer."""
    paths = (
        f"/conversations/{conversation_id}/messages?limit=200",
        "/conversations",
        "/auth/me",
        "/keys/status",
        "/auth/devices",
    )

    def ask(number: int) -> None:
        _half(stack, f"GET /api/v1{paths[number % len(paths)]} HTTP/1.1", person, b"")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(ask, range(2_000)))


def uploads_that_break_off(stack: Stack, person: Person, conversation_id: str) -> None:
    """200 uploads, of known and unknown length, each cut off in its middle; and downloads likewise."""
    file_id = person.ok("POST", "/files", 201, content=bytes(2 * MIB), headers=_OCTETS)["file_id"]
    post, octets = "POST /api/v1/files HTTP/1.1", "Content-Type: application/octet-stream"

    def upload(number: int) -> None:
        if number % 3 == 0:
            _half(stack, f"GET /api/v1/files/{file_id} HTTP/1.1", person, b"")
        elif number % 3 == 1:
            _half(stack, post, person, bytes(200_000), octets, "Content-Length: 1000000")
        else:
            body = b"30d40\r\n" + bytes(200_000) + b"\r\n"
            _half(stack, post, person, body, octets, "Transfer-Encoding: chunked")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(upload, range(200)))


def passwords(stack: Stack, person: Person, conversation_id: str) -> None:
    """400 logins, whose hashes wait for threads; half of the clients leave."""

    def login(number: int) -> None:
        body = json.dumps({"username": person.username, "password": "wrong password"}).encode()
        if number % 2:
            headers = ("Content-Type: application/json", f"Content-Length: {len(body)}")
            _half(stack, "POST /api/v1/auth/login HTTP/1.1", person, body, *headers)
        else:
            httpx.post(
                f"{stack.url}/api/v1/auth/login",
                content=body,
                headers={"Content-Type": "application/json"},
                timeout=60,
            )

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(login, range(400)))


_OCTETS = {"Content-Type": "application/octet-stream"}


def _reset(one: socket.socket) -> None:
    """End it as a client does whose machine is switched off."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def _half(stack: Stack, line: str, person: Person, body: bytes, *headers: str) -> None:
    """Send a request, or a part of one, and go without its answer."""
    host, _, port = stack.url.removeprefix("http://").partition(":")
    lines = (line, f"Host: {host}:{port}", f"Authorization: Bearer {person.token}", *headers)
    head = "\r\n".join(lines) + "\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as one:
        with suppress(OSError):
            one.sendall(head.encode() + body)
        _reset(one)


Flood = Callable[[Stack, Person, str], None]


@pytest.mark.parametrize(
    "flood",
    [
        frames_without_end,
        sockets_that_go,
        requests_that_nobody_waits_for,
        uploads_that_break_off,
        passwords,
    ],
)
def test_after_a_flood_all_is_as_it_was(flooded: Stack, flood: Flood) -> None:
    ann, ben, mallory = (Person(flooded.url, name) for name in ("ann", "ben", "mallory"))
    conversation_id, empty = ann.direct(ben), mallory.direct(ann)

    def flood_once() -> dict[str, Any]:
        flood(flooded, mallory, empty)
        until(lambda: at_rest(flooded), BACK_SECONDS, 0.1)
        return {"memory": memory(flooded), "connections": connections(flooded)}

    before = latency(ann, conversation_id)
    for _ in range(WARM):
        first = flood_once()
    second = flood_once()
    after = latency(ann, conversation_id)
    assert second["connections"] <= first["connections"] + 2
    for name, size in second["memory"].items():
        assert size <= 1.1 * first["memory"][name], name
    assert after <= 2 * before + 0.005
    assert "Traceback" not in flooded.log_text()
