"""The gateway on real sockets, in a child process: streams, memory, sockets, stops."""

import contextlib
import json
import signal
import threading
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.gateway.child_process import Child

pytestmark = pytest.mark.system

SIZE = 1_600 * 65_536
GOOD = {"Authorization": "Bearer good"}


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    with open(tmp_path_factory.mktemp("gateway") / "log", "wb") as log:
        made = Child(log)
        yield made
        made.stop()


@pytest.fixture
def own_child(tmp_path):
    with open(tmp_path / "log", "wb") as log:
        made = Child(log)
        yield made
        made.stop()


def pieces(number=1_600):
    for _ in range(number):
        yield b"x" * 65_536


def received(sock):
    data = b""
    while True:
        try:
            more = sock.recv(65_536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def eventually(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lost(child):
    return httpx.get(f"{child.url}/api/v1/auth/lost").json()["total"]


def test_100_mib_each_way_in_bounded_memory(child):
    before = child.resident
    with httpx.Client(base_url=child.url, timeout=30) as client:
        for headers in ({"Content-Length": str(SIZE)}, {}):
            answer = client.post("/api/v1/files", content=pieces(), headers=GOOD | headers)
            assert answer.json() == {"total": SIZE}
        for headers in ({}, {"X-Chunked": "1"}):
            with client.stream("GET", "/api/v1/files", headers=headers) as answer:
                assert sum(len(piece) for piece in answer.iter_raw()) == SIZE
    assert child.resident - before < 30


def test_a_client_that_does_not_read_costs_little(child):
    before = child.resident
    idle = [child.raw(b"GET /api/v1/files HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(10)]
    time.sleep(1)
    assert child.resident - before < 30
    broken = lost(child)
    for sock in idle:
        sock.close()
    eventually(lambda: lost(child) == broken + 10)


def test_a_client_that_leaves_while_it_sends(child):
    broken = lost(child)
    head = b"POST /api/v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n"
    head += b"Content-Length: 1000000\r\n\r\n"
    child.raw(head + b"x" * 1_000).close()
    eventually(lambda: lost(child) == broken + 1)


def test_a_refusal_reaches_who_is_still_sending(child):
    answer = httpx.post(f"{child.url}/api/v1/files", content=pieces(), timeout=30)
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    headers = GOOD | {"Content-Length": str(1_700 * 65_536)}
    answer = httpx.post(f"{child.url}/api/v1/files", content=pieces(1_700), headers=headers, timeout=30)
    assert answer.json()["code"] == "too_large"


def test_continue_is_not_said_to_a_stranger(child):
    head = b"POST /api/v1/files HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
    with child.raw(head + b"Connection: close\r\n\r\n") as sock:
        assert received(sock).startswith(b"HTTP/1.1 401 ")
    with child.raw(head + b"Authorization: Bearer good\r\nConnection: close\r\n\r\n") as sock:
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert received(sock).endswith(b'{"total":3}')


def test_a_service_that_does_not_answer(child):
    answer = httpx.get(f"{child.url}/api/v1/auth/never", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (504, "gateway_timeout")


def test_a_service_that_is_away(child):
    answer = httpx.post(f"{child.url}/api/v1/keys/claim", json={})
    assert (answer.status_code, answer.json()["code"]) == (502, "bad_gateway")
    assert answer.elapsed.total_seconds() < 1
    ready = httpx.get(f"{child.url}/ready")
    assert ready.status_code == 503
    checks = {"auth": "ready", "message": "ready", "file": "ready", "key": "unreachable"}
    assert ready.json() == {"ready": False, "checks": checks}


def test_a_dripping_head_is_cut(child):
    sock = child.raw(b"GET / HTTP/1.1\r\n")
    started = time.monotonic()
    with contextlib.suppress(OSError):  # which is what is waited for
        while time.monotonic() - started < 8:
            sock.sendall(b"X")
            time.sleep(0.2)
    sock.close()
    assert time.monotonic() - started < 6


def test_sockets(child):
    with connect(f"ws://127.0.0.1:{child.port}/ws", origin=child.url, max_size=None) as ws:
        for text in ("hi", "x" * 1_000_000):
            ws.send(text)
            assert ws.recv(timeout=10) == text
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{child.port}/ws", origin=origin)
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body)["code"] == "forbidden"


def test_a_socket_that_does_not_read_holds_the_other_side_back(child):
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    sock = child.raw(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + key)
    assert sock.recv(1_000).startswith(b"HTTP/1.1 101 ")
    before = child.resident
    frame = b"\x82\xfe\xff\x00\0\0\0\0" + b"x" * 0xFF00
    sock.setblocking(False)
    sent, stuck = 0, 0
    while stuck < 20 and sent < 200_000_000:
        try:
            sent += sock.send(frame * 4)
            stuck = 0
        except BlockingIOError:
            stuck += 1
            time.sleep(0.05)
    sock.close()
    # The echo service itself keeps what it can't send; the gateway's share is two socket buffers.
    assert child.resident - before < 0.5 * sent / 1e6 + 60


def test_stop_lets_requests_finish_and_ends_sockets(own_child):
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.get(f"{own_child.url}/api/v1/auth/slow", timeout=10))
    )
    asking.start()
    with connect(f"ws://127.0.0.1:{own_child.port}/ws") as ws:
        time.sleep(0.3)
        started = time.monotonic()
        assert own_child.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() - started < 8
        with pytest.raises(ConnectionClosed) as ended:
            ws.recv(timeout=5)
        assert ended.value.rcvd.code == 1001
    asking.join(5)
    assert answers[0].json() == {"total": 1}
