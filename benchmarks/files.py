"""What files cost: 20 clients, each with 100 MiB on its way up and 100 MiB on its way down at once.

Gateway and file service are one process each. Beside them, in the same run and on the same S3, the S3 SDK
moves the same bytes by itself: what a plain client would use of CPU. The clients are sockets that send from
and read into memory once, and cost little. Rates are limited in memory, as they are by default; a second
round shows what redis-py adds. `python -m benchmarks files`; one minute to three.
"""

import os
import socket
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run as run_process
from urllib.parse import urlsplit

from benchmarks.cpu import cpu_seconds
from benchmarks.report import Row
from benchmarks.system import people, system
from tests.system.people import Person
from tests.system.stack import Stack

CLIENTS = 20
SIZE = 100 << 20
MIB = 1 << 20
MOST_MEMORY = "target: at most 80"
MOST_TIMES = "target: at most 3"

# A plain client: the SDK, as many threads, the same bytes. Prints its CPU seconds and its seconds.
_PLAIN = """
import io, os, sys, time
from concurrent.futures import ThreadPoolExecutor
from minio import Minio

endpoint, region, access, secret, path, clients = sys.argv[1:]
client = Minio(endpoint, access_key=access, secret_key=secret, secure=False, region=region)
if not client.bucket_exists("benchmark"):
    client.make_bucket("benchmark")
client.fput_object("benchmark", "down", path)


def up(number):
    client.fput_object("benchmark", f"up-{number}", path)


def down(_number):
    answer = client.get_object("benchmark", "down")
    for _ in answer.stream(1 << 16):
        pass
    answer.close()
    answer.release_conn()


began, used = time.monotonic(), time.process_time()
with ThreadPoolExecutor(2 * int(clients)) as pool:
    moves = [pool.submit(move, number) for number in range(int(clients)) for move in (up, down)]
    [move.result() for move in moves]
print(time.process_time() - used, time.monotonic() - began)
for number in range(int(clients)):
    client.remove_object("benchmark", f"up-{number}")
"""


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=300)


def _head(person: Person, first: str, *headers: str) -> bytes:
    lines = [first, f"Host: {urlsplit(person.url).netloc}", f"Authorization: Bearer {person.token}"]
    return "\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode()


def _upload(person: Person, path: Path) -> None:
    with _connect(person.url) as connection, path.open("rb") as content:
        octets = "Content-Type: application/octet-stream"
        head = _head(person, "POST /api/v1/files HTTP/1.1", octets, f"Content-Length: {SIZE}")
        connection.sendall(head)
        connection.sendfile(content)
        answer = connection.recv(65_536)
    assert b" 201 " in answer[:32], answer[:200]


def _download(person: Person, file_id: str) -> None:
    buffer = bytearray(1 << 18)
    with _connect(person.url) as connection:
        connection.sendall(_head(person, f"GET /api/v1/files/{file_id} HTTP/1.1"))
        received = 0
        while count := connection.recv_into(buffer):
            if not received:
                assert b" 200 " in bytes(buffer[:32]), bytes(buffer[:200])
            received += count
    assert received > SIZE, received


def _peak(pid: int) -> float:
    """The most memory that a process has had, in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")) * 1024 / 1e6


def _move(stack: Stack, path: Path) -> float:
    """Seconds that it took all clients to move everything."""
    everyone = people(stack, CLIENTS)
    owner = everyone[0]
    group = owner.group(*everyone[1:])
    headers = {"Content-Type": "application/octet-stream", "X-Conversation-ID": group}
    file_id = owner.ok("POST", "/files", 201, content=path.read_bytes(), headers=headers)["file_id"]
    began = time.monotonic()
    with ThreadPoolExecutor(2 * CLIENTS) as pool:
        moves = [pool.submit(_upload, person, path) for person in everyone]
        moves += [pool.submit(_download, person, file_id) for person in everyone]
        for move in moves:
            move.result()
    return time.monotonic() - began


def _plain(stack: Stack, path: Path) -> tuple[float, float]:
    """CPU seconds and seconds of the SDK for the same."""
    arguments = [
        urlsplit(stack.engines["s3_endpoint"]).netloc,
        stack.engines["s3_region"],
        stack.engines["s3_access_key"],
        stack.engines["s3_secret_key"],
        str(path),
        str(CLIENTS),
    ]
    done = run_process(
        [sys.executable, "-c", _PLAIN, *arguments], capture_output=True, text=True, timeout=600, check=True
    )
    used, seconds = done.stdout.split()
    return float(used), float(seconds)


def run() -> list[Row]:
    """Memory, throughput and CPU."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "blob")
        path.write_bytes(os.urandom(MIB) * (SIZE // MIB))
        with system(settings={"MESSENGER_REDIS__URL": ""}) as stack:
            gateway, file = stack.processes["gateway-1"].pid, stack.processes["file-1"].pid
            before = cpu_seconds(gateway), cpu_seconds(file)
            seconds = _move(stack, path)
            used = cpu_seconds(gateway) - before[0], cpu_seconds(file) - before[1]
            peaks = _peak(gateway), _peak(file)
            plain_used, plain_seconds = _plain(stack, path)
        with system() as stack:
            _move(stack, path)
            with_redis = _peak(stack.processes["file-1"].pid)
    moved = 2 * CLIENTS * SIZE / MIB
    what = f"{CLIENTS} clients, {SIZE // MIB} MiB each way at once"
    return [
        Row(f"gateway, peak memory: {what}", peaks[0], "MB", MOST_MEMORY),
        Row("file service, peak memory", peaks[1], "MB", MOST_MEMORY),
        Row("the same with [redis] url", with_redis, "MB"),
        Row("throughput, both ways together", moved / seconds, "MiB/s"),
        Row("the S3 SDK by itself", moved / plain_seconds, "MiB/s", "the same bytes, 40 threads"),
        Row("gateway, CPU", used[0] / moved * 1000, "ms/MiB"),
        Row("file service, CPU", used[1] / moved * 1000, "ms/MiB"),
        Row("the S3 SDK, CPU", plain_used / moved * 1000, "ms/MiB"),
        Row("gateway and file service against the SDK", sum(used) / plain_used, "times", MOST_TIMES),
    ]
