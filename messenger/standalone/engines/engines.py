"""Runs the four engines as one part of a process: all of them, or none and a line that says why.

After `start` they serve, with last time's data; after `stop`, which takes five seconds at most, they have
ended. The services are given `addresses` and `secrets` in between.
"""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, FirstError, ensureDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from messenger.core.lifecycle import StartError
from messenger.standalone.engines.account import account_for
from messenger.standalone.engines.credentials import EngineSecrets, load_or_make
from messenger.standalone.engines.datadir import ENGINES, DataDirectory
from messenger.standalone.engines.leftovers import Ladder, end_leftover
from messenger.standalone.engines.nats import Nats
from messenger.standalone.engines.ports import HOST, SEAWEEDFS, EnginePorts, assign, recall
from messenger.standalone.engines.postgres import DATABASE, SUPERUSER, Postgres
from messenger.standalone.engines.process import Launcher
from messenger.standalone.engines.seaweedfs import SeaweedFS
from messenger.standalone.engines.supervisor import Engine, PortTaken, Supervisor
from messenger.standalone.engines.valkey import Valkey
from messenger.standalone.engines.wheels import PostgresPrograms, Programs, find_programs, within_reach

log = Logger()

START_TRIES = 5
"""A port that was free when it was chosen may be another's a moment later: two servers that start at once."""

S3_REGION = "us-east-1"

TITLES_AND_LADDERS: dict[str, tuple[str, Ladder]] = {
    "postgres": (Postgres.title, Postgres.ladder),
    "nats": (Nats.title, Nats.ladder),
    "valkey": (Valkey.title, Valkey.ladder),
    "seaweedfs": (SeaweedFS.title, SeaweedFS.ladder),
}


@dataclass(frozen=True)
class EngineAddresses:
    """Where the engines are, and how to log in. The URLs hold passwords; `repr` shows none.

    `postgres_database` exists and is empty at first. `s3_endpoint` is a URL.
    """

    postgres_host: str
    postgres_port: int
    postgres_database: str
    postgres_superuser: str
    nats_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    s3_endpoint: str
    s3_region: str
    s3_access_key: str
    s3_secret_key: str = field(repr=False)


