"""A primary dies, its standby takes over: what was answered for stays, or its sender sends it again."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from messenger.core.database.refusals import NoPrimary
from tests.cluster.failing_over import Talker, finish, ready_again, stored
from tests.cluster.patroni import Couple
from tests.cluster.postgres_pair import Pair, pair
from tests.system.people import PASSWORD, Person, unique
from tests.system.stack import Stack, free_ports, running
from tests.system.waiting import until

pytestmark = pytest.mark.system
BEFORE, BETWEEN, AFTER = 1.0, 1.0, 2.0  # seconds of talk


@contextmanager
def served(folder: Path, hosts: str, **more: str) -> Iterator[Stack]:
    """A server of one process on these hosts of PostgreSQL."""
    settings = {
        "MESSENGER_DATABASE__HOST": hosts,
        "MESSENGER_DATABASE__SSLMODE": "disable",
        "MESSENGER_GATEWAY__RECONNECT_SPREAD": "1",
        **more,
    }
    with running(Stack(folder, "one", settings)) as stack:
        yield stack


async def talk(stack: Stack, servers: Pair | Couple, times: int, behind: float = 0.0) -> list[Talker]:
    """Two talk while the primary is killed so many times, once its standby got nothing for `behind` seconds.

    Prints how long it took from the promotion until `/ready` said yes.
    """
    ann, ben = Person(stack.url, "ann"), Person(stack.url, "ben")
    conversation = ann.direct(ben)
    talkers = [Talker(one, stack.url, conversation) for one in (ann, ben)]
    tasks = [asyncio.create_task(one.run()) for one in talkers]
    try:
        for number in range(times):
            await asyncio.sleep(BEFORE)
            if behind:
                assert isinstance(servers, Pair)
                await asyncio.to_thread(servers.standby.cut_off)
                await asyncio.sleep(behind)
            await asyncio.to_thread(servers.fail_over)
            print(f"ready {await ready_again(stack.url):.2f} s after promotion {number + 1}")
            await asyncio.sleep(BETWEEN)
            if number + 1 < times:
                await asyncio.to_thread(servers.rebuild)
        await asyncio.sleep(AFTER)
        await finish(talkers)
    finally:
        for task in tasks:
            task.cancel()
    return talkers


def check(talkers: list[Talker], *, order: bool) -> None:
    """All that was answered for is stored once, and came to the other; what each wrote in its order."""
    places = stored(talkers[0].person, talkers[0].conversation)
    assert len(places) == len(set(places))
    for one, other in (talkers, talkers[::-1]):
        assert set(one.answered) <= set(places), "what was answered for is lost"
        assert set(one.numbers) <= set(other.got), "what was answered for has not come"
        assert one.wrong == []
        if order:
            numbers = [one.numbers[name] for name in places if name in one.numbers]
            assert numbers == sorted(numbers)
            came = [one.numbers[name] for name in other.got]
            assert came == sorted(came)


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
def test_a_standby_in_step_takes_over(tmp_path: Path, times: int) -> None:
    with pair(tmp_path, synchronous=True) as servers, served(tmp_path / "s", servers.hosts) as stack:
        talkers = asyncio.run(talk(stack, servers, times))
        check(talkers, order=True)
    assert all(len(one.epochs) == times + 1 for one in talkers)


@pytest.mark.long
def test_a_standby_that_was_behind_takes_over(tmp_path: Path) -> None:
    with pair(tmp_path, synchronous=False) as servers, served(tmp_path / "s", servers.hosts) as stack:
        talkers = asyncio.run(talk(stack, servers, 3, behind=3.0))
        check(talkers, order=False)
    again = sum(len(times) > 1 for one in talkers for times in one.got.values())
    print(f"{again} of {sum(len(one.got) for one in talkers)} were lost and came again")
    assert again


@pytest.mark.long
def test_a_first_host_that_says_nothing_stops_no_start(tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    (port,) = free_ports(1)
    with silent, pair(tmp_path, synchronous=False) as servers:
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{port},{servers.hosts}"
        with served(tmp_path / "s", hosts) as stack:
            stack.processes["messenger"].terminate()
            stack.processes["messenger"].ended()
            began = time.monotonic()
            stack.restart("messenger")
            asyncio.run(ready_again(stack.url))
            print(f"ready {time.monotonic() - began:.2f} s after the start")


@pytest.mark.long
def test_a_first_host_that_says_nothing_stops_no_service_and_no_command(tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    (port,) = free_ports(1)
    with silent, running(Stack(tmp_path, "apart")) as stack:
        one = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{port},127.0.0.1:"
        hosts = {"MESSENGER_DATABASE__HOST": f"{one}{stack.engines['postgres_port']}"}
        for name, process in stack.processes.items():
            if name == "engines":
                continue
            process.terminate()
            process.ended()
            process.environment |= hosts
            began = time.monotonic()
            stack.restart(name)
            url = f"http://127.0.0.1:{stack.ports[name]}"
            asyncio.run(ready_again(url))
            print(f"{name} is ready {time.monotonic() - began:.2f} s after its start")
        stack.wait_ready()
        stack.admin_environment |= hosts
        for command in ("status", "migrate", "check", "users list", "keys list"):
            began = time.monotonic()
            stack.run_admin(*command.split())
            print(f"messenger-admin {command}: {time.monotonic() - began:.2f} s")


@pytest.mark.long
def test_without_a_primary_it_is_not_ready_until_there_is_one(tmp_path: Path) -> None:
    with pair(tmp_path, synchronous=True) as servers, served(tmp_path / "s", servers.hosts) as stack:
        Person(stack.url, "ann")
        servers.primary.kill()
        print(f"it says so {seconds_until(stack, NoPrimary.state):.2f} s after the primary died")
        servers.take_over()
        print(f"ready {asyncio.run(ready_again(stack.url)):.2f} s after promotion")
        Person(stack.url, "ben")


@pytest.mark.long
def test_a_primary_that_hangs_is_left_for_the_one_that_took_over(tmp_path: Path) -> None:
    with pair(tmp_path, synchronous=True) as servers, served(tmp_path / "s", servers.hosts) as stack:
        Person(stack.url, "ann")
        servers.primary.hang()
        servers.take_over()
        # `/ready` may still say what it found before: who registers finds out.
        print(f"it writes {seconds_until_registered(stack, 'ben'):.2f} s after promotion")
        assert httpx.get(f"{stack.url}/ready", timeout=10).status_code == 200


def seconds_until_registered(stack: Stack, name: str) -> float:
    """Seconds until somebody of that name is registered; until then it is 503."""
    began = time.monotonic()

    def registered() -> bool:
        asked = {"username": unique(name), "password": PASSWORD}
        answer = httpx.post(f"{stack.url}/api/v1/auth/register", json=asked, timeout=30)
        assert answer.status_code in (201, 503), answer.text
        return answer.status_code == 201

    until(registered, 30.0, 0.1)
    return time.monotonic() - began


def seconds_until(stack: Stack, said: str) -> float:
    """Seconds until `/ready` says no for that reason."""
    began = time.monotonic()

    def says() -> bool:
        answer = httpx.get(f"{stack.url}/ready", timeout=10)
        return answer.status_code == 503 and said in answer.text

    until(says, 30.0, 0.02)
    return time.monotonic() - began
