"""Real tus clients upload through the gateway, over a network that breaks off, and go on where they were."""

import json
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.system.people import Person, b64
from tests.system.stack import Stack

pytestmark = pytest.mark.system

TUS_JS = "tus-js-client@4.3.1"
SCRIPT = """
const fs = require("fs");
const tus = require("tus-js-client");
const [file, endpoint, token, chunk] = process.argv.slice(2);
const found = { retries: 0 };
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  headers: { Authorization: `Bearer ${token}` },
  metadata: { metadata: "opaque", filename: "holiday.jpg" },
  chunkSize: chunk === "all" ? Infinity : Number(chunk),
  uploadDataDuringCreation: chunk === "all",
  retryDelays: [100, 200, 500, 1000, 1000, 1000],
  onShouldRetry: () => { found.retries += 1; return true; },
  onAfterResponse: (request, response) => { found.file = response.getHeader("X-File-ID") || found.file; },
  onError: (error) => { console.error(String(error)); process.exit(1); },
  onSuccess: () => { console.log(JSON.stringify(found)); },
});
upload.start();
"""


class Cutter:
    """A relay in front of `url` that resets each of its first `times` connections that has brought more than
    `after` bytes."""

    def __init__(self, url: str, after: int, times: int) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "", parts.port or 0)
        self._after = after
        self.left = times
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        seen = 0
        with suppress(OSError):
            while data := source.recv(65_536):
                seen += len(data)
                if counted and seen > self._after and self.left > 0:
                    self.left -= 1
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()

    def close(self) -> None:
        """Accept no more."""
        self._listener.close()


@pytest.fixture
def cutter(apart: Stack) -> Iterator[Cutter]:
    found = Cutter(apart.url, 3_000_000, 3)
    yield found
    found.close()


def test_tuspy(apart: Stack, cutter: Cutter, tmp_path: Path) -> None:
    client = pytest.importorskip("tusclient.client")
    person = Person(apart.url)
    content = os.urandom(14_000_000)
    path = tmp_path / "blob"
    path.write_bytes(content)
    tus = client.TusClient(
        f"{cutter.url}/api/v1/files/uploads", headers={"Authorization": f"Bearer {person.token}"}
    )
    first = tus.uploader(str(path), chunk_size=1_500_000, metadata={"metadata": "opaque"})
    first.upload(stop_at=4_000_000)
    assert first.offset >= 4_000_000
    # Another run of the program, which knows the upload's address alone.
    second = tus.uploader(str(path), chunk_size=5_000_000, url=first.url, retries=6, retry_delay=0.2)
    assert second.offset == first.offset
    second.upload()
    assert cutter.left < 3
    file_id = second.request.response_headers["x-file-id"]
    assert person.http.get(f"/files/{file_id}").content == content
    assert person.ok("GET", f"/files/{file_id}/info")["metadata"] == b64(b"opaque")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tus-js-client; skips where it can't be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node here")
    folder = Path(tmp_path_factory.mktemp("node"))
    (folder / "upload.js").write_text(SCRIPT)
    (folder / "package.json").write_text("{}")
    command = ["npm", "install", "--no-fund", "--no-audit", "--ignore-scripts", TUS_JS]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not answer")
    if done.returncode:
        pytest.skip(f"npm could not install {TUS_JS}: {done.stderr[-300:]}")
    return folder


@pytest.mark.long
@pytest.mark.parametrize("chunk", ["all", "1000000"])
def test_tus_js_client(apart: Stack, node: Path, tmp_path: Path, chunk: str) -> None:
    # In chunks each PATCH may have a connection of its own, which then is cut earlier.
    cutter = Cutter(apart.url, 3_000_000 if chunk == "all" else 400_000, 3)
    person = Person(apart.url)
    content = os.urandom(14_000_000)
    path = tmp_path / "blob"
    path.write_bytes(content)
    try:
        done = subprocess.run(
            ["node", "upload.js", str(path), f"{cutter.url}/api/v1/files/uploads", person.token, chunk],
            cwd=node,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        cutter.close()
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["retries"] > 0
    assert cutter.left < 3
    assert person.http.get(f"/files/{found['file']}").content == content
    assert person.ok("GET", f"/files/{found['file']}/info")["metadata"] == b64(b"opaque")
