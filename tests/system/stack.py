"""Starts the system as an administrator would, and breaks it as the night does.

Two forms. `one` is `twist messenger`, engines embedded. `apart` is each service as its own process behind the
real gateway, on engines of their own process, as many instances as asked for. Tests use ordinary HTTP and
WebSocket clients on `stack.url`; there is no reactor in the test process.

Each test makes its own users and conversations, which share nothing with those of other tests: that is what
keeps their data clean on a stack that is started once.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import psycopg2

from tests.system.engine_faults import OTHER_S3, EngineFaults
from tests.system.process import Process
from tests.system.waiting import until

READY_SECONDS = 90.0
SERVICES = ("auth", "message", "key", "file")
ENGINES = ("postgres", "nats", "valkey", "seaweedfs")

# What would make a test slow or stop it short; a test of the limits sets them again.
OPEN = {
    "MESSENGER_AUTH__BCRYPT_COST": "4",
    "MESSENGER_LIMITS__REGISTER": "off",
    "MESSENGER_LIMITS__LOGIN": "off",
    "MESSENGER_LIMITS__CLAIM": "off",
    "MESSENGER_LIMITS__SEND": "off",
    "MESSENGER_LIMITS__FRAME": "off",
    "MESSENGER_LIMITS__UPLOAD": "off",
    "MESSENGER_LIMITS__OTHER": "off",
    "MESSENGER_LIMITS__GROUP": "off",
    "MESSENGER_LIMITS__STRANGER": "off",
    "MESSENGER_LIMITS__GUESS": "off",
    "MESSENGER_LIMITS__GUESS_ADDRESS": "off",
}


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Stack(EngineFaults):
    """A whole system. `settings` are environment variables on top of what the form needs.

    In the form `apart` there are `instances` of the gateway and of the message service, one of the others;
    `counts` says otherwise, by service. `programs` says what starts a service in place of `-m twisted`.
    """

    def __init__(
        self,
        folder: Path,
        form: str = "one",
        settings: dict[str, str] | None = None,
        instances: int = 2,
        counts: dict[str, int] | None = None,
        programs: dict[str, list[str]] | None = None,
    ) -> None:
        self.folder = folder
        self.form = form
        self.data = folder / "var"
        self.logs = folder / "log"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.processes: dict[str, Process] = {}
        self.ports: dict[str, int] = {}
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")
        }
        self._settings = settings or {}
        self._environment |= {"PYTHONUNBUFFERED": "1", **OPEN, **self._settings}
        self._instances = instances
        self._counts = {"auth": 1, "key": 1, "file": 1, "message": instances, **(counts or {})}
        self._programs = programs or {}
        self.engines: dict[str, Any] = {}
        self.bucket = "messenger-files"
        if form == "one":
            self._plan_one()
        else:
            self._plan_apart()

    # what runs

    def _process(self, name: str, arguments: list[str], extra: dict[str, str]) -> Process:
        process = Process(name, arguments, {**self._environment, **extra}, self.logs / f"{name}.log")
        self.processes[name] = process
        return process

    def _plan_one(self) -> None:
        names = ["gateway", "gateway-metrics", *SERVICES]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._process(
            "messenger",
            [sys.executable, "-m", "twisted", "messenger", "--data", str(self.data)],
            {
                "MESSENGER_GATEWAY__LISTEN": _endpoint(self.ports["gateway"]),
                "MESSENGER_GATEWAY__METRICS_LISTEN": _endpoint(self.ports["gateway-metrics"]),
                **{f"MESSENGER_{name.upper()}__LISTEN": _endpoint(self.ports[name]) for name in SERVICES},
            },
        )

    def _plan_apart(self) -> None:
        self._process(
            "engines",
            [sys.executable, "-m", "messenger.standalone.engines", "--data", str(self.data)],
            {},
        ).stdin = subprocess.PIPE
        count = {**self._counts, "gateway": self._instances}
        names = [f"{name}-{number}" for name, many in count.items() for number in range(1, many + 1)]
        names += [f"gateway-metrics-{number}" for number in range(1, self._instances + 1)]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        upstreams = {
            f"MESSENGER_GATEWAY__{service.upper()}": ",".join(
                f"127.0.0.1:{self.ports[f'{service}-{number}']}" for number in range(1, count[service] + 1)
            )
            for service in SERVICES
        }
        for name in names:
            service, _, number = name.rpartition("-")
            if service == "gateway-metrics":
                continue
            extra = {f"MESSENGER_{service.upper()}__LISTEN": _endpoint(self.ports[name])}
            if service == "gateway":
                extra |= upstreams
                extra["MESSENGER_GATEWAY__METRICS_LISTEN"] = _endpoint(
                    self.ports[f"gateway-metrics-{number}"]
                )
            program = self._programs.get(service, ["-m", "twisted"])
            self._process(name, [sys.executable, *program, f"messenger-{service}"], extra)

    # start and stop

    def start(self) -> None:
        """Return once everything is ready to be used."""
        if self.form == "apart":
            self.start_engines()
        self.start_services()

    def start_services(self) -> None:
        """Start all but the engines of the form `apart`, which run; returns once everything is ready."""
        if self.form == "apart":
            self.run_admin("migrate")
        for name, process in self.processes.items():
            if name != "engines":
                process.start()
        self.wait_ready()

    def start_engines(self) -> None:
        """Start the engines of the form `apart`, and let the services know where they are."""
        process = self.processes["engines"]
        process.start()
        line = until(lambda: _json_line(process), READY_SECONDS)
        self.engines = line["addresses"]
        secrets = json.loads(Path(line["secrets"]).read_text())
        if OTHER_S3:
            self._use_other_s3()
        shared = {
            "MESSENGER_DATABASE__HOST": self.engines["postgres_host"],
            "MESSENGER_DATABASE__PORT": str(self.engines["postgres_port"]),
            "MESSENGER_DATABASE__NAME": self.engines["postgres_database"],
            "MESSENGER_DATABASE__ADMIN_USER": self.engines["postgres_superuser"],
            "MESSENGER_NATS__URL": "nats://" + self.engines["nats_url"].rpartition("@")[2],
            "MESSENGER_NATS__USER": secrets["nats_user"],
            "MESSENGER_NATS__PASSWORD": secrets["nats_password"],
            "MESSENGER_REDIS__URL": "redis://" + self.engines["redis_url"].rpartition("@")[2],
            "MESSENGER_REDIS__PASSWORD": secrets["valkey_password"],
            "MESSENGER_S3__ENDPOINT": self.engines["s3_endpoint"],
            "MESSENGER_S3__REGION": self.engines["s3_region"],
            "MESSENGER_S3__ACCESS_KEY": self.engines["s3_access_key"],
            "MESSENGER_S3__SECRET_KEY": self.engines["s3_secret_key"],
            "MESSENGER_S3__BUCKET": self.bucket,
        }
        self.admin_environment = {
            **self._environment,
            **shared,
            "MESSENGER_DATABASE__ADMIN_PASSWORD": secrets["postgres_password"],
            "MESSENGER_AUTH__SIGNING_SECRET": secrets["token_secret"],
        }
        for schema, password in secrets["database_passwords"].items():
            self.admin_environment[f"MESSENGER_{schema.upper()}__DATABASE_PASSWORD"] = password
        for name, one in self.processes.items():
            service = name.rpartition("-")[0]
            if service in SERVICES:
                one.environment |= {**shared, **self._settings}
                password = secrets["database_passwords"][service]
                one.environment[f"MESSENGER_{service.upper()}__DATABASE_PASSWORD"] = password
            if service == "auth":
                one.environment["MESSENGER_AUTH__SIGNING_SECRET"] = secrets["token_secret"]

    def _use_other_s3(self) -> None:
        """Have the files in the S3 that MESSENGER_TEST_S3_* name (tests/minio.py), in a bucket of our own."""
        self.bucket = f"test-{token_hex(8)}"
        self.engines |= {
            "s3_endpoint": OTHER_S3,
            "s3_region": os.environ.get("MESSENGER_TEST_S3_REGION", "us-east-1"),
            "s3_access_key": os.environ["MESSENGER_TEST_S3_ACCESS_KEY"],
            "s3_secret_key": os.environ["MESSENGER_TEST_S3_SECRET_KEY"],
        }

    def database(self) -> psycopg2.extensions.connection:
        """A connection of PostgreSQL's administrator, on which each statement is committed by itself."""
        found = self.admin_environment
        connection = psycopg2.connect(
            host=found["MESSENGER_DATABASE__HOST"],
            port=found["MESSENGER_DATABASE__PORT"],
            dbname=found["MESSENGER_DATABASE__NAME"],
            user=found["MESSENGER_DATABASE__ADMIN_USER"],
            password=found["MESSENGER_DATABASE__ADMIN_PASSWORD"],
        )
        connection.autocommit = True
        return connection

    def run_admin(self, *arguments: str) -> str:
        """What `messenger-admin` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "messenger.admin.main", *arguments],
            env=self.admin_environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return once every gateway says that all services are ready."""
        for url in self.urls:
            self._wait_ready(url, seconds)

    def _wait_ready(self, url: str, seconds: float) -> None:
        def ready() -> bool:
            for name, process in self.processes.items():
                ended = process.popen is not None and process.popen.poll() is not None
                assert not ended, f"{name} has ended:\n{process.text()[-3000:]}"
            try:
                answer = httpx.get(f"{url}/ready", timeout=5)
            except httpx.TransportError as error:
                said.append(repr(error))
                return False
            said.append(answer.text)
            return answer.status_code == 200

        said: list[str] = []
        try:
            until(ready, seconds, 0.1)
        except AssertionError as error:
            raise AssertionError(f"{url} is not ready: {said[-1] if said else error}") from None

    def stop(self) -> None:
        """Stop everything: services first, engines last."""
        names = [name for name in self.processes if name != "engines"]
        for name in names:
            self.processes[name].terminate()
        failed = [name for name in names if not self.processes[name].ends()]
        if "engines" in self.processes:
            self.processes["engines"].terminate()
            self.processes["engines"].ended()
        assert not failed, f"did not stop in time: {failed}"

    # faults

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a service a signal; after SIGKILL it is gone when this returns."""
        process = self.processes[name]
        process.send(number)
        if number == signal.SIGKILL:
            process.wait()

    def restart(self, name: str) -> None:
        """Start a service that has ended."""
        self.processes[name].start()

    # addresses

    @property
    def urls(self) -> list[str]:
        """Where the gateways are."""
        names = ["gateway"] if self.form == "one" else [f"gateway-{n}" for n in range(1, self._instances + 1)]
        return [f"http://127.0.0.1:{self.ports[name]}" for name in names]

    @property
    def url(self) -> str:
        """Where the first gateway is."""
        return self.urls[0]

    def service_url(self, service: str) -> str:
        """A service's own port, which the gateway hides: of its first instance, or of the one named."""
        return f"http://127.0.0.1:{self.ports.get(service) or self.ports[f'{service}-1']}"

    def log_text(self) -> str:
        """Everything that all processes and engines have logged."""
        files = [*self.logs.glob("*.log"), *(self.data / "log").glob("*")]
        return "".join(path.read_text(errors="replace") for path in files if path.is_file())


@contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """A stack that is started, and stopped whatever happens."""
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def _endpoint(port: int) -> str:
    return f"tcp:{port}:interface=127.0.0.1"


def _json_line(process: Process) -> dict[str, Any] | None:
    assert process.running(), process.text()[-3000:]
    for line in process.text().splitlines():
        if line.startswith('{"addresses"'):
            found: dict[str, Any] = json.loads(line)
            return found
    return None
