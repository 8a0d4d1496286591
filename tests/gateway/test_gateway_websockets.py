"""Autobahn's test cases for RFC 6455, with the message service's settings: direct, and through the relay."""

import json
import select
import socket
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.gateway.child_process import Child

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
# Framing, pings, reserved bits and opcodes, fragmentation, closing; not: UTF-8, sizes, compression.
SHORT = ["1.*", "2.*", "3.*", "4.*", "5.*", "7.*"]
ALL = 517


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    with open(tmp_path_factory.mktemp("gateway") / "log", "wb") as log:
        made = Child(log)
        yield made
        made.stop()


def play(port, *cases):
    command = [sys.executable, str(HERE / "autobahn_cases.py"), f"ws://127.0.0.1:{port}/ws", *cases]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    verdicts = json.loads(done.stdout)
    good = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}
    return verdicts, [one for one in verdicts if not {one[1], one[2]} <= good]


@pytest.mark.parametrize("where", ["direct", "relayed"])
def test_short(child, where):
    results, failed = play(child.service_port if where == "direct" else child.port, *SHORT)
    assert failed == []
    assert len(results) > 90


@pytest.mark.long
@pytest.mark.parametrize("where", ["direct", "relayed"])
def test_all(child, where):
    results, failed = play(child.service_port if where == "direct" else child.port)
    assert failed == []
    assert len(results) == ALL
    # Compression is not offered; nothing else may be left out.
    unimplemented = Counter(
        case.partition(".")[0] for case, behaviour, _ in results if behaviour == "UNIMPLEMENTED"
    )
    assert set(unimplemented) <= {"12", "13"}


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
TOO_FAST = b"\x88\x02" + struct.pack(">H", 4429)


def until_blank_line(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(65_536)
        assert piece
        head += piece
    return head


def test_a_client_that_is_busy_writing_reads_why_the_service_ended(tmp_path):
    """The service reads nothing, says 4429 and resets: the client's connection is not reset as well.

    A client whose write fails may never look at what it was sent, and not every system lets it.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening, open(tmp_path / "log", "wb") as log:
        child = Child(log, str(listening.getsockname()[1]))
        try:
            with child.raw(HANDSHAKE) as client:
                service, _ = listening.accept()
                until_blank_line(service)
                service.sendall(ACCEPTED)
                assert b" 101 " in until_blank_line(client)
                client.setblocking(False)
                writable = select.poll()
                writable.register(client, select.POLLOUT)
                while writable.poll(500):
                    client.send(b"x" * 65_536)
                service.sendall(TOO_FAST)
                service.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                service.close()
                ended = select.poll()
                ended.register(client, select.POLLRDHUP)
                assert ended.poll(5_000)
                assert client.recv(100) == TOO_FAST
                assert client.recv(100) == b""
                client.settimeout(5)
                client.sendall(b"x" * 1_000_000)
        finally:
            child.stop()
