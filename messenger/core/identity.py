"""Who is asking: what a verified access token says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from messenger.wire.events import SessionEnded


@dataclass(frozen=True, slots=True)
class Identity:
    """The bearer of an access token. Times are in seconds since 1970."""

    user_id: str
    device_id: str
    session_id: str
    auth_time: int
    expires_at: int


class Authenticator(Protocol):
    """Turns an access token into an identity, and knows which sessions have ended."""

    async def identify(self, token: str) -> Identity:
        """The bearer; Problem `unauthorized` or `token_expired` where the token is not good (any more)."""

    def has_ended(self, session_id: str) -> bool:
        """Whether the session is known to have ended."""

    def on_ended(self, listener: Callable[[SessionEnded], object]) -> None:
        """Call `listener` once for each session that ends from now on."""
