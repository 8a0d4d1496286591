"""Where a device may ask to be woken: the rules of endpoints and keys."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from messenger.wire.codec import Binary
from messenger.wire.errors import Code, Problem, too_many
from messenger.wire.push import PushState, PushTarget

if TYPE_CHECKING:
    from messenger.messages.store.push import PushStore

SILENT = "control"  # the kind of message that says nothing to a person

_VISIBLE = re.compile(r"https://[!-~]+", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}", re.ASCII)


class PushServer(NamedTuple):
    """Whom an endpoint's URL names: `host` is a DNS name or an IP address (without brackets)."""

    host: str
    port: int

    @property
    def origin(self) -> str:
        """The origin (RFC 6454), which a VAPID token is for."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}" if self.port == 443 else f"https://{host}:{self.port}"


def push_server(endpoint: str) -> PushServer:
    """Whom the endpoint names; ValueError for anything but an `https` URL of visible ASCII characters without
    a user, a password or a fragment."""
    if not _VISIBLE.fullmatch(endpoint) or "\\" in endpoint:
        raise ValueError("not an https URL in ASCII")
    parts = urlsplit(endpoint)
    if parts.username is not None or parts.password is not None or "#" in endpoint:
        raise ValueError("a URL with a user or a fragment")
    host, port = parts.hostname or "", parts.port
    if port == 0:
        raise ValueError("a port is 1 to 65535")
    if ":" in host or not _NAME.fullmatch(host) or len(host) > 253 or host[-1:].isdigit():
        ip_address(host)  # numbers that are no address in its usual form are refused: they mean one to some
        if "%" in host:
            raise ValueError("an address with a zone")
    return PushServer(host, 443 if port is None else port)


class Subscriber(NamedTuple):
    """The device that asks."""

    user_id: str
    device_id: str
    session_id: str


class Push:
    """A device's own subscription. `vapid_key` is None where no wake-ups are sent; `permitted` says of an IP
    address whether wake-ups may go there; at most `most` devices of a user are woken."""

    def __init__(
        self, store: "PushStore", vapid_key: bytes | None, permitted: Callable[[str], bool], most: int
    ) -> None:
        self._store = store
        self._vapid_key = vapid_key
        self._permitted = permitted
        self._most = most

    async def state(self, device_id: str) -> PushState:
        """The key that wake-ups are signed with, and the device's endpoint."""
        key = None if self._vapid_key is None else Binary(self._vapid_key)
        return PushState(vapid_key=key, endpoint=await self._store.endpoint(device_id))

    async def subscribe(self, subscriber: Subscriber, target: PushTarget) -> None:
        """Wake the device there from now on; Problem `unprocessable`."""
        if self._vapid_key is None:
            raise Problem(Code.unprocessable, "This server sends no wake-ups.")
        try:
            host = push_server(target.endpoint).host
        except ValueError as error:
            raise Problem(Code.unprocessable, f"The endpoint does not do: {error}.") from None
        if _is_address(host) and not self._permitted(host):
            raise Problem(Code.unprocessable, "The endpoint does not do: not a public address.")
        if len(target.auth) != 16:
            raise Problem(Code.unprocessable, "An auth secret has 16 bytes.")
        if len(target.p256dh) != 65 or target.p256dh[0] != 4:
            raise Problem(Code.unprocessable, "A p256dh key has 65 bytes, the first of them 4.")
        try:
            EllipticCurvePublicKey.from_encoded_point(SECP256R1(), bytes(target.p256dh))
        except ValueError:
            raise Problem(Code.unprocessable, "The p256dh key is no point of P-256.") from None
        if not await self._store.put(subscriber, target, self._most):
            raise too_many("push_targets", self._most, "devices of a user that are woken")

    async def unsubscribe(self, device_id: str) -> None:
        """Wake the device no more; none there is fine too."""
        await self._store.delete(device_id)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