class Engines:
    """The engines with their data in `data`, at `ports` where those are set.

    A part (see core.lifecycle) that comes first: it starts before whatever uses it, and stops after.
    """

    def __init__(self, reactor: Any, data: Path, ports: EnginePorts = EnginePorts()) -> None:  # noqa: B008
        self._reactor = reactor
        self._data = DataDirectory(data)
        self._wanted_ports = ports
        self._supervisors: dict[str, Supervisor] = {}
        self._secrets: EngineSecrets | None = None
        self._addresses: EngineAddresses | None = None
        self._stopping = False

    @property
    def addresses(self) -> EngineAddresses:
        """Where the engines are; after `start`."""
        if self._addresses is None:
            raise RuntimeError("the engines have not been started")
        return self._addresses

    @property
    def secrets(self) -> EngineSecrets:
        """Every password; after `start`."""
        if self._secrets is None:
            raise RuntimeError("the engines have not been started")
        return self._secrets

    @property
    def secrets_file(self) -> Path:
        """Where they are kept."""
        return self._data.secrets

    async def start(self) -> None:
        """Return once all engines serve. StartError if one can't; then none is left running."""
        self._stopping = False
        programs = find_programs()
        try:
            self._data.open()
        except OSError as error:
            raise self._unusable(error) from None
        try:
            await self._start(programs)
        except OSError as error:
            await self.stop()
            raise self._unusable(error) from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Return once all engines have ended, within five seconds; another server may have the data then."""
        self._stopping = True
        try:
            await _all(supervisor.stop() for supervisor in self._supervisors.values())
        finally:
            self._supervisors.clear()
            self._data.close()

    def pids(self) -> dict[str, int | None]:
        """The process id of each engine, by name; None while it doesn't run."""
        return {name: supervisor.pid for name, supervisor in self._supervisors.items()}

    async def kill(self, name: str, signal: int) -> None:
        """Send an engine a signal, for tests. If it ends by that it is started again, as after a crash."""
        self._supervisors[name].send(signal)

    async def restart(self, name: str) -> None:
        """Stop an engine properly and start it again; return once it serves."""
        await self._supervisors[name].stop()
        await self._supervisors[name].start()

    async def _start(self, programs: Programs) -> None:
        data, reactor = self._data, self._reactor
        account = account_for(data.path, data.home("postgres"))
        secrets = self._secrets = load_or_make(data.secrets, data.has_data())
        await _all(
            end_leftover(reactor, title, data.traces(name).pid_file, ladder)
            for name, (title, ladder) in TITLES_AND_LADDERS.items()
        )
        homes = {name: data.make_home(name, account) for name in ENGINES if name != "postgres"}
        postgres = await deferToThreadPool(
            reactor, reactor.getThreadPool(), within_reach, programs.postgres, account
        )
        launcher = Launcher(reactor, account)
        for tries_left in reversed(range(START_TRIES)):
            ports = assign(self._wanted_ports, data.ports)
            engines = self._engines(launcher, programs, postgres, homes, ports, secrets)
            if self._stopping:  # the reactor may have been told to stop while the above was under way
                raise StartError("the engines were stopped before they had started")
            self._supervisors = {
                name: Supervisor(reactor, launcher, engine) for name, engine in engines.items()
            }
            try:
                await self._start_all()
                break
            except PortTaken as error:
                if not tries_left or self._stopping:
                    raise
                log.info("{error}: trying other ports", error=str(error))
        data.settle()
        self._addresses = _addresses(ports, secrets)

    async def _start_all(self) -> None:
        """Start every engine. Where one finds its port taken none runs any more when PortTaken is raised."""
        supervisors = list(self._supervisors.values())
        starting = [_begin(supervisor.start()) for supervisor in supervisors]
        try:
            await DeferredList(starting, fireOnOneErrback=True, consumeErrors=True)
        except FirstError as first:
            if first.subFailure.check(PortTaken):
                await _all(supervisor.stop() for supervisor in supervisors)
                await DeferredList(starting, consumeErrors=True)  # what one prepares is not prepared twice
            first.subFailure.raiseException()

    def _engines(
        self,
        launcher: Launcher,
        programs: Programs,
        postgres: PostgresPrograms,
        homes: Mapping[str, Path],
        ports: Mapping[str, int],
        secrets: EngineSecrets,
    ) -> dict[str, Engine]:
        data, reactor = self._data, self._reactor
        return {
            "postgres": Postgres(
                reactor,
                launcher,
                postgres,
                data.home("postgres"),
                data.traces("postgres"),
                ports["postgres"],
                secrets.postgres_password,
            ),
            "nats": Nats(
                reactor,
                programs.nats,
                homes["nats"],
                data.traces("nats"),
                ports["nats"],
                secrets.nats_user,
                secrets.nats_password,
            ),
            "valkey": Valkey(
                reactor,
                programs.valkey,
                homes["valkey"],
                data.traces("valkey"),
                ports["valkey"],
                secrets.valkey_password,
            ),
            "seaweedfs": SeaweedFS(
                reactor,
                launcher.account,
                programs.seaweedfs,
                homes["seaweedfs"],
                data.traces("seaweedfs"),
                {name: port for name, port in ports.items() if name in SEAWEEDFS},
                secrets,
            ),
        }

    def _unusable(self, error: OSError) -> StartError:
        where = error.filename if error.filename is not None else self._data.path
        return StartError(f"can't use {where} for the data: {error.strerror or error}")


def _addresses(ports: Mapping[str, int], secrets: EngineSecrets) -> EngineAddresses:
    return EngineAddresses(
        postgres_host=HOST,
        postgres_port=ports["postgres"],
        postgres_database=DATABASE,
        postgres_superuser=SUPERUSER,
        nats_url=f"nats://{secrets.nats_user}:{secrets.nats_password}@{HOST}:{ports['nats']}",
        redis_url=f"redis://:{secrets.valkey_password}@{HOST}:{ports['valkey']}/0",
        s3_endpoint=f"http://{HOST}:{ports['s3']}",
        s3_region=S3_REGION,
        s3_access_key=secrets.s3_access_key,
        s3_secret_key=secrets.s3_secret_key,
    )


def known_secrets(data: Path) -> EngineSecrets:
    """The passwords of the engines whose data is in `data`; StartError where they can't be read."""
    path = DataDirectory(data).secrets
    try:
        return load_or_make(path, has_data=True)
    except OSError as error:
        raise StartError(f"{path} can't be read: {error.strerror}") from None


def remembered_addresses(data: Path) -> tuple[EngineAddresses, EngineSecrets]:
    """Where the engines of the server that runs on `data` are, and their passwords."""
    secrets = known_secrets(data)
    try:
        return _addresses(recall(DataDirectory(data).ports), secrets), secrets
    except KeyError:
        raise StartError(f"{data} does not say yet where its engines are: try again in a moment") from None


async def _all(coroutines: Any) -> None:
    """Run them at once; return when all have, or raise what the first raises that fails."""
    running: list[Deferred[None]] = [_begin(each) for each in coroutines]
    try:
        await DeferredList(running, fireOnOneErrback=True, consumeErrors=True)
    except FirstError as first:
        first.subFailure.raiseException()


def _begin(coroutine: Coroutine[Any, Any, None]) -> Deferred[None]:
    return ensureDeferred(coroutine)
