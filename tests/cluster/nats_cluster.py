"""Three servers of NATS that are a cluster, on loopback or on machines of their own (network.py)."""

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from messenger.standalone.engines.wheels import find_programs
from tests.cluster.network import Machine
from tests.system.process import Process
from tests.system.stack import free_ports
from tests.system.waiting import until

FORM_SECONDS = 60.0
SIZE = 3


class Node:
    """One server, at `host`; `inside` is what a command line begins with that runs on its machine."""

    def __init__(self, folder: Path, number: int, host: str, ports: list[int], inside: list[str]) -> None:
        self.name = f"nats-{number}"
        self.host = host
        self.port, self.cluster_port, self.monitor_port = ports
        self._store = folder / self.name
        self._configuration = folder / f"{self.name}.json"
        arguments = [*inside, str(find_programs().nats), "-c", str(self._configuration)]
        self.process = Process(self.name, arguments, dict(os.environ), folder / f"{self.name}.log")

    def write(self, nodes: Sequence["Node"]) -> None:
        """Its configuration, which names all."""
        self._configuration.write_text(
            json.dumps(
                {
                    "server_name": self.name,
                    "listen": f"{self.host}:{self.port}",
                    "http": f"{self.host}:{self.monitor_port}",
                    "jetstream": {"store_dir": str(self._store), "max_file_store": 8 << 30},
                    "cluster": {
                        "name": "messenger",
                        "listen": f"{self.host}:{self.cluster_port}",
                        "routes": [
                            f"nats://{one.host}:{one.cluster_port}" for one in nodes if one is not self
                        ],
                    },
                }
            )
        )

    def start(self) -> None:
        self.process.start()

    def kill(self) -> None:
        self.process.send(signal.SIGKILL)
        self.process.wait()

    def monitor(self, path: str) -> dict[str, Any] | None:
        """What its monitoring says; None where it does not answer."""
        try:
            found: dict[str, Any] = httpx.get(
                f"http://{self.host}:{self.monitor_port}/{path}", timeout=1
            ).json()
        except (httpx.HTTPError, ValueError):
            return None
        return found

    def leader(self) -> str:
        """Whom it knows as the leader of all."""
        meta = (self.monitor("jsz") or {}).get("meta_cluster") or {}
        return str(meta.get("leader") or "")

    def clients(self) -> set[str]:
        """The names of who is connected to it."""
        return {one.get("name", "") for one in (self.monitor("connz") or {}).get("connections", ())}


class NatsCluster:
    """Three nodes, on `machines` where there are any."""

    def __init__(self, folder: Path, machines: Sequence[Machine] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ports = free_ports(3 * SIZE)
        places = [(one.host, one.inside) for one in machines] or [("127.0.0.1", [])] * SIZE
        self.nodes = [
            Node(folder, number, host, ports[3 * number - 3 : 3 * number], inside)
            for number, (host, inside) in enumerate(places[:SIZE], 1)
        ]
        for node in self.nodes:
            node.write(self.nodes)

    @property
    def settings(self) -> dict[str, str]:
        """What services have to be told."""
        return {
            "MESSENGER_NATS__URL": ",".join(f"nats://{one.host}:{one.port}" for one in self.nodes),
            "MESSENGER_NATS__USER": "",
            "MESSENGER_NATS__PASSWORD": "",
            "MESSENGER_NATS__REPLICAS": str(SIZE),
        }

    def start(self, nodes: Sequence[Node] | None = None) -> None:
        """Start these, or all, and wait until they have a leader."""
        started = self.nodes if nodes is None else nodes
        for node in started:
            node.start()
        until(lambda: all(node.leader() for node in started), FORM_SECONDS, 0.1)

    def restart(self, node: Node) -> None:
        """Start a node that has ended, and wait until it is one of all again."""
        node.start()
        self.whole()

    def whole(self) -> None:
        """Wait until all follow one leader, and all copies are up to date."""
        until(lambda: len({node.leader() for node in self.nodes} - {""}) == 1, FORM_SECONDS, 0.1)
        until(lambda: all(self._healthy(node) for node in self.nodes), FORM_SECONDS, 0.1)

    def streams(self) -> dict[str, str]:
        """When each stream was made, by its name."""
        found = self.nodes[0].monitor("jsz?streams=true&config=true") or {}
        return {
            one["name"]: one["created"]
            for account in found.get("account_details", ())
            for one in account.get("stream_detail", ())
        }

    @staticmethod
    def _healthy(node: Node) -> bool:
        return (node.monitor("healthz") or {}).get("status") == "ok"

    def stop(self) -> None:
        """End all that run."""
        for node in self.nodes:
            node.process.terminate()
        for node in self.nodes:
            node.process.ended()
