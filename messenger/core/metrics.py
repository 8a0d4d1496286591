"""Metrics of what every service stands on: pool, bus, outbox, threads, tokens, and the process itself.

Values are read when Prometheus asks, from what the parts know anyway: counting costs nothing between.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from messenger import __version__
from messenger.core.bus.connection import Bus
from messenger.core.database.pool import Database
from messenger.core.log import state as log_state
from messenger.core.outbox import Outbox
from messenger.core.room import Room
from messenger.core.threads import Threads


class ServiceMetrics(Collector):
    """Registers itself in `registry`; `threads` are the service's pools by name, `rooms` what else it stores
    something in."""

    def __init__(
        self,
        registry: CollectorRegistry,
        database: Database,
        bus: Bus,
        outbox: Outbox,
        threads: Mapping[str, Threads] | None = None,
        rooms: Iterable[Room] = (),
    ) -> None:
        self._database = database
        self._bus = bus
        self._outbox = outbox
        self._threads = threads or {}
        self._rooms = [database.room, bus.room, *rooms]
        ProcessCollector(registry=registry)
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Today's values."""
        yield build_info()
        schema = GaugeMetricFamily(
            "messenger_schema_info",
            "Always 1; the version of the service's schema, and the one that this code was written for.",
            labels=["schema", "version", "wanted"],
        )
        for name, version in self._database.schemas.items():
            schema.add_metric([name, version, self._database.wanted], 1)
        yield schema
        connections = GaugeMetricFamily(
            "messenger_database_connections", "Connections to PostgreSQL, by state.", labels=["state"]
        )
        connections.add_metric(["idle"], self._database.idle)
        connections.add_metric(["busy"], self._database.open - self._database.idle)
        yield connections
        yield GaugeMetricFamily(
            "messenger_database_waiting", "Calls that wait for a connection.", value=self._database.waiting
        )
        yield CounterMetricFamily(
            "messenger_database_connections_lost",
            "Connections that ended unasked.",
            value=self._database.lost,
        )
        yield CounterMetricFamily(
            "messenger_database_failovers",
            "Times that a standby of PostgreSQL has taken over.",
            value=self._database.failovers,
        )
        yield GaugeMetricFamily(
            "messenger_bus_connected", "1 while NATS and its streams are there.", value=self._bus.connected
        )
        yield CounterMetricFamily(
            "messenger_bus_gaps", "Times that events may have been missed.", value=self._bus.gaps
        )
        yield CounterMetricFamily(
            "messenger_outbox_published", "Events that JetStream has taken.", value=self._outbox.published
        )
        yield GaugeMetricFamily(
            "messenger_outbox_in_flight", "Events on their way to JetStream.", value=self._outbox.in_flight
        )
        yield GaugeMetricFamily(
            "messenger_outbox_oldest_seconds",
            "Age of the oldest event left in the outbox when it was last looked at, 0 where none was.",
            value=self._outbox.oldest,
        )
        full = GaugeMetricFamily(
            "messenger_disk_full", "1 while this can't store anything for want of room.", labels=["disk"]
        )
        for room in self._rooms:
            full.add_metric([room.what], room.full)
        full.add_metric(["log"], log_state.full)
        yield full
        yield CounterMetricFamily(
            "messenger_log_lines_lost", "Log lines that found no room.", value=log_state.lost
        )
        taken = GaugeMetricFamily(
            "messenger_threads_taken", "Blocking calls that run or wait, by pool.", labels=["pool"]
        )
        limit = GaugeMetricFamily(
            "messenger_threads_limit", "Blocking calls that may run or wait, by pool.", labels=["pool"]
        )
        refused = CounterMetricFamily(
            "messenger_threads_refused", "Blocking calls that were told no (503), by pool.", labels=["pool"]
        )
        for name, pool in self._threads.items():
            taken.add_metric([name], pool.taken)
            limit.add_metric([name], pool.limit)
            refused.add_metric([name], pool.refused)
        yield taken
        yield limit
        yield refused


def build_info() -> Metric:
    """Which version runs."""
    build = GaugeMetricFamily("messenger_build_info", "Always 1; which version runs.", labels=["version"])
    build.add_metric([__version__], 1)
    return build
