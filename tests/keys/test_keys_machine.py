"""Any order of publishing and claiming: no one-time prekey twice, none lost, no id used again."""

from itertools import accumulate

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from messenger.wire.codec import Binary
from messenger.wire.errors import Code, Problem
from messenger.wire.events import PrekeysLow
from messenger.wire.keys import Claim, OneTimePrekey, OneTimePrekeys
from tests.fakes import run
from tests.keys.key_devices import Device, x25519_key
from tests.keys.keys_fakes import House

STORED = 25
POOL = [x25519_key() for _ in range(40)]


class Prekeys(RuleBasedStateMachine):
    """Three devices of two users, and somebody who claims."""

    @initialize()
    def publish(self) -> None:
        self.house = House(STORED)
        first = self.house.published()
        self.devices = [first, self.house.published(first.who.user_id), self.house.published()]
        self.asker = self.house.published()
        self.stored: dict[str, list[int]] = {one.who.device_id: [] for one in self.devices}
        self.highest: dict[str, int] = {one.who.device_id: -1 for one in self.devices}
        self.given: set[tuple[str, int]] = set()

    @rule(index=st.integers(0, 2), steps=st.lists(st.integers(1, 3), min_size=1, max_size=20))
    def add_more(self, index: int, steps: list[int]) -> None:
        self.add(index, list(accumulate(steps, initial=self.highest[self.devices[index].who.device_id]))[1:])

    @rule(index=st.integers(0, 2), ids=st.lists(st.integers(0, 400), min_size=1, max_size=20))
    def add(self, index: int, ids: list[int]) -> None:
        device = self.devices[index]
        name = device.who.device_id
        keys = [OneTimePrekey(key_id, Binary(POOL[key_id % len(POOL)])) for key_id in ids]
        rising = all(low < high for low, high in zip([self.highest[name], *ids], ids, strict=False))
        try:
            count = run(self.house.keys.add_one_time_prekeys(device.who, OneTimePrekeys(keys)))
        except Problem as problem:
            refusal = problem.code
        else:
            refusal = None
        if len(self.stored[name]) + len(ids) > STORED:
            assert refusal == Code.unprocessable
            return
        assert refusal == (None if rising else Code.conflict)
        if not rising:
            return
        self.stored[name] += ids
        self.highest[name] = ids[-1]
        assert count == len(self.stored[name])

    @rule(chosen=st.sets(st.integers(0, 2), min_size=1))
    def claim_devices(self, chosen: set[int]) -> None:
        ids = [self.devices[index].who.device_id for index in sorted(chosen)]
        self._check(Claim(devices=ids * 2), set(ids))

    @rule(index=st.integers(0, 2))
    def claim_user(self, index: int) -> None:
        user_id = self.devices[index].who.user_id
        ids = {one.who.device_id for one in self.devices if one.who.user_id == user_id}
        self._check(Claim(user_id=user_id), ids)

    def _check(self, body: Claim, expected: set[str]) -> None:
        self.house.events.clear()
        bundles = run(self.house.keys.claim(self.asker.who, body))
        assert {one.device_id for one in bundles} == expected
        assert len(bundles) == len(expected)
        low = {event.device_id for event in self.house.events if isinstance(event, PrekeysLow)}
        for one in bundles:
            left = self.stored[one.device_id]
            if one.one_time_prekey is None:
                assert left == []
            else:
                assert one.one_time_prekey.key_id == left.pop(0)
                assert (one.device_id, one.one_time_prekey.key_id) not in self.given
                self.given.add((one.device_id, one.one_time_prekey.key_id))
            assert (one.device_id in low) == (len(left) < 3)

    @rule(index=st.integers(0, 2))
    def a_device_gets_none_of_its_own(self, index: int) -> None:
        device: Device = self.devices[index]
        bundles = run(self.house.keys.claim(device.who, Claim(devices=[device.who.device_id])))
        assert bundles == []

    @invariant()
    def nothing_is_lost(self) -> None:
        for name, ids in self.stored.items():
            assert [one.key_id for one in self.house.store.one_time.get(name, [])] == ids


Prekeys.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestPrekeys = Prekeys.TestCase
