"""SeaweedFS: an S3 for encrypted blobs, all its parts in one process (`weed server`).

Not `weed mini`, which lays out its directory alike (so that one takes over what the other left) but runs an
admin server and a worker on top.

Loopback only. S3 wants the key pair; its other parts speak HTTP too, and are closed to whoever can't sign
with a key that only they have (`security.toml`). Telemetry, on by default, is off, and so are the parts that
nobody here needs. What remains open to other users of the same machine is gRPC between the parts, which knows
TLS or nothing: whoever doesn't trust them runs an S3 of their own.

It is sent away by SIGKILL after three seconds, and at once when the server has crashed: its graceful stop
waits for idle connections, half a minute if need be. Its files are in order at every moment: of what it had
acknowledged before each of ten kills in the middle of uploads, nothing was lost, nothing deleted came back.
"""

import json
import signal
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from messenger.standalone.engines import probes
from messenger.standalone.engines.account import HERE, Account, give
from messenger.standalone.engines.credentials import EngineSecrets, write_private
from messenger.standalone.engines.leftovers import Ladder
from messenger.standalone.engines.ports import GRPC_OFFSET, HOST
from messenger.standalone.engines.process import HALF_THE_CORES, Command, Traces

NICE = 5  # files can wait a moment where messages want the processor

SOCKETS = Path("/tmp")  # noqa: S108 -- SeaweedFS's choice, which no flag changes

MEMORY_GOAL = "320MiB"
"""The memory that Go's collector aims at, and no bound: sixteen uploads of 40 MB at once take a GB while they
last.

It counts 240 MiB that are set aside and hardly touched (a write buffer of 16 MiB for each of the eight
databases of its file names, and what it keeps for followers of them). With less than that plus some room it
collects without pause: with 96 MiB a seventh of a core, for an idle server.
"""

VOLUME_MEGABYTES = 256
"""A volume's size, and with it how much room its compaction needs: what is left in it is copied."""

KEY_SECONDS = 120
"""How long a part lets another in. With 10, its own choice, a busy machine cuts uploads ("wrong jwt")."""

FLAGS = {
    "dir": HERE,
    "ip": HOST,
    "ip.bind": HOST,
    "filer": "true",
    "filer.localSocket": "filer.sock",
    # The only master waits so long after a crash until it leads; its own choice, 10 s, is for clusters.
    "master.electionTimeout": "1s",
    # There is no other master to hear it.
    "master.heartbeatInterval": "900ms",
    "master.telemetry": "false",
    "master.volumeSizeLimitMB": str(VOLUME_MEGABYTES),
    "s3": "true",
    "s3.config": "s3.json",
    "s3.localSocket": "s3.sock",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    # As many as the disk holds. The number that it would work out by itself is 0 on a small disk.
    "volume.max": "100000",
    "volume.preStopSeconds": "0",
}

# One volume at a time: seven at once, its own choice, are for clusters.
# No name of a collector of crash reports: its client, with one or none, wakes ten times a second to see
# whether there is something to report, half of what an idle SeaweedFS does. With a wrong one it isn't made.
ENVIRONMENT = {
    "GOMEMLIMIT": MEMORY_GOAL,
    **HALF_THE_CORES,
    "SENTRY_DSN": "none",
    "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
}


class SeaweedFS:
    """The engine, with its volumes in the directory `home`; `ports` has s3, master, volume, filer."""

    title = "SeaweedFS"
    ladder: Ladder = ((signal.SIGTERM, 3.0),)

    def __init__(
        self,
        reactor: Any,
        account: Account | None,
        program: Path,
        home: Path,
        traces: Traces,
        ports: Mapping[str, int],
        secrets: EngineSecrets,
    ) -> None:
        self._reactor = reactor
        self._account = account
        self._program = program
        self._home = home
        self.traces = traces
        self._ports = ports
        self._secrets = secrets

    async def prepare(self) -> None:
        key = self._secrets.seaweedfs_key
        sections = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
        identity = {
            "name": "messenger",
            "credentials": [
                {"accessKey": self._secrets.s3_access_key, "secretKey": self._secrets.s3_secret_key}
            ],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        files = {
            "security.toml": "".join(
                f'[{section}]\nkey = "{key}"\nexpires_after_seconds = {KEY_SECONDS}\n' for section in sections
            ),
            "s3.json": json.dumps({"identities": [identity]}),
        }
        for name, text in files.items():
            write_private(self._home / name, text)
            give(self._home / name, self._account)
        self.tidy()

    def command(self) -> Command:
        flags = {**FLAGS, **{f"{name}.port": str(port) for name, port in self._ports.items()}}
        return Command(
            (
                str(self._program),
                "-logtostderr=true",
                f"-config_dir={HERE}",
                "server",
                *(f"-{name}={value}" for name, value in flags.items()),
            ),
            cwd=self._home,
            environment=ENVIRONMENT,
            death=signal.SIGKILL,
            nice=NICE,
        )

    async def serves(self) -> bool:
        """S3 answers, and there is room to put something (`Max` counts the volumes that there may be)."""
        s3 = probes.http(self._ports["s3"], "/healthz")
        room = probes.http(self._ports["master"], "/dir/status", rb'"Topology":\{"Max":[1-9]')
        return await probes.ask(self._reactor, s3) and await probes.ask(self._reactor, room)

    def tidy(self) -> None:
        """Remove the sockets in /tmp that bear our ports' numbers: killed, it leaves them there."""
        for name, port in self._ports.items():
            socket = SOCKETS / f"seaweedfs-{name}-grpc-{port + GRPC_OFFSET}.sock"
            try:
                status = socket.lstat()
                owner = self._account.uid if self._account is not None else status.st_uid
                if stat.S_ISSOCK(status.st_mode) and status.st_uid == owner:
                    socket.unlink()
            except (FileNotFoundError, PermissionError):
                continue
