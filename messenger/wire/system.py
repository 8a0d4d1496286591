"""The system about itself: health, readiness, limits and protocols."""

from msgspec import UNSET, Struct, UnsetType


class Health(Struct, frozen=True, kw_only=True):
    """The process is up. `schema` has the version of each database schema: a service's is what it found, the
    gateway, which has no database, says what its own version was written for. `instance` is an id of this run
    of this process; clients of the gateway are not told."""

    version: str
    status: str = "healthy"
    schema: dict[str, str] = {}
    instance: str | UnsetType = UNSET


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether requests can be served, and the state of each thing that is needed: `ready`, or why not."""

    ready: bool
    checks: dict[str, str]


class Info(Struct, frozen=True, kw_only=True):
    """Limits and protocols of this server. `schema` is as the gateway's in `/health`. A client that was sent
    away or cut off comes back after a random time of up to `reconnect_spread` seconds."""

    version: str
    protocols: list[str]
    registration: str
    limits: dict[str, int]
    features: list[str]
    schema: dict[str, str] = {}
    reconnect_spread: int = 10
