"""The bus: what happened, to whoever must know, by NATS JetStream. Only here nats-py is met."""

from messenger.core.bus.connection import MAX_PAYLOAD, Bus, BusAway, Server
from messenger.core.bus.jobs import Job

__all__ = ["MAX_PAYLOAD", "Bus", "BusAway", "Job", "Server"]
