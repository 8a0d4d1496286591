"""Wake-ups put together from `[push]` of the settings."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from messenger.core.certificates import trust_root
from messenger.core.database.pool import Database
from messenger.core.lags import Lags
from messenger.core.lifecycle import EX_CONFIG, Part, StartError
from messenger.core.settings import Push as PushSettings
from messenger.core.threads import Threads
from messenger.messages.domain.push import Push
from messenger.messages.model import Draft, Outcome
from messenger.messages.push.addresses import Permitted
from messenger.messages.push.courier import Courier
from messenger.messages.push.metrics import PushMetrics
from messenger.messages.push.outbound import OutboundClient
from messenger.messages.push.vapid import Vapid
from messenger.messages.push.wakes import Wakes
from messenger.messages.store.push import PushStore

_RESOLVING = 4  # threads that look names up
_RESOLVING_QUEUE = 256
_LATE = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0)


@dataclass
class Pushing:
    """The rules of subscriptions, and what the service tells wake-ups: nothing where they are off."""

    rules: Push
    parts: list[Part] = field(default_factory=list)
    threads: Mapping[str, Threads] = field(default_factory=dict)
    committed: Callable[[list[tuple[Draft, Outcome]]], object] = lambda _: None
    gone: Callable[[Iterable[str]], object] = lambda _: None


def build_push(
    reactor: Any,
    settings: PushSettings,
    database: Database,
    registry: CollectorRegistry,
    alone: bool = False,
) -> Pushing:
    """Wake-ups as `settings` want them; StartError where those don't do. `alone`: of the only instance."""
    try:
        permitted = Permitted(settings.networks)
    except ValueError as error:
        raise StartError(f"[push] networks: {error}", EX_CONFIG) from None
    store = PushStore(database)
    if not settings.vapid_key:
        return Pushing(Push(store, None, permitted, settings.targets))
    try:
        vapid = Vapid(settings.vapid_key, settings.contact, time.time)
    except ValueError as error:
        raise StartError(f"[push] vapid_key or contact: {error}", EX_CONFIG) from None
    threads = Threads(reactor, "push", _RESOLVING, _RESOLVING_QUEUE)
    outbound = OutboundClient(reactor, threads, permitted, trust_root(settings.ca, "[push] ca"))
    late = Lags(registry, "messenger_push_late_seconds", "How late push services took wake-ups.", _LATE)
    wakes = Wakes(reactor, store, Courier(outbound, vapid), settings.window, late.observe, alone)
    PushMetrics(registry, wakes)
    rules = Push(store, vapid.public_key, permitted, settings.targets)
    return Pushing(rules, [threads, wakes], {"push": threads}, wakes.committed, wakes.gone)
