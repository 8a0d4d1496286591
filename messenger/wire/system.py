"""What the system says of itself: health, readiness and what a client may expect."""

from msgspec import Struct


class Health(Struct, frozen=True, kw_only=True):
    """The process is up."""

    version: str
    status: str = "healthy"


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether requests can be served, and the state of each thing that is needed: `ready`, or why not."""

    ready: bool
    checks: dict[str, str]


class Info(Struct, frozen=True, kw_only=True):
    """What a client may expect here."""

    version: str
    protocols: list[str]
    registration: str
    limits: dict[str, int]
    features: list[str]
