"""Whose word on a client's address counts: the proxies in front of us, and what they write.

`X-Forwarded-For` is a list to which each proxy appends who connected to it; so it is read from its end, for
as long as those it names are trusted themselves. The first that is not is the client: what stands before it
anybody may have written. IPv4 addresses mapped into IPv6 (RFC 4291 section 2.5.5.2) are IPv4, and a port
behind an address, as some proxies write it, is left out. What is no address ends the reading.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

UNIX = "unix"
"""As a trusted proxy: whoever connects to a Unix socket of ours, which the socket's mode decides."""

_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?", re.ASCII)


class Proxies:
    """The trusted ones among `texts`: addresses, networks, `unix`; ValueError where one is none of these."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._unix = UNIX in texts
        self._networks = [ip_network(text, strict=False) for text in texts if text != UNIX]

    def trusts(self, address: str) -> bool:
        """Whether this address, empty on a Unix socket, belongs to one of them."""
        if not address:
            return self._unix
        if not self._networks:
            return False
        found = _parsed(address)
        return found is not None and any(found in network for network in self._networks)

    def client(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """The client's address: `peer`'s, or what trusted ones say in the `X-Forwarded-For` headers."""
        address = peer
        hops = b",".join(forwarded).decode("latin-1").split(",")
        while hops and self.trusts(address):
            found = _parsed(hops.pop().strip())
            if found is None:
                break
            address = str(found)
        return address


@lru_cache(1_024)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    match = _WITH_PORT.fullmatch(text)
    try:
        found = ip_address(match[1] or match[2] if match else text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
