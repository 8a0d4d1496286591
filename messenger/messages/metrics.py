"""Metrics of the message path: sockets, and what is accepted, committed and delivered, and how late."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from messenger.core.lags import Lags
from messenger.messages.commits import Commits
from messenger.messages.live.backlog import Backlog
from messenger.messages.live.hub import Hub
from messenger.messages.progress import Progress
from messenger.wire import frames

CLOSE_CODES = (
    frames.GOING_AWAY,
    frames.BINARY,
    frames.NOT_JSON,
    frames.TOKEN_EXPIRED,
    frames.TOO_SLOW,
    frames.TAKEN_OVER,
    frames.TOO_FAST,
)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 200)


def batch_sizes(registry: CollectorRegistry) -> Histogram:
    """How many drafts share a commit."""
    return Histogram(
        "messenger_commit_batch_drafts", "Drafts in one commit.", buckets=_SIZES, registry=registry
    )


class MessageLags:
    """How long a message takes, station by station: each is counted, for tenths of a microsecond."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.accepted = Lags(
            registry, "messenger_message_accept_seconds", "From taking up a draft to finding it good."
        )
        self.committed = Lags(
            registry,
            "messenger_message_commit_seconds",
            "From a draft's acceptance to its commit, waiting included.",
        )
        self.delivered = Lags(
            registry,
            "messenger_message_delivery_seconds",
            "From a message's number (PostgreSQL's clock) to its sending on each socket open here.",
        )


class MessageMetrics(Collector):
    """Registers itself in `registry`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        hub: Hub,
        backlog: Backlog,
        commits: Commits,
        progress: Progress,
        lags: MessageLags,
    ) -> None:
        self._hub = hub
        self._backlog = backlog
        self._commits = commits
        self._progress = progress
        self._lags = lags
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Today's values."""
        yield GaugeMetricFamily("messenger_sockets", "Open WebSockets.", value=self._hub.sockets)
        yield GaugeMetricFamily(
            "messenger_feeds", "Conversations with open sockets here.", value=len(self._hub.feeds)
        )
        yield GaugeMetricFamily(
            "messenger_drafts_waiting", "Drafts that are not committed yet.", value=self._commits.waiting
        )
        yield GaugeMetricFamily(
            "messenger_sockets_behind",
            "Open WebSockets that are being sent what they had missed.",
            value=self._hub.behind,
        )
        yield GaugeMetricFamily(
            "messenger_sockets_unread_bytes", "Frames that clients have not read.", value=self._hub.unread
        )
        closed = CounterMetricFamily(
            "messenger_sockets_closed", "WebSockets that were closed from here, by code.", labels=["code"]
        )
        for code in CLOSE_CODES:
            closed.add_metric([str(code)], self._hub.closed[code])
        yield closed
        yield GaugeMetricFamily(
            "messenger_marks_waiting",
            "Acknowledgements and read marks that are not written yet.",
            value=self._progress.waiting,
        )
        yield CounterMetricFamily(
            "messenger_messages_accepted", "Drafts found good here.", value=self._lags.accepted.count
        )
        yield CounterMetricFamily(
            "messenger_messages_committed", "Messages committed here.", value=self._commits.stored
        )
        delivered = CounterMetricFamily(
            "messenger_messages_delivered",
            "Messages sent to sockets, once for each socket: live, or as part of what was missed.",
            labels=["how"],
        )
        delivered.add_metric(["live"], self._lags.delivered.count)
        delivered.add_metric(["missed"], self._backlog.sent)
        yield delivered
