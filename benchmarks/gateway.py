"""What the gateway adds: CPU for a GET, a relayed echo and a MiB of body, and memory for an idle socket.

The gateway is `twist messenger-gateway`, one process; nginx (where it is installed) is the same proxy with
one worker, in the same run, before the same origin, under the same load. CPU is that of the proxy alone.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop

from benchmarks.cpu import cpu_seconds, family, memory_bytes
from benchmarks.gateway_load import (
    Echoes,
    Requests,
    download,
    idle,
    loops,
    no_descriptor_limit,
    reachable,
    upload,
)
from benchmarks.report import Row
from tests.system.stack import free_ports

SECONDS = 4.0
SOCKETS = 5_000
SIZE = 64 << 20
TARGETS = {"a GET of 27 bytes": "target 300", "an echo of 200 bytes by WebSocket": "target 25"}

_NGINX = """
daemon off; master_process on; worker_processes 1; worker_rlimit_nofile 60000;
pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 30000; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    client_max_body_size 100m; proxy_request_buffering off; proxy_buffering on; proxy_max_temp_file_size 0;
    keepalive_requests 1000000000; proxy_http_version 1.1;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location / {{
            proxy_pass http://origin;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 3600s;
        }}
    }}
}}
"""


@contextmanager
def _process(command: list[str], port: int, environ: dict[str, str] | None = None) -> Iterator[int]:
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        reachable(port)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()


def _gateway(stack: ExitStack, origin: int) -> tuple[int, int]:
    port, metrics = free_ports(2)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MESSENGER_")}
    environ |= {
        f"MESSENGER_GATEWAY__{name}": f"127.0.0.1:{origin}" for name in ("AUTH", "MESSAGE", "FILE", "KEY")
    }
    environ |= {
        "MESSENGER_GATEWAY__LISTEN": f"tcp:{port}:interface=127.0.0.1",
        "MESSENGER_GATEWAY__METRICS_LISTEN": f"tcp:{metrics}:interface=127.0.0.1",
        "MESSENGER_GATEWAY__CONNECTIONS_BY_ADDRESS": "0",
    }
    command = [sys.executable, "-m", "twisted", "messenger-gateway"]
    return port, stack.enter_context(_process(command, port, environ))


def _nginx(stack: ExitStack, origin: int, program: str) -> tuple[int, int]:
    [port] = free_ports(1)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, origin=origin))
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return port, stack.enter_context(_process(command, port))


def _figures(name: str, port: int, pid: int) -> list[Row]:
    def cpu() -> float:
        return sum(cpu_seconds(one) for one in family(pid))

    def memory() -> int:
        return sum(memory_bytes(one) for one in family(pid))

    def streamed(move: Callable[[int, int], None]) -> float:
        before = cpu()
        for _ in range(8):
            move(port, SIZE)
        return (cpu() - before) / (8 * (SIZE >> 20)) * 1e6

    async def load() -> list[Row]:
        rows = []
        for what, kind in (
            ("a GET of 27 bytes", Requests),
            ("an echo of 200 bytes by WebSocket", Echoes),
        ):
            done, used = await loops(port, kind, 16, SECONDS, cpu)
            note = f"{done / SECONDS:,.0f}/s" + (f"; {TARGETS[what]}" if name == "gateway" else "")
            rows.append(Row(f"{name}: {what}", used / done * 1e6, "µs CPU", note))
        before = memory()
        made = await idle(port, SOCKETS)
        await asyncio.sleep(1)
        rows.append(Row(f"{name}: an idle WebSocket of {SOCKETS:,}", (memory() - before) / SOCKETS, "bytes"))
        for transport in made:
            transport.abort()
        return rows

    uvloop.install()
    rows = [
        Row(f"{name}: a MiB of a request's body", streamed(upload), "µs CPU"),
        Row(f"{name}: a MiB of an answer's body", streamed(download), "µs CPU"),
    ]
    return asyncio.run(load()) + rows


def run() -> list[Row]:
    """The gateway's figures, and nginx's beside them."""
    no_descriptor_limit()
    [origin] = free_ports(1)
    with ExitStack() as stack:
        stack.enter_context(
            _process([sys.executable, "-m", "benchmarks.gateway_origin", str(origin)], origin)
        )
        rows = _figures("gateway", *_gateway(stack, origin))
        program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if program is None:
            return [*rows, Row("nginx", 0, "", "not installed: nothing to compare with")]
        return rows + _figures("nginx", *_nginx(stack, origin, program))
