"""On which instance a socket had better be: the same for all of a shard, never one that is away, within a
bound."""

import base64
import json
import random
from collections import Counter

import pytest
from twisted.web.http_headers import Headers

from messenger.core.ids import new_id
from messenger.gateway.addresses import Address, Entry
from messenger.gateway.preference import SKEW, SLACK, preferred, shard_hint
from messenger.gateway.upstream import DECLINE_SECONDS
from messenger.wire.shards import SHARDS, shard_of
from tests.gateway.gateway_transport import Bench
from tests.gateway.test_gateway_relay import ACCEPTED, HANDSHAKE

INSTANCES = ["10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80"]


def coded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(user_id):
    return f"{coded({'alg': 'EdDSA'})}.{coded({'sub': user_id, 'sid': 'ÿ?>'})}.signature"


class Asked:
    def __init__(self, *lines):
        self.requestHeaders = Headers()
        for line in lines:
            name, _, value = line.partition(": ")
            self.requestHeaders.addRawHeader(name, value)


USER = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize(
    ("lines", "user"),
    [
        ([f"Authorization: Bearer {token(USER)}"], USER),
        ([f"Authorization: bearer  {token(USER)}"], USER),
        ([f"Sec-WebSocket-Protocol: messenger, bearer.{token(USER)}"], USER),
        (["Sec-WebSocket-Protocol: messenger", f"Sec-WebSocket-Protocol: bearer.{token(USER)}"], USER),
        ([f"Authorization: Basic {token(USER)}"], None),
        # As the service looks: the header first, whatever the subprotocols say.
        (["Authorization: Basic eA==", f"Sec-WebSocket-Protocol: bearer.{token(USER)}"], None),
        ([], None),
        (["Authorization: Bearer"], None),
        (["Authorization: Bearer a.b"], None),
        (["Authorization: Bearer a.b.c"], None),
        (["Authorization: Bearer .."], None),
        (["Authorization: Bearer a.\xff\xfe.c"], None),
        ([f"Authorization: Bearer a.{coded([])}.c"], None),
        ([f"Authorization: Bearer a.{coded({'sub': 7})}.c"], None),
        ([f"Authorization: Bearer a.{coded({'sub': 'x' * 4_096})}.c"], None),
        (["Authorization: Bearer a." + base64.b64encode(b'{"sub":"\xff"}').decode() + ".c"], None),
    ],
)
def test_the_hint(lines, user):
    assert shard_hint(Asked(*lines)) == (None if user is None else shard_of(user))


def test_shards_are_the_same_for_ever():
    assert shard_of(USER) == 117
    assert {shard_of(new_id()) for _ in range(10_000)} == set(range(SHARDS))


def addresses(*texts):
    return [entry.addresses[0] for entry in map(Entry, texts)]


def test_an_instance_that_comes_or_goes_changes_its_own_share_alone():
    all_ = addresses(*(f"10.0.0.{number}:80" for number in range(1, 9)))
    before = {shard: preferred(shard, all_, 0.0) for shard in range(SHARDS)}
    assert max(Counter(before.values()).values()) < SKEW * SHARDS / 8
    random.shuffle(all_)  # gateways may be told of them in any order
    assert {shard: preferred(shard, all_, 0.0) for shard in range(SHARDS)} == before
    gone = all_.pop()
    for shard, address in before.items():
        now = preferred(shard, all_, 0.0)
        assert now is address or address is gone


@pytest.mark.parametrize(
    ("sockets", "is_preferred"),
    [
        ((0, 0), True),
        ((SLACK, 0), True),
        ((4 * SLACK + 1, 0), False),
        ((60, 50), True),
        ((2_000, 500), False),
    ],
)
def test_sockets_that_gather_at_one_instance_go_elsewhere(sockets, is_preferred):
    pair = addresses("10.0.0.1:80", "10.0.0.2:80")
    first = preferred(7, pair, 0.0)
    (other,) = set(pair) - {first}
    first.sockets, other.sockets = sockets
    assert (preferred(7, pair, 0.0) is first) == is_preferred


def test_who_lies_can_not_send_all_handshakes_to_one_instance():
    pair: list[Address] = addresses("10.0.0.1:80", "10.0.0.2:80")
    asked = Counter()
    for step in range(10_000):
        now = step / 100
        address = preferred(7, pair, now) or min(pair, key=lambda one: one.asked.count(now))
        address.asked.add(now)
        asked[address] += 1
    assert max(asked.values()) < 1.1 * SKEW * 5_000
    assert preferred(7, pair, 1_000.0) is not None  # and it is forgotten


class TestSockets:
    def setup_method(self):
        self.bench = Bench({"message": INSTANCES})

    def open(self, user_id, answer=ACCEPTED):
        self.bench.client = self.bench.connect()
        self.bench.request("GET", "/ws", *HANDSHAKE, f"Authorization: Bearer {token(user_id)}")
        peer = self.bench.peer
        peer.send(answer)
        return peer.address

    def test_all_sockets_of_a_user_are_on_one_instance_and_of_all_users_on_all(self):
        users = [new_id() for _ in range(30)]
        where = {user: self.open(user) for user in users}
        assert {user: self.open(user) for user in users} == where
        assert set(where.values()) == set(INSTANCES)

    def test_one_that_is_away_is_passed_by_and_comes_back(self):
        first = self.open(USER)
        self.bench.network.down.add(first)
        second = self.open(USER)
        assert second != first
        assert self.open(USER) == second
        self.bench.network.down.clear()
        self.bench.pass_time(2)
        assert self.open(USER) == first

    def test_one_that_has_no_room_is_passed_by_for_a_while(self):
        first = self.open(USER)
        assert self.open(USER, b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n") == first
        assert self.open(USER) != first
        self.bench.pass_time(DECLINE_SECONDS + 1)
        assert self.open(USER) == first
