"""The reactor: Twisted's on uvloop, chosen before `twist` takes its default.

Each test is a process of its own, since a process has one reactor.
"""

import subprocess
import sys

import pytest

LONG = 60  # seconds until a test that hangs gives up


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LONG, check=False
    )


def printed(program: str) -> list[str]:
    done = python(program)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_is_asyncio_s_on_uvloop_and_tells_the_time_of_day() -> None:
    kind, loop, seconds = printed(
        "from messenger.core.reactor import install_reactor; install_reactor()\n"
        "from twisted.internet import reactor\n"
        "import time\n"
        "print(type(reactor).__name__)\n"
        "print(type(reactor._asyncioEventloop).__module__)\n"
        "print(abs(reactor.seconds() - time.time()) < 1)\n"
    )
    assert (kind, loop, seconds) == ("AsyncioSelectorReactor", "uvloop", "True")


def test_a_second_install_is_none() -> None:
    assert printed(
        "from messenger.core.reactor import install_reactor; install_reactor()\n"
        "from twisted.internet import reactor\n"
        "install_reactor()\n"
        "import twisted.internet\n"
        "print(twisted.internet.reactor is reactor)\n"
    ) == ["True"]


@pytest.mark.parametrize("name", ["epollreactor", "selectreactor"])
def test_another_reactor_is_a_clear_error(name: str) -> None:
    [line] = printed(
        f"from twisted.internet import {name}; {name}.install()\n"
        "from twisted.python.usage import UsageError\n"
        "from messenger.core.reactor import install_reactor\n"
        "try:\n"
        "    install_reactor()\n"
        "except UsageError as error:\n"
        "    print(error)\n"
    )
    assert "without --reactor" in line


def test_importing_installs_nothing() -> None:
    """`twist --help` lists the services: that must not choose a reactor."""
    assert printed(
        "import messenger.core.reactor, twisted.plugins.messenger_plugins, sys\n"
        "print('twisted.internet.reactor' in sys.modules, 'uvloop' in sys.modules)\n"
    ) == ["False False"]


CHILD = """
from messenger.core.reactor import install_reactor
install_reactor()
from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol
import sys

class Child(ProcessProtocol):
    def processExited(self, reason):
        print("exited", reason.value.exitCode, reason.value.signal)
    def processEnded(self, reason):
        print("ended", flush=True)
        reactor.stop()

def spawn():
    child = reactor.spawnProcess(
        Child(), sys.executable, [sys.executable, "-c", {program!r}], env={{}}, childFDs={fds}
    )
    {then}

reactor.callWhenRunning(spawn)
reactor.callLater(40, lambda: (print("never noticed"), reactor.stop()))
reactor.run()
"""


@pytest.mark.parametrize("fds", ["{}", "{1: 1}", "{0: 'w', 1: 'r', 2: 'r'}"])
def test_the_end_of_a_child_is_noticed(fds: str) -> None:
    """Without a pipe to it, only SIGCHLD tells."""
    program = CHILD.format(program="raise SystemExit(7)", fds=fds, then="pass")
    assert printed(program) == ["exited 7 None", "ended"]


def test_the_end_of_a_child_by_a_signal_is_noticed() -> None:
    program = CHILD.format(
        program="import signal; signal.pause()", fds="{}", then="child.signalProcess('KILL')"
    )
    assert printed(program) == ["exited None 9", "ended"]


def test_as_many_sockets_as_the_hard_limit_says() -> None:
    assert printed(
        "import resource\n"
        "from messenger.core.reactor import install_reactor\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n"
        "install_reactor()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))\n"
    ) == ["True"]


@pytest.mark.parametrize("then", ["reactor.callLater(0.1, self.transport.write, bytes(1000))", "pass"])
def test_a_reset_behind_the_last_bytes_is_a_lost_connection(then: str) -> None:
    program = (
        "from messenger.core.reactor import install_reactor; install_reactor()\n"
        "import socket, struct\n"
        "from twisted.internet import reactor\n"
        "from twisted.internet.protocol import Protocol, ServerFactory\n"
        "class Server(Protocol):\n"
        "    def connectionMade(self):\n"
        "        self.transport.pauseProducing()\n"
        "        client.sendall(b'bytes')\n"
        "        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
        "        client.close()\n"
        "        reactor.callLater(0.1, self.transport.resumeProducing)\n"
        "    def dataReceived(self, data):\n"
        "        print(data.decode())\n"
        f"        {then}\n"
        "    def connectionLost(self, reason):\n"
        "        print('lost')\n"
        "        reactor.callLater(0, lambda: reactor.running and reactor.stop())\n"
        "factory = ServerFactory()\n"
        "factory.protocol = Server\n"
        "port = reactor.listenTCP(0, factory, interface='127.0.0.1')\n"
        "client = socket.create_connection(('127.0.0.1', port.getHost().port))\n"
        "reactor.callLater(5, lambda: (print('late'), reactor.stop()))\n"
        "reactor.run()\n"
    )
    done = python(program)
    assert done.stdout.split() in (["bytes", "lost"], ["lost"]), done.stderr
    assert "RuntimeError" not in done.stderr


def test_long_delays_end_together_and_none_too_early() -> None:
    [together, slack, early, turns] = printed(
        "from messenger.core.reactor import SLACK, install_reactor; install_reactor()\n"
        "from twisted.internet import reactor\n"
        "began, due = reactor.seconds(), {}\n"
        "for number in range(100):\n"
        "    delay = 1.0 + number / 200\n"
        "    due[delay] = reactor.callLater(delay, lambda: None).getTime() - began\n"
        "print(len({round(one, 3) for one in due.values()}))\n"
        "print(all(delay <= one <= delay * (1 + SLACK) + 0.1 for delay, one in due.items()))\n"
        "turns, on_timer = 0, reactor._onTimer\n"
        "def count():\n"
        "    global turns\n"
        "    turns += 1\n"
        "    on_timer()\n"
        "reactor._onTimer = count\n"
        "early = 0\n"
        "def again(left, due):\n"
        "    global early\n"
        "    early += reactor.seconds() < due\n"
        "    if left:\n"
        "        reactor.callLater(0.0105, again, left - 1, reactor.seconds() + 0.0105)\n"
        "    else:\n"
        "        reactor.stop()\n"
        "reactor.callLater(0, again, 20, 0)\n"
        "reactor.run()\n"
        "print(early)\n"
        "print(turns)\n"
    )
    assert int(together) <= 5
    assert (slack, early) == ("True", "0")
    assert int(turns) <= 3 * 21
