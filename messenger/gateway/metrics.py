"""The gateway's own metrics, beside those of requests: connections, sockets and upstreams, read when asked
for."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from messenger.core.http.site import Site
from messenger.core.metrics import build_info
from messenger.gateway.app import Gateway, Mount
from messenger.gateway.upstream import Upstream


class GatewayMetrics(Collector):
    """Registers itself in `registry`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        gateway: Gateway,
        services: Mapping[str, Upstream | Mount],
        site: Site,
    ) -> None:
        self._gateway = gateway
        self._upstreams = [one for one in services.values() if isinstance(one, Upstream)]
        self._site = site
        ProcessCollector(registry=registry)
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Today's values."""
        yield build_info()
        yield GaugeMetricFamily(
            "messenger_gateway_connections", "Open HTTP connections.", value=self._site.connections
        )
        yield CounterMetricFamily(
            "messenger_gateway_rejected_connections",
            "Connections beyond a limit, or that came during the stop.",
            value=self._site.rejected,
        )
        relay = self._gateway.relay
        yield GaugeMetricFamily(
            "messenger_gateway_sockets", "Relayed WebSockets.", value=relay.open if relay is not None else 0
        )
        in_flight = GaugeMetricFamily(
            "messenger_gateway_upstream_requests", "Requests under way, by service.", labels=["service"]
        )
        resting = GaugeMetricFamily(
            "messenger_gateway_upstream_resting",
            "Instances that can't be reached and are left alone for now, by service.",
            labels=["service"],
        )
        for upstream in self._upstreams:
            in_flight.add_metric([upstream.name], upstream.in_flight)
            resting.add_metric([upstream.name], upstream.resting)
        yield in_flight
        yield resting
