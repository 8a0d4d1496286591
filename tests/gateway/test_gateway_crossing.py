"""What crosses the gateway is what was meant, or nothing does: every case of crossing.py."""

import re
import socket
import threading

import pytest

from tests.gateway.child_process import Child
from tests.gateway.crossing_headers import CASES
from tests.gateway.gateway_transport import Bench
from tests.gateway.recording import judge, read_request, waits

IDS = [case.name for case in CASES]


def play(case, size):
    """Send the case in pieces of `size` bytes to services that answer whatever is complete."""
    bench = Bench()
    buffers, crossed, told = {}, [], []

    def serve():
        moved = True
        while moved:
            moved = False
            for peer in list(bench.network.peers):
                buffers[peer] = buffers.get(peer, b"") + peer.got
                if waits(buffers[peer]) and peer not in told:
                    told.append(peer)
                    peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                    buffers[peer] += peer.got
                found = read_request(buffers[peer])
                if found is not None and not peer.closed:
                    request, buffers[peer] = found
                    assert buffers[peer] == b""
                    crossed.append(request)
                    peer.answer(200)
                    moved = True

    for start in range(0, len(case.data), size):
        bench.client.send(case.data[start : start + size])
        serve()
    # The half requests of clients that sent no more: they must not have been completed for them.
    bench.pass_time(40)
    serve()
    answers = bench.client.transport.value()
    return crossed, [int(text) for text in re.findall(rb"HTTP/1\.1 ([2-5][0-9]{2}) ", answers)], bench


def test_there_are_enough():
    assert len(CASES) >= 150
    assert len(set(IDS)) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_whole(case):
    crossed, statuses, bench = play(case, 1 << 20)
    judge(case, crossed, statuses)
    if statuses[-1] in (400, 413, 414, 417, 431, 501, 505) and b" /ws " not in case.data:
        assert bench.client.closed
        assert b"\r\nConnection: close\r\n" in bench.client.transport.value()


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_in_pieces(case):
    size = 1 if len(case.data) < 1_000 else 97
    crossed, statuses, _ = play(case, size)
    judge(case, crossed, statuses)


class Recorder:
    """A service that notes what it received: a thread for each connection."""

    def __init__(self):
        self.crossed = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:  # closed: the test is over
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        data, told = b"", False
        with sock:
            while True:
                found = read_request(data)
                if found is None:
                    if waits(data) and not told:
                        told = True
                        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                    try:
                        more = sock.recv(65_536)
                    except ConnectionResetError:
                        return
                    if not more:
                        return
                    data += more
                    continue
                request, data = found
                told = False
                self.crossed.append(request)
                sock.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")


def answered(port, case):
    """The statuses of the answers to a case, over a socket."""
    statuses = []
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        try:
            sock.sendall(case.data)
        except (ConnectionResetError, BrokenPipeError):
            statuses.append(0)  # refused so early that the rest could not be sent
        data = b""
        while len(statuses) < len(case.statuses):
            data += (more := sock.recv(65_536))
            statuses = [int(text) for text in re.findall(rb"HTTP/1\.1 ([2-5][0-9]{2}) ", data)]
            if not more:
                break
    return statuses


@pytest.mark.system
def test_on_real_sockets(tmp_path):
    recorder = Recorder()
    with open(tmp_path / "log", "wb") as log, recorder.listening:
        child = Child(log, str(recorder.port))
        try:
            for case in CASES:
                recorder.crossed = []
                statuses = answered(child.port, case)
                judge(case, recorder.crossed, statuses)
        finally:
            child.stop()
