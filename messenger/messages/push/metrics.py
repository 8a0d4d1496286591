"""Metrics of wake-ups: what became of tries, and how late push services took them."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from messenger.messages.push.courier import Result
from messenger.messages.push.wakes import Wakes


class PushMetrics(Collector):
    """Registers itself in `registry`."""

    def __init__(self, registry: CollectorRegistry, wakes: Wakes) -> None:
        self._wakes = wakes
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Today's values."""
        tries = CounterMetricFamily(
            "messenger_push_tries", "Wake-ups tried, by what became of them.", labels=["result"]
        )
        for result in Result:
            tries.add_metric([result], self._wakes.results[result])
        yield tries
        yield GaugeMetricFamily(
            "messenger_push_under_way", "Wake-ups on their way to push services.", value=self._wakes.under_way
        )
