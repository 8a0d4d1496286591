"""A port that was free when it was chosen and is another's when its engine starts: others are tried."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from messenger.core.lifecycle import StartError
from messenger.standalone.engines import engines as module
from messenger.standalone.engines.engines import START_TRIES, Engines
from messenger.standalone.engines.process import Traces
from messenger.standalone.engines.supervisor import PortTaken


class FakeSupervisor:
    """Starts as `fate` says of its engine's title, which may also raise."""

    fate: Callable[[str], "Deferred[None]"]
    made: list["FakeSupervisor"]

    def __init__(self, _reactor: object, _launcher: object, engine: Any) -> None:
        self.title = engine.title
        self.stopped = False
        self.made.append(self)

    async def start(self) -> None:
        await type(self).fate(self.title)

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engines:
    program = Path("/bin/true")
    programs = SimpleNamespace(postgres=program, nats=program, valkey=program, seaweedfs=program)
    monkeypatch.setattr(module, "find_programs", lambda: programs)
    monkeypatch.setattr(module, "account_for", lambda *_: None)
    monkeypatch.setattr(module, "deferToThreadPool", lambda *_: succeed(None))
    monkeypatch.setattr(module, "Supervisor", FakeSupervisor)
    FakeSupervisor.made = []
    reactor: Any = Clock()
    reactor.getThreadPool = lambda: None
    return Engines(reactor, tmp_path / "var")


def outcome(engines: Engines) -> Any:
    """None, or what the start raises."""
    found: list[Any] = []
    ensureDeferred(engines.start()).addBoth(found.append)
    assert found, "the start does not end"
    return found[0].value if isinstance(found[0], Failure) else found[0]


def test_other_ports_are_tried_and_nothing_of_the_first_try_is_left(engines: Engines) -> None:
    refused = ["NATS", "SeaweedFS"]

    async def fate(title: str) -> None:
        if title in refused:
            refused.remove(title)
            raise PortTaken("taken")

    FakeSupervisor.fate = staticmethod(lambda title: ensureDeferred(fate(title)))
    assert outcome(engines) is None
    running = [each for each in FakeSupervisor.made if not each.stopped]
    assert len(running) == 4
    assert running == FakeSupervisor.made[-4:]
    assert refused == []


def test_the_tries_have_an_end(engines: Engines) -> None:
    async def fate(title: str) -> None:
        raise PortTaken("taken")

    FakeSupervisor.fate = staticmethod(lambda title: ensureDeferred(fate(title)))
    assert isinstance(outcome(engines), PortTaken)
    assert len(FakeSupervisor.made) == 4 * START_TRIES
    assert all(each.stopped for each in FakeSupervisor.made)


def test_what_has_another_cause_is_not_tried_again(engines: Engines) -> None:
    async def fate(title: str) -> None:
        raise StartError("no room")

    FakeSupervisor.fate = staticmethod(lambda title: ensureDeferred(fate(title)))
    assert isinstance(outcome(engines), StartError)
    assert len(FakeSupervisor.made) == 4


@pytest.mark.parametrize(
    "line",
    [
        'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
        "[7] [FTL] Error listening on port: listen tcp 127.0.0.1:4222: bind: address already in use",
        "# Warning: Could not create server TCP listening socket *:6379: bind: Address already in use",
        "F1129 s3.go:448 s3 failed to listen on grpc port 28557: bind: address already in use",
    ],
)
def test_what_engines_say_of_a_port(tmp_path: Path, line: str) -> None:
    traces = Traces(tmp_path / "x.log", tmp_path / "x.pid")
    traces.log.write_text(f"{line}\nand more\n")
    assert traces.tell_of_a_port()
    assert not traces.tell_of_a_port(traces.log.stat().st_size)
