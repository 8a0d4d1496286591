"""A histogram of seconds that costs next to nothing: for what happens to each message.

prometheus_client's own takes a lock and several calls for each observation; this one is a bisection and two
additions, and takes many equal observations at once. All of it happens in the reactor's thread.
"""

from bisect import bisect_left
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Lags(Collector):
    """Registers itself in `registry` as the histogram `name`; `bounds` are the buckets', in seconds."""

    def __init__(
        self, registry: CollectorRegistry, name: str, meaning: str, bounds: tuple[float, ...] = BOUNDS
    ) -> None:
        self._name = name
        self._meaning = meaning
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count something that took `seconds` and happened so many times."""
        self._counts[bisect_left(self._bounds, seconds)] += times
        self._sum += seconds * times

    @property
    def count(self) -> int:
        """How many were counted."""
        return sum(self._counts)

    def collect(self) -> Iterable[Metric]:
        """Today's values."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((str(bound), total))
        yield HistogramMetricFamily(self._name, self._meaning, buckets=buckets, sum_value=self._sum)
