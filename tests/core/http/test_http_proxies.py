"""Who is asking, by the word of trusted proxies and of nobody else."""

import pytest

from messenger.core.http.proxies import Proxies

TRUSTED = Proxies(["10.0.0.0/8", "2001:db8:1::/48"])

CLIENTS = [
    ("nobody says anything", "10.0.0.1", [], "10.0.0.1"),
    ("a client itself says something", "192.0.2.7", ["203.0.113.5"], "192.0.2.7"),
    ("one proxy", "10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
    ("what a client made up stands first", "10.0.0.1", ["6.6.6.6, 203.0.113.5"], "203.0.113.5"),
    ("several proxies", "10.0.0.1", ["6.6.6.6,203.0.113.5 , 10.0.0.3,10.0.0.2"], "203.0.113.5"),
    ("several headers", "10.0.0.1", ["6.6.6.6", "203.0.113.5, 10.0.0.2"], "203.0.113.5"),
    ("proxies only", "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ("nonsense", "10.0.0.1", ["junk"], "10.0.0.1"),
    ("nonsense behind which anybody may have written", "10.0.0.1", ["203.0.113.5, junk"], "10.0.0.1"),
    ("nonsense between proxies", "10.0.0.1", ["203.0.113.5, unknown, 10.0.0.2"], "10.0.0.2"),
    ("an empty header", "10.0.0.1", [""], "10.0.0.1"),
    ("leading zeros", "10.0.0.1", ["010.0.0.9"], "10.0.0.1"),
    ("a port", "10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
    ("IPv6", "10.0.0.1", ["2001:DB8::0005"], "2001:db8::5"),
    ("IPv6 in brackets", "10.0.0.1", ["[2001:db8::5]"], "2001:db8::5"),
    ("IPv6 with a port", "10.0.0.1", ["[2001:db8::5]:4711"], "2001:db8::5"),
    ("a proxy of IPv6", "2001:db8:1::1", ["203.0.113.5, 2001:db8:1::2"], "203.0.113.5"),
    ("mapped IPv4", "10.0.0.1", ["::ffff:203.0.113.5"], "203.0.113.5"),
    ("a proxy's mapped IPv4", "10.0.0.1", ["203.0.113.5, ::ffff:10.0.0.2"], "203.0.113.5"),
    ("a Unix socket that nobody trusts", "", ["203.0.113.5"], ""),
]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"), [one[1:] for one in CLIENTS], ids=[one[0] for one in CLIENTS]
)
def test_client(peer, forwarded, client):
    assert TRUSTED.client(peer, [text.encode() for text in forwarded]) == client


def test_a_unix_socket_is_trusted_by_name():
    proxies = Proxies(["unix"])
    assert proxies.client("", [b"6.6.6.6, 203.0.113.5"]) == "203.0.113.5"
    assert proxies.client("", []) == ""
    assert not proxies.trusts("10.0.0.1")


def test_nobody_is_trusted_by_default():
    assert Proxies().client("10.0.0.1", [b"203.0.113.5"]) == "10.0.0.1"


@pytest.mark.parametrize("text", ["loadbalancer", "10.0.0.0/33", "unix:", ""])
def test_what_is_none(text):
    with pytest.raises(ValueError, match="does not appear to be"):
        Proxies([text])
