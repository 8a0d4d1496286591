"""Metrics of the message path: sockets, conversations, what is accepted, committed and delivered."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from messenger.messages.commits import Commits
from messenger.messages.live.hub import Hub

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 200)


def batch_sizes(registry: CollectorRegistry) -> Histogram:
    """How many drafts share a commit."""
    return Histogram(
        "messenger_commit_batch_drafts", "Drafts in one commit.", buckets=_SIZES, registry=registry
    )


class MessageMetrics(Collector):
    """Registers itself in `registry`."""

    def __init__(self, registry: CollectorRegistry, hub: Hub, commits: Commits) -> None:
        self._hub = hub
        self._commits = commits
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Today's values."""
        yield GaugeMetricFamily("messenger_sockets", "Open WebSockets.", value=self._hub.sockets)
        yield GaugeMetricFamily(
            "messenger_feeds", "Conversations with open sockets here.", value=self._hub.feeds
        )
        yield GaugeMetricFamily(
            "messenger_drafts_waiting", "Drafts that are not committed yet.", value=self._commits.waiting
        )
        yield CounterMetricFamily(
            "messenger_messages_committed", "Messages committed here.", value=self._commits.stored
        )
