"""The gateway as an edge: TLS on both sides, the services' names checked, and a stop that loses nobody."""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.core.http.test_http_listen import child, pair
from tests.system.stack import free_ports
from tests.system.waiting import until

pytestmark = pytest.mark.system


@contextmanager
def gateway(folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """`twist messenger-gateway` with these settings."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MESSENGER_")}
    environ |= {f"MESSENGER_GATEWAY__{name.upper()}": value for name, value in settings.items()}
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "twisted", "messenger-gateway"], env=environ, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                assert process.wait(20) in (0, -signal.SIGTERM)
            finally:
                process.kill()


def up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def test_tls_on_both_sides(tmp_path: Path) -> None:
    key, certificate = pair(tmp_path, "service")
    files = f"privateKey={key}:certKey={certificate}"
    tls_port, plain_port, metrics_port = free_ports(3)
    with child(f"ssl:0:interface=127.0.0.1:{files}") as service:
        settings = {
            "listen": f"ssl:{tls_port}:interface=127.0.0.1:{files}, tcp:{plain_port}:interface=127.0.0.1",
            "metrics_listen": f"tcp:{metrics_port}:interface=127.0.0.1",
            # The certificate is for localhost: by that name it holds, by its address it does not.
            "auth": f"https://localhost:{service.port}",
            "message": f"https://localhost:{service.port}",
            "key": f"https://127.0.0.1:{service.port}",
            "upstream_ca": str(certificate),
        }
        trust = ssl.create_default_context(cafile=str(certificate))
        with gateway(tmp_path, **settings):
            url = f"https://localhost:{tls_port}"
            with httpx.Client(base_url=url, verify=trust) as client:
                until(lambda: up(client), 20)
                assert client.get("/.well-known/jwks.json").text == str(service.pid)
                assert client.get("/api/v1/keys/status").status_code == 502
                assert "https://localhost" in client.get("/about").text
            plain = f"http://127.0.0.1:{plain_port}/.well-known/jwks.json"
            assert httpx.get(plain).text == str(service.pid)
            with connect(f"wss://localhost:{tls_port}/ws", ssl=trust, max_size=None) as ws:
                for text in ("hi", "x" * 300_000):
                    ws.send(text)
                    assert ws.recv(timeout=10) == text


def refuses(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.ConnectError:
        return True
    return False


def test_a_stop_loses_nobody(tmp_path: Path) -> None:
    port, metrics_port = free_ports(2)
    with child("tcp:0:interface=127.0.0.1") as service:
        names = ("auth", "message", "file", "key")
        settings = dict.fromkeys(names, f"127.0.0.1:{service.port}")
        settings["listen"] = f"tcp:{port}:interface=127.0.0.1"
        settings["metrics_listen"] = f"tcp:{metrics_port}:interface=127.0.0.1"
        settings["drain"] = "5"  # longer than a busy machine stands still
        url = f"http://127.0.0.1:{port}"
        with gateway(tmp_path, **settings) as process, httpx.Client(base_url=url) as client:
            until(lambda: up(client), 20)
            with connect(f"ws://127.0.0.1:{port}/ws") as ws:
                process.terminate()
                until(lambda: "gateway" in client.get("/ready").json()["checks"], 3)
                assert client.get("/ready").status_code == 503
                # Those who come all the same are served, once.
                answer = httpx.get(f"{url}/.well-known/jwks.json")
                assert (answer.text, answer.headers["connection"]) == (str(service.pid), "close")
                ws.send("still there")
                assert ws.recv(timeout=5) == "still there"
                until(lambda: refuses(url), 15)
                with pytest.raises(ConnectionClosed) as ended:
                    ws.recv(timeout=5)
                assert ended.value.rcvd is not None
                assert ended.value.rcvd.code == 1001
            assert process.wait(10) == -signal.SIGTERM
