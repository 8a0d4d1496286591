"""The bus: what happened, to whoever must know, by NATS JetStream. Only here nats-py is met."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from messenger.core.bus.connection import MAX_PAYLOAD, Bus, BusAway, Server
    from messenger.core.bus.jobs import Job

__all__ = ["MAX_PAYLOAD", "Bus", "BusAway", "Job", "Server"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name when it is first asked for (PEP 562): what is pure here is used without NATS."""
        if name in __all__:
            return getattr(import_module(f"{__name__}.{'jobs' if name == 'Job' else 'connection'}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
