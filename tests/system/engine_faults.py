"""What befalls the engines of a stack: they are killed, hang, or come back with nothing."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.system.process import Process
from tests.system.waiting import until

OTHER_S3 = os.environ.get("MESSENGER_TEST_S3_ENDPOINT", "")


class EngineFaults:
    """The part of a stack that breaks its engines; `form` and `data` are the stack's."""

    form: str
    data: Path
    processes: dict[str, Process]

    def kill_engine(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send an engine a signal; it comes back by itself after a SIGKILL."""
        os.kill(self._engine_pid(name), number)

    def _engine_pid(self, name: str) -> int:
        path = self.data / "run" / f"{name}.pid"
        if name == "seaweedfs" and OTHER_S3 and self.form == "apart":
            given = os.environ.get("MESSENGER_TEST_S3_PID_FILE")
            if not given:
                pytest.skip("this S3 is not ours to stop: MESSENGER_TEST_S3_PID_FILE names none")
            path = Path(given)
        found: int = json.loads(path.read_text())["pid"]
        return found

    def engine(self, name: str) -> psutil.Process:
        """An engine's main process."""
        return psutil.Process(self._engine_pid(name))

    def freeze_engine(self, name: str) -> Callable[[], None]:
        """Stop an engine and all of its processes by SIGSTOP; gives what lets them go on."""
        main = self.engine(name)
        main.suspend()
        frozen = [main, *main.children(recursive=True)]
        for process in frozen[1:]:
            process.suspend()

        def thaw() -> None:
            for process in reversed(frozen):
                with suppress(psutil.NoSuchProcess):
                    process.resume()

        return thaw

    def wipe_engine(self, name: str) -> None:
        """Kill an engine and delete all its data before it comes back."""
        supervisor = self.processes["messenger" if self.form == "one" else "engines"]
        supervisor.send(signal.SIGSTOP)  # or it would be back before its data is gone
        try:
            process = self.engine(name)
            process.kill()
            until(lambda: process.status() == psutil.STATUS_ZOMBIE, every=0.01)
            for entry in (self.data / name).iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        finally:
            supervisor.send(signal.SIGCONT)
