"""`messenger-health` against real sockets: what is well, and each way not to be."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from messenger.admin import health


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/gibberish":
            self.wfile.write(b"+PONG\r\n")
            return
        status = {"/health": 200, "/moved": 302}.get(self.path, 503)
        self.send_response(status)
        self.send_header("Location", "/health")
        self.end_headers()
        self.wfile.write(b'{"ready": false, "checks":\n{"nats": "no answer"}}')

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def status_of(*arguments: str) -> int:
    try:
        health.main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_well(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(f"{url}/health") == 0
    assert status_of(url) == 0
    assert capsys.readouterr().err == ""


def test_not_well(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(f"{url}/ready") == 1
    said = capsys.readouterr().err
    assert (
        said == f'messenger-health: {url}/ready: 503 {{"ready": false, "checks": {{"nats": "no answer"}}}}\n'
    )


@pytest.mark.parametrize(("path", "why"), [("/moved", "302"), ("/gibberish", "no HTTP: BadStatusLine")])
def test_another_answer_is_not_well(
    url: str, path: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(url + path) == 1
    assert why in capsys.readouterr().err


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        assert status_of(f"http://127.0.0.1:{bound.getsockname()[1]}/health") == 1
    assert "Connection refused" in capsys.readouterr().err


def test_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert status_of(f"http://127.0.0.1:{port}/health") == 1
        assert status_of(f"https://127.0.0.1:{port}/health") == 1
    assert capsys.readouterr().err.count("no answer within 0.05 s") == 2


@pytest.mark.parametrize(
    "arguments", [(), ("a", "b"), ("127.0.0.1:80",), ("ftp://x/",), ("http://x:port/",), ("http://[/",)]
)
def test_a_wrong_command_line(arguments: tuple[str, ...]) -> None:
    assert status_of(*arguments) == 2
