"""A child process of a system test, and its log."""

import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 20.0


@dataclass
class Process:
    """A child process and its log."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    log: Path
    stdin: int | None = None
    handed: tuple[int, ...] = ()  # descriptors that it inherits
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, as the leader of a session of its own."""
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(
                self.arguments,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL if self.stdin is None else self.stdin,
                start_new_session=True,
                pass_fds=self.handed,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.popen is not None
        return self.popen.pid

    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self.popen is not None and self.popen.poll() is None

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Its exit status, once it has ended."""
        assert self.popen is not None
        return self.popen.wait(seconds)

    def terminate(self) -> None:
        """Ask it to end, by SIGTERM."""
        if self.running():
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)

    def ended(self) -> int | None:
        """Its exit status, once it has ended after being asked to; AssertionError where it takes too long."""
        if self.popen is None:
            return None
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.wait()
            raise AssertionError(f"{self.name} did not stop within {STOP_SECONDS:g} s") from None

    def text(self) -> str:
        """All that it has logged."""
        return self.log.read_text(errors="replace")

    def ends(self) -> bool:
        """Whether it has ended in time after being asked to."""
        try:
            self.ended()
        except AssertionError:
            return False
        return True
