"""Metrics of requests, by route template, method and status (Prometheus' conventions).

Labels come from small sets: templates of known routes or `unmatched`, methods that we serve or `other`,
statuses.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class HttpMetrics:
    """`messenger_http_requests_total` and `messenger_http_request_duration_seconds`, kept in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._total = Counter(
            "messenger_http_requests_total",
            "Requests answered, by route template, method and status.",
            ("route", "method", "status"),
            registry=registry,
        )
        self._duration = Histogram(
            "messenger_http_request_duration_seconds",
            "Seconds from a complete head to the complete answer, by route template and method.",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that took `seconds`."""
        if method not in _METHODS:
            method = "other"
        key = (route, method, status)
        children = self._children.get(key)
        if children is None:
            children = (self._total.labels(route, method, str(status)), self._duration.labels(route, method))
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)
