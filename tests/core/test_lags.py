"""The cheap histogram shows what prometheus_client's own would."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from messenger.core.lags import BOUNDS, Lags


def samples(registry: CollectorRegistry) -> dict[str, float]:
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#") and "_created" not in line)
    return {name: float(value) for name, _, value in pairs}


def test_it_shows_what_the_library_would() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    lags = Lags(ours, "x_seconds", "A lag.")
    histogram = Histogram("x_seconds", "A lag.", buckets=BOUNDS, registry=theirs)
    for seconds in (0.0, 0.0005, 0.001, 0.0011, 0.3, 2.5, 61.0):
        lags.observe(seconds)
        histogram.observe(seconds)
    assert samples(ours) == samples(theirs)
    assert lags.count == 7


def test_many_at_once_are_many() -> None:
    registry = CollectorRegistry()
    lags = Lags(registry, "x_seconds", "A lag.")
    lags.observe(0.25, 3)
    lags.observe(0.2)
    assert samples(registry)["x_seconds_count"] == 4
    assert samples(registry)["x_seconds_sum"] == 0.95
    assert samples(registry)['x_seconds_bucket{le="0.1"}'] == 0
