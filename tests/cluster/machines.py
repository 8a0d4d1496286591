"""The system on three machines, and what goes wrong with it.

On machine N run message-N and nats-N (on the third only the latter); gateways, the other services, PostgreSQL
and the rest run here. So the cables carry what instances say to PostgreSQL and to clients, and what the nodes
of NATS say to each other. Without namespaces all of it is on loopback, and no cable is there to be a bad one.
"""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.nats_cluster import NatsCluster, Node
from tests.cluster.network import NETWORK, Machine
from tests.system.checker.faults import DEAD, Fault, Nemesis
from tests.system.process import Process
from tests.system.stack import Stack
from tests.system.waiting import until

BAD = {"delay": 0.2, "jitter": 0.1, "loss": 0.05}
CUT_SECONDS = (2.0, 12.0)
BAD_SECONDS = (10.0, 30.0)
FROZEN_SECONDS = (5.0, 30.0, 60.0)
ENGINES = ("postgres", "valkey")


class Machines(Stack):
    """A stack on `machines`, with `nats`, which it starts and stops."""

    def __init__(self, folder: Path, settings: dict[str, str], machines: Sequence[Machine] = ()) -> None:
        self.nats = NatsCluster(folder / "nats", machines)
        super().__init__(folder, "apart", {**settings, **self.nats.settings})
        self.machines = list(machines)
        self._on = {f"message-{number}": machine for number, machine in enumerate(self.machines[:2], 1)}
        self._relay: Process | None = None
        for name, machine in self._on.items():
            process = self.processes[name]
            process.arguments = [*machine.inside, *process.arguments]
            process.environment |= {
                "MESSENGER_MESSAGE__LISTEN": f"tcp:{self.ports[name]}:interface={machine.host}",
                "MESSENGER_MESSAGE__TRUSTED_PROXIES": f"{NETWORK}.0.0/16",
            }
        for name, process in self.processes.items():
            if self._on and name.startswith("gateway"):
                process.environment["MESSENGER_GATEWAY__MESSAGE"] = ",".join(
                    f"{machine.host}:{self.ports[one]}" for one, machine in self._on.items()
                )

    def service_url(self, service: str) -> str:
        name = service if service in self.ports else f"{service}-1"
        host = self._on[name].host if name in self._on else "127.0.0.1"
        return f"http://{host}:{self.ports[name]}"

    def start_engines(self) -> None:
        self.nats.start()
        super().start_engines()
        if not self._on:
            return
        port = self.engines["postgres_port"]
        self._relay = Process(
            "relay",
            [
                sys.executable,
                "-m",
                "tests.cluster.relay",
                *(f"{one.outer}:{port}" for one in self._on.values()),
            ],
            self.processes["engines"].environment,
            self.logs / "relay.log",
        )
        self._relay.start()
        until(lambda: self._relay is not None and "ready" in self._relay.text())
        for name, machine in self._on.items():
            self.processes[name].environment |= {
                "MESSENGER_DATABASE__HOST": machine.outer,
                "MESSENGER_REDIS__URL": "",  # which is out of reach there; each process counts for itself
            }

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            if self._relay is not None and self._relay.running():
                self._relay.send(signal.SIGKILL)
                self._relay.wait()
            self.nats.stop()


class ClusterNemesis(Nemesis):
    """Breaks services, instances, engines, nodes of NATS and cables of a `Machines`."""

    @property
    def _machines(self) -> Machines:
        assert isinstance(self._stack, Machines)
        return self._stack

    @property
    def _nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self._machines.nats.nodes}

    def kills(self, count: int) -> list[list[Fault]]:
        """That many SIGKILLs, some of them two at once: nodes, services and engines."""
        found: list[list[Fault]] = []
        while sum(map(len, found)) < count:
            together = [self._kill()]
            if self._random.random() < 0.15 and sum(map(len, found)) + 1 < count:
                other = self._kill()
                if other.whom != together[0].whom:
                    together.append(other)
            found.append(together)
        return found

    def _kill(self) -> Fault:
        pool = self._random.choice(
            [list(self._nodes), self._services, self._services, ["postgres", "valkey"]]
        )
        return Fault("kill", self._random.choice(pool), self._random.uniform(*DEAD))

    def freezes(self) -> list[list[Fault]]:
        """A SIGSTOP of each length for each kind: a node, an instance, PostgreSQL."""
        kinds = [list(self._nodes), ["message-1", "message-2"], ["gateway-1", "gateway-2"], ["postgres"]]
        return [
            [Fault("freeze", self._random.choice(kind), seconds)]
            for seconds in FROZEN_SECONDS
            for kind in kinds
        ]

    def cables(self) -> list[list[Fault]]:
        """Each machine apart for a while, and all of them on bad cables."""
        names = [str(number) for number in range(1, len(self._machines.machines) + 1)]
        cuts = [[Fault("apart", name, self._random.uniform(*CUT_SECONDS))] for name in names]
        bad = (
            [[Fault("bad cable", name, self._random.uniform(*BAD_SECONDS)) for name in names]]
            if names
            else []
        )
        return cuts + bad

    def _do(self, fault: Fault) -> None:
        node = self._nodes.get(fault.whom)
        match fault.what:
            case "kill" if node is not None:
                node.kill()
                time.sleep(fault.seconds)
                node.start()
            case "freeze" if node is not None:
                node.process.send(signal.SIGSTOP)
                time.sleep(fault.seconds)
                node.process.send(signal.SIGCONT)
            case "apart" | "bad cable":
                machine = self._machines.machines[int(fault.whom) - 1]
                if fault.what == "apart":
                    machine.cut()
                else:
                    machine.cable(**BAD)
                time.sleep(fault.seconds)
                machine.cable()
            case _:
                super()._do(fault)
