"""Machines that are network namespaces, each at the end of a cable that can be cut, or be made a bad one.

Who is not allowed to make them is told by `why_not`. All machines reach each other through this one, whose
address for machine N is NETWORK.N.1 and theirs NETWORK.N.2.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.cluster.wire import open_tun
from tests.system.waiting import until

NETWORK = f"10.{100 + os.getpid() % 150}"  # so that two runs side by side hardly meet


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=10)


@cache
def why_not() -> str:
    """Why no machines can be made here; empty where they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no `ip`, of the package iproute2"
    try:
        with network(1):
            return ""
    except (OSError, subprocess.SubprocessError) as error:
        return f"no network namespaces can be made here: {getattr(error, 'stderr', '') or error}".strip()


class Machine:
    """A namespace; `host` is its address, `outer` ours as it sees us."""

    def __init__(self, number: int) -> None:
        self.host = f"{NETWORK}.{number}.2"
        self.outer = f"{NETWORK}.{number}.1"
        self._name = f"messenger-{os.getpid()}-{number}"
        self._device = f"msg{os.getpid() % 100_000}-{number}"
        self._wire: subprocess.Popen[str] | None = None

    @property
    def inside(self) -> list[str]:
        """What a command line begins with that runs there."""
        return ["ip", "netns", "exec", self._name]

    def start(self) -> None:
        """Make it, on a good cable."""
        _ip("netns", "add", self._name)
        outer = open_tun(self._device)
        try:
            self._wire = subprocess.Popen(
                [*self.inside, sys.executable, "-m", "tests.cluster.wire", str(outer)],
                stdin=subprocess.PIPE,
                text=True,
                pass_fds=[outer],
                start_new_session=True,
            )
        finally:
            os.close(outer)
        until(self._wired)
        _ip("addr", "add", self.outer, "peer", self.host, "dev", self._device)
        _ip("link", "set", self._device, "up")
        Path(f"/proc/sys/net/ipv4/conf/{self._device}/forwarding").write_text("1")
        _ip("-n", self._name, "addr", "add", self.host, "peer", self.outer, "dev", "wire")
        _ip("-n", self._name, "link", "set", "lo", "up")
        _ip("-n", self._name, "link", "set", "wire", "up")
        _ip("-n", self._name, "route", "add", "default", "via", self.outer)

    def _wired(self) -> bool:
        found = subprocess.run(
            ["ip", "-n", self._name, "link", "show", "wire"], capture_output=True, timeout=10
        )
        return found.returncode == 0

    def cable(self, *, delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> None:
        """Make the cable this bad from now on: seconds of delay, give or take `jitter`, and the share of
        packets that are lost, each way."""
        assert self._wire is not None
        assert self._wire.stdin is not None
        self._wire.stdin.write(json.dumps({"delay": delay, "jitter": jitter, "loss": loss}) + "\n")
        self._wire.stdin.flush()

    def cut(self) -> None:
        """Cut the cable; `cable` mends it."""
        self.cable(loss=1.0)

    def stop(self) -> None:
        """Take it down."""
        if self._wire is not None:
            assert self._wire.stdin is not None
            self._wire.stdin.close()
            self._wire.wait(10)
        subprocess.run(["ip", "netns", "del", self._name], check=False, capture_output=True, timeout=10)


@contextmanager
def network(count: int) -> Iterator[list[Machine]]:
    """That many machines, numbered from 1. OSError and SubprocessError where they can't be made."""
    machines = [Machine(number) for number in range(1, count + 1)]
    try:
        for machine in machines:
            machine.start()
        yield machines
    finally:
        for machine in machines:
            machine.stop()
