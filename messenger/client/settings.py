"""Settings of an application. Times are in seconds."""

from typing import Literal

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """`identity_changes`: what happens when a peer's account key changes, `warn` and go on, or `refuse`.

    `queue` is how many messages may wait to be sent (then QueueFull); `ephemeral` how many ephemeral events
    wait (then the oldest goes); `request_timeout` bounds each HTTP request but transfers; `patience` how long
    a call waits where the server says 429 or 503 before that becomes the caller's error. `first_retry` and
    `last_retry` bound the back-off of the connection.
    """

    identity_changes: Literal["warn", "refuse"] = "warn"
    queue: int = 10_000
    ephemeral: int = 1_000
    request_timeout: float = 30.0
    patience: float = 60.0
    first_retry: float = 0.5
    last_retry: float = 60.0
