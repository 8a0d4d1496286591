"""Which addresses a stranger may have us connect to."""

import pytest

from messenger.messages.push.addresses import Permitted, is_public

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:810::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # metadata of most clouds
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # Oracle's metadata
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",  # IPv4-translated
    "64:ff9b::7f00:1",  # NAT64 of the loopback
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",  # NAT64 of one's own
    "100::1",  # discarded
    "2001::1",  # Teredo
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4 of the loopback
    "2002:a00:1::1",
    "3fff::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%1",
    "fec0::1",
    "ff02::1",
    "",
    "localhost",
    "127.1",
    "0x7f000001",
    "2130706433",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public(address)
    assert not Permitted()(address)


def test_networks_of_our_own_may_be_permitted() -> None:
    permitted = Permitted(["10.1.0.0/16", "fd12::/16"])
    assert permitted("10.1.2.3")
    assert permitted("::ffff:10.1.2.3")
    assert permitted("fd12::1")
    assert permitted("8.8.8.8")
    assert not permitted("10.2.0.1")
    assert not permitted("127.0.0.1")
    assert not permitted("no address")


def test_what_is_no_network_is_said() -> None:
    with pytest.raises(ValueError, match="appear"):
        Permitted(["everything"])
