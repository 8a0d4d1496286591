"""Metrics of limits, read when asked for. The figures are the process's; every service in it shows them."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from messenger.core.limits.limits import Limits


class LimitsMetrics(Collector):
    """Registers itself in `registry`."""

    def __init__(self, registry: CollectorRegistry, limits: Limits) -> None:
        self._limits = limits
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Today's values. Labels are the classes of `[limits]`."""
        allowed = CounterMetricFamily(
            "messenger_limits_allowed", "What was counted and let through, by class.", labels=["class"]
        )
        refused = CounterMetricFamily(
            "messenger_limits_refused", "What was refused with rate_limited, by class.", labels=["class"]
        )
        for name in self._limits.names:
            allowed.add_metric([name], self._limits.allowed[name])
            refused.add_metric([name], self._limits.refused[name])
        yield allowed
        yield refused
        yield CounterMetricFamily(
            "messenger_limits_fallbacks",
            "What the process judged by its own count because Redis was away.",
            value=self._limits.fallbacks,
        )
        yield GaugeMetricFamily(
            "messenger_limits_debts",
            "Subjects that this process counts.",
            value=len(self._limits.local),
        )
        if self._limits.shared is not None:
            yield GaugeMetricFamily(
                "messenger_limits_shared",
                "1 while Redis judges for all.",
                value=self._limits.shared,
            )
