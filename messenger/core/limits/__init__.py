"""How often anybody may do a thing: the one place that counts (gcra.py says how, limits.py what for whom)."""

from messenger.core.limits.gcra import (
    ENDLESS,
    SECOND,
    Charge,
    Outcome,
    Rate,
    Verdict,
    parse_rate,
    refusal,
    seconds,
    wait_for,
)
from messenger.core.limits.limits import Limit, Limits, network_of
from messenger.core.limits.metrics import LimitsMetrics
from messenger.core.limits.stores import LocalCounts, SharedCounts

__all__ = [
    "ENDLESS",
    "SECOND",
    "Charge",
    "Limit",
    "Limits",
    "LimitsMetrics",
    "LocalCounts",
    "Outcome",
    "Rate",
    "SharedCounts",
    "Verdict",
    "network_of",
    "parse_rate",
    "refusal",
    "seconds",
    "wait_for",
]
