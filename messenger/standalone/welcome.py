"""The welcome that a server prints when it is ready: where it is, who gets in, and what it takes to let
others in."""

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

_TLS = "MESSENGER_GATEWAY__LISTEN=ssl:8443:privateKey=KEY.pem:certKey=CHAIN.pem"
_OTHERS = {
    "open": "anyone who gets in may register: MESSENGER_AUTH__REGISTRATION=invite changes that",
    "invite": "who has an invite may register: messenger-admin --data {data} invites make",
    "closed": "nobody may register; you make accounts: messenger-admin --data {data} users create NAME",
}


def ready_lines(urls: Sequence[str], hosts: Sequence[str], registration: str, data: Path) -> list[str]:
    """The lines. `urls` are the gateway's, `hosts` the addresses that it listens on, in the same order."""
    first = urls[0] if urls[0].startswith("unix:") else f"{urls[0]}/"
    open_to_others = [url for url, host in zip(urls, hosts, strict=True) if not _own(host)]
    lines = [f"ready at {first}, with its data in {data.resolve()}"]
    who = _OTHERS[registration].format(data=data)
    if not open_to_others:
        lines += [
            f"for this machine alone. Others get in by TLS, with a certificate: start with {_TLS}",
            f"then {who} (docs/install.md)",
        ]
    elif any(url.startswith("http:") for url in open_to_others):
        lines += [
            "others get in WITHOUT TLS, and what they log in with can be read on the way: have a proxy that"
            f" speaks TLS in front, or start with {_TLS}",
            f"{who} (docs/install.md)",
        ]
    else:
        lines.append(f"others get in by TLS; {who}")
    return [*lines, "docs/first-conversation.md leads through a first conversation; stop with Ctrl-C"]


def _own(host: str) -> bool:
    """Whether only this machine reaches that address."""
    return not host or ip_address(host).is_loopback
