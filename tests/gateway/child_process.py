"""The process that child.py is, for tests: its ports, its memory, its end."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil

HERE = Path(__file__).parent


class Child:
    def __init__(self, log, *arguments):
        environ = dict(os.environ, PYTHONPATH=str(HERE.parents[1]))
        command = [sys.executable, str(HERE / "child.py"), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ)
        line = self.process.stdout.readline()
        assert line, "the child did not start"
        self.port, self.service_port = map(int, line.split())
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def resident(self):
        """Megabytes."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def raw(self, data=b""):
        made = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        made.sendall(data)
        return made

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()
