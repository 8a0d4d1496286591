"""Security events: a log line each, and a count, for whoever watches."""

from prometheus_client import CollectorRegistry, Counter
from twisted.logger import Logger

EVENTS = (
    "login_failed",
    "password_wrong",
    "guess_refused",
    "refresh_reused",
    "second_factor_added",
    "second_factor_removed",
    "second_factor_failed",
    "recovery_code_used",
    "account_deleted",
)

log = Logger(namespace="messenger.auth")


class SecurityLog:
    """Logs security events, and counts them by event in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "messenger_auth_security_events_total",
            "Failed logins, reused refresh tokens and the like, by event.",
            ("event",),
            registry=registry,
        )
        for event in EVENTS:  # from 0 on: the first one is a rise too
            self._count.labels(event)

    def write(self, event: str, **ids: str) -> None:
        """Take down `event`, one of EVENTS; `ids` say whom it concerns."""
        self._count.labels(event).inc()
        log.warn("security: {event}", event=event, **ids)
