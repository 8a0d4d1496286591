"""Runs the tests of files on a MinIO server: `make test-minio`, or `python -m tests.minio [FOR PYTEST]`.

There is no package of MinIO's server: it is built by the Go toolchain, once, into a cache folder outside of
this tree (`$XDG_CACHE_HOME/secure-messenger`, `~/.cache` where that is not set). It runs on loopback, with
its data in a folder that goes with it, and comes back by itself when a test has killed it.

Any other S3 will do as well: the tests take the one that MESSENGER_TEST_S3_ENDPOINT, _REGION, _ACCESS_KEY
and _SECRET_KEY name; those that kill it or have it hang need MESSENGER_TEST_S3_PID_FILE too.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx

from tests.system.stack import free_ports
from tests.system.waiting import until

MODULE = "github.com/minio/minio"
VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
TESTS = ("test_files.py", "test_files_faults.py", "test_tus.py", "test_tus_clients.py")


def binary() -> Path:
    """The server's program, built if it is not there; SystemExit without a Go toolchain."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "secure-messenger" / f"minio-{VERSION}"
    program = folder / "minio"
    if not program.exists():
        if shutil.which("go") is None:
            raise SystemExit("no Go toolchain here: MinIO can't be built")
        sys.stdout.write(f"building {MODULE}@{VERSION} into {folder}: some minutes, once\n")
        sys.stdout.flush()
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
        subprocess.run(["go", "install", f"{MODULE}@{VERSION}"], env=environment, check=True)
    return program


class Server:
    """A MinIO that is started again whenever it ends."""

    def __init__(self, folder: Path) -> None:
        port, console = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.pid_file = folder / "minio.pid"
        self.access_key, self.secret_key = secrets.token_hex(8), secrets.token_hex(16)
        self._command = [
            str(binary()),
            "server",
            str(folder / "data"),
            *("--address", f"127.0.0.1:{port}"),
            *("--console-address", f"127.0.0.1:{console}"),
            "--quiet",
        ]
        self._environment = {
            **os.environ,
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        self._log = (folder / "minio.log").open("ab")
        self._stopping = False
        self._process = self._start()
        threading.Thread(target=self._keep, daemon=True).start()
        until(self._answers, 60)

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command, env=self._environment, stdout=self._log, stderr=subprocess.STDOUT
        )
        self.pid_file.write_text(json.dumps({"pid": process.pid}))
        return process

    def _keep(self) -> None:
        while not self._stopping:
            self._process.wait()
            if not self._stopping:
                self._process = self._start()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/minio/health/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End it."""
        self._stopping = True
        self._process.kill()
        self._process.wait()
        self._log.close()


def main(arguments: list[str]) -> int:
    """Run pytest; its exit status."""
    chosen = arguments or [str(Path(__file__).parent / "system" / name) for name in TESTS]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        environment = {
            **os.environ,
            "MESSENGER_TEST_S3_ENDPOINT": server.url,
            "MESSENGER_TEST_S3_ACCESS_KEY": server.access_key,
            "MESSENGER_TEST_S3_SECRET_KEY": server.secret_key,
            "MESSENGER_TEST_S3_PID_FILE": str(server.pid_file),
        }
        try:
            command = [sys.executable, "-m", "pytest", *chosen]
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            server.stop()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
