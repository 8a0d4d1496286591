"""Identity keys, prekeys and claims, through the gateway, on real engines."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.system.key_device import NOBODY, PASSWORD, Device, b64
from tests.system.people import Socket
from tests.system.stack import Stack
from tests.system.test_instances import query
from tests.system.waiting import until

pytestmark = pytest.mark.system


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_published_keys_come_in_a_bundle(stack: Stack) -> None:
    alice, bob = Device(stack).publish(), Device(stack)
    assert bob.http.get("/keys/status").json() == {
        "identity_key": None,
        "signed_prekey_id": None,
        "signed_prekey_created_at": None,
        "one_time_prekeys": 0,
        "kem_prekeys": 0,
        "highest_key_id": None,
    }
    assert bob.put("/identity", bob.identity_body()).status_code == 204
    assert alice.claim(user_id=bob.user_id) == []
    signed, one_time = bob.signed(3), bob.one_time(2)
    assert bob.put("/signed-prekey", signed).status_code == 204
    assert bob.post("/one-time-prekeys", one_time).json() == {"one_time_prekeys": 2}
    (bundle,) = alice.claim(user_id=bob.user_id)
    assert bundle == {
        "user_id": bob.user_id,
        "device_id": bob.device_id,
        **bob.identity_body(),
        "signed_prekey": signed,
        "one_time_prekey": one_time["prekeys"][0],
        "kem_prekey": None,
        "list_version": None,
    }
    status = bob.http.get("/keys/status").json()
    assert (status["signed_prekey_id"], status["one_time_prekeys"], status["highest_key_id"]) == (3, 1, 3)
    assert alice.http.get("/keys/identity/" + bob.user_id).json() == {
        "device_list": None,
        "items": [{"device_id": bob.device_id, **bob.identity_body()}],
    }
    assert bob.claim(user_id=bob.user_id) == []
    second = Device(stack, bob.username).publish()
    assert [one["device_id"] for one in bob.claim(user_id=bob.user_id)] == [second.device_id]
    asked = [bob.device_id, second.device_id, bob.device_id, NOBODY, alice.device_id]
    assert {one["device_id"] for one in alice.claim(devices=asked)} == {bob.device_id, second.device_id}


def test_bad_keys_are_refused(one: Stack) -> None:
    device, other = Device(one), Device(one)
    for raw in (b"", bytes(31), bytes(32), b"\xff" * 32, (2).to_bytes(32, "little")):
        refused(device.put("/identity", {"identity_key": b64(raw)}), 422, "unprocessable")
    for text in ("", "A", "A" * 43, "_" * 44, "A" * 42 + "B=", 7, None, ["A"]):
        answer = device.put("/identity", {"identity_key": text})
        assert answer.status_code in ({422} if text == "" else {400}), (text, answer.text)
    refused(device.put("/signed-prekey", device.signed(0)), 422, "unprocessable")
    device.publish(one_time=1)
    refused(device.put("/identity", other.identity_body()), 409, "identity_key_immutable")
    assert device.put("/identity", device.identity_body()).status_code == 204
    refused(device.put("/signed-prekey", other.signed(1)), 422, "unprocessable")
    refused(device.put("/signed-prekey", device.signed(0)), 409, "conflict")
    for key_id in (-1, 2**31, 1.5, "1", None):
        refused(device.put("/signed-prekey", {**device.signed(1), "key_id": key_id}), 400, "bad_request")
    refused(device.post("/one-time-prekeys", {"prekeys": []}), 400, "bad_request")
    refused(device.post("/one-time-prekeys", device.one_time(101)), 400, "bad_request")
    spoiled = device.one_time(3)
    spoiled["prekeys"][2]["public_key"] = b64((1).to_bytes(32, "little"))
    refused(device.post("/one-time-prekeys", spoiled), 422, "unprocessable")
    assert device.http.get("/keys/status").json()["one_time_prekeys"] == 1
    refused(device.post("/claim", {}), 400, "bad_request")
    refused(device.post("/claim", {"user_id": other.user_id, "devices": [NOBODY]}), 400, "bad_request")
    refused(device.post("/claim", {"devices": [NOBODY] * 201}), 400, "bad_request")
    refused(device.post("/claim", {"devices": ["x"]}), 400, "bad_request")
    refused(device.post("/claim", {"user_id": NOBODY}), 404, "not_found")
    refused(device.http.get("/keys/identity/" + NOBODY), 404, "not_found")


def test_no_one_time_prekey_goes_out_twice_and_nobody_drains_a_device(stack: Stack) -> None:
    bob = Device(stack).publish(one_time=200)
    refused(bob.post("/one-time-prekeys", bob.one_time(1)), 422, "unprocessable")
    askers = [Device(stack) for _ in range(7)]

    def claim(asker: Device) -> httpx.Response:
        return asker.post("/claim", {"devices": [bob.device_id]})

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(claim, [askers[0]] * 25))
    assert Counter(answer.status_code for answer in answers) == {200: 20, 429: 5}
    assert all(3500 < int(one.headers["retry-after"]) <= 3600 for one in answers if one.status_code == 429)
    with ThreadPoolExecutor(16) as threads:
        answers += threads.map(claim, askers[1:] * 17)
    prekeys = [answer.json()["items"][0]["one_time_prekey"] for answer in answers if answer.is_success]
    given = [prekey["key_id"] for prekey in prekeys if prekey is not None]
    assert len(given) == len(set(given)) == 100
    assert len(prekeys) == 20 + 6 * 17
    assert bob.http.get("/keys/status").json()["one_time_prekeys"] == 100


def test_two_claims_of_the_same_devices_do_not_wait_for_each_other(stack: Stack) -> None:
    devices = [Device(stack).publish(one_time=10) for _ in range(3)]
    ids = [device.device_id for device in devices]
    askers = [Device(stack) for _ in range(4)]

    def claim(number: int) -> list[dict[str, Any]]:
        return askers[number % 4].claim(devices=ids if number % 2 else ids[::-1])

    with ThreadPoolExecutor(8) as threads:
        bundles = [one for items in threads.map(claim, range(12)) for one in items]
    given = Counter(
        (one["device_id"], one["one_time_prekey"] and one["one_time_prekey"]["key_id"]) for one in bundles
    )
    for device_id in ids:
        assert given[device_id, None] == 2
        assert all(given[device_id, key_id] == 1 for key_id in range(10))


def test_kem_prekeys_are_handed_out_once_and_the_last_resort_stays(stack: Stack) -> None:
    bob, alice = Device(stack).publish(), Device(stack)
    body = {"prekeys": [bob.kem(0), bob.kem(1)], "last_resort": bob.kem(2)}
    assert bob.post("/kem-prekeys", body).json() == {"kem_prekeys": 2}
    refused(bob.post("/kem-prekeys", {"prekeys": [bob.kem(2)]}), 409, "conflict")
    refused(bob.post("/kem-prekeys", {"prekeys": []}), 400, "bad_request")
    got = [alice.claim(user_id=bob.user_id)[0]["kem_prekey"] for _ in range(4)]
    assert [(one["key_id"], one["last_resort"]) for one in got] == [
        (0, False),
        (1, False),
        (2, True),
        (2, True),
    ]
    assert got[0] == {**bob.kem(0), "last_resort": False}


def list_of(account: Ed25519PrivateKey, version: int, *devices: Device) -> dict[str, Any]:
    """A user's list of these devices."""
    named = [(one.device_id, one.identity.public_key().public_bytes_raw()) for one in devices]
    return list_naming(account, version, devices[0].user_id, named)


def list_naming(
    account: Ed25519PrivateKey, version: int, user_id: str, named: list[tuple[str, bytes]]
) -> dict[str, Any]:
    """A device list that says just this, signed as the contract says."""
    text = b"messenger-device-list-1\0" + UUID(user_id).bytes + version.to_bytes(8, "big")
    signed = sorted((UUID(device_id).bytes, key) for device_id, key in named)
    return {
        "account_key": b64(account.public_key().public_bytes_raw()),
        "version": version,
        "devices": [{"device_id": device_id, "identity_key": b64(key)} for device_id, key in named],
        "signature": b64(account.sign(text + b"".join(device_id + key for device_id, key in signed))),
    }


def test_a_signed_list_says_which_devices_are_published(stack: Stack) -> None:
    bob, alice = Device(stack).publish(), Device(stack).publish()
    new = Device(stack, bob.username).publish()
    account = Ed25519PrivateKey.generate()
    both = sorted((bob.device_id, new.device_id))
    assert sorted(one["device_id"] for one in alice.claim(user_id=bob.user_id)) == both
    first = list_of(account, 1, bob)
    refused(bob.put("/device-list", {**first, "version": 2}), 422, "unprocessable")
    refused(alice.put("/device-list", first), 422, "unprocessable")
    refused(bob.put("/device-list", {**first, "devices": first["devices"] * 11}), 400, "bad_request")
    refused(bob.put("/device-list", {**first, "version": 0}), 400, "bad_request")
    assert bob.put("/device-list", first).status_code == 204
    answer = bob.put("/device-list", first)
    refused(answer, 409, "conflict")
    assert answer.json()["version"] == 1
    (bundle,) = alice.claim(user_id=bob.user_id)
    assert (bundle["device_id"], bundle["list_version"]) == (bob.device_id, 1)
    found = alice.http.get("/keys/identity/" + bob.user_id).json()
    assert found == {
        "device_list": first,
        "items": [{"device_id": bob.device_id, **bob.identity_body()}],
    }
    (pending,) = bob.http.get("/keys/identity/" + bob.user_id).json()["pending"]
    assert pending.pop("created_at").endswith("Z")
    assert pending == {"device_id": new.device_id, **new.identity_body(), "device_name": None}
    second = list_of(account, 2, new, bob)
    assert new.put("/device-list", second).status_code == 204
    assert sorted(one["device_id"] for one in alice.claim(user_id=bob.user_id)) == both
    assert bob.http.get("/keys/identity/" + bob.user_id).json()["pending"] == []
    other = list_of(Ed25519PrivateKey.generate(), 3, bob)
    assert bob.put("/device-list", other).status_code == 204  # the login is fresh
    assert alice.http.get("/keys/identity/" + bob.user_id).json()["device_list"] == other
    assert [one["device_id"] for one in alice.claim(user_id=bob.user_id)] == [bob.device_id]


def test_of_lists_at_the_same_time_one_counts(stack: Stack) -> None:
    bob = Device(stack).publish()
    account = Ed25519PrivateKey.generate()
    for version in (1, 2):
        given = [list_of(account, version, bob) for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            codes = list(pool.map(lambda one: bob.put("/device-list", one).status_code, given))
        assert sorted(codes) == [204] + [409] * 5


def test_a_list_that_does_not_hold_changes_nothing(one: Stack) -> None:
    bob, alice = Device(one).publish(), Device(one).publish()
    account, key = Ed25519PrivateKey.generate(), bob.identity.public_key().public_bytes_raw()
    standing = list_of(account, 5, bob)
    assert bob.put("/device-list", standing).status_code == 204
    small = b"\1" + bytes(31)
    forged = {"account_key": b64(small), "signature": b64(small + bytes(32))}
    bad: list[dict[str, Any]] = [
        {**list_of(account, 6, bob), "signature": b64(bytes(64))},
        {**list_of(account, 6, bob), "signature": ""},
        {**list_of(account, 6, bob), "devices": []},
        {**list_of(account, 6, bob), **forged},  # under this key, it would hold for everything
        list_naming(account, 6, alice.user_id, [(bob.device_id, key)]),
        list_naming(account, 6, bob.user_id, [(bob.device_id, key), (bob.device_id, key)]),
        list_naming(account, 6, bob.user_id, [(bob.device_id, bytes(32))]),
        list_naming(account, 6, bob.user_id, [(bob.device_id, key), (NOBODY, small)]),
        list_naming(account, 6, bob.user_id, [(bob.device_id, key[1:])]),
    ]
    for one_bad in bad:
        refused(bob.put("/device-list", one_bad), 422, "unprocessable")
    eleven = [(NOBODY[:-2] + f"{number:02}", key) for number in range(11)]
    refused(bob.put("/device-list", list_naming(account, 6, bob.user_id, eleven)), 400, "bad_request")
    for version in (5, 4, 1):  # an older list, played again
        answer = bob.put("/device-list", list_of(account, version, bob))
        refused(answer, 409, "conflict")
        assert answer.json()["version"] == 5
    for version in (0, -1, 2**53, 1.5, "6", None):
        refused(bob.put("/device-list", {**standing, "version": version}), 400, "bad_request")
    assert alice.http.get("/keys/identity/" + bob.user_id).json()["device_list"] == standing
    ten = list_naming(account, 6, bob.user_id, eleven[:10])
    assert bob.put("/device-list", ten).status_code == 204  # nobody whom the server knows
    assert alice.claim(user_id=bob.user_id) == []


def test_a_list_publishes_only_ones_own_devices_by_their_own_keys(stack: Stack) -> None:
    bob, alice = Device(stack).publish(), Device(stack).publish()
    new = Device(stack, bob.username)
    account, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    swapped = [
        (bob.device_id, bob.identity.public_key().public_bytes_raw()),
        (new.device_id, other.public_key().public_bytes_raw()),
        (alice.device_id, alice.identity.public_key().public_bytes_raw()),
    ]
    given = list_naming(account, 1, bob.user_id, swapped)
    assert bob.put("/device-list", given).status_code == 204
    new.publish()
    found = bob.http.get("/keys/identity/" + bob.user_id).json()
    assert {one["device_id"] for one in found["device_list"]["devices"]} == {one for one, _ in swapped}
    assert [one["device_id"] for one in found["items"]] == [bob.device_id]
    assert [one["device_id"] for one in found["pending"]] == [new.device_id]
    # alice is as she was: another's list is nothing to her.
    (bundle,) = bob.claim(user_id=alice.user_id)
    assert (bundle["device_id"], bundle["list_version"]) == (alice.device_id, None)
    assert bob.claim(devices=[new.device_id]) == []


def test_another_account_key_wants_a_fresh_login(apart: Stack) -> None:
    bob = Device(apart).publish()
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    query(
        apart,
        "update auth.sessions set auth_time = auth_time - 300 where user_id = %s and ended_at is null",
        bob.user_id,
    )
    bob.refresh()
    assert bob.put("/device-list", list_of(old, 1, bob)).status_code == 204  # the first one wants none
    refused(bob.put("/device-list", list_of(new, 2, bob)), 403, "forbidden")
    assert bob.put("/device-list", list_of(old, 2, bob)).status_code == 204
    fresh = Device(apart, bob.username).publish()
    refused(fresh.put("/device-list", list_of(new, 2, bob, fresh)), 409, "conflict")
    assert fresh.put("/device-list", list_of(new, 3, bob, fresh)).status_code == 204
    refused(bob.put("/device-list", list_of(old, 4, bob)), 403, "forbidden")


def test_of_first_lists_by_different_keys_one_counts(apart: Stack) -> None:
    """Of a user with no keys yet, so that there is no row which could be locked."""
    bob = Device(apart)
    query(apart, "update auth.sessions set auth_time = auth_time - 300 where user_id = %s", bob.user_id)
    bob.refresh()
    given = [list_of(Ed25519PrivateKey.generate(), version, bob) for version in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda one: bob.put("/device-list", one).status_code, given))
    assert codes.count(204) == 1
    assert set(codes) <= {204, 403, 409}
    standing = bob.http.get("/keys/identity/" + bob.user_id).json()["device_list"]
    assert standing == given[codes.index(204)]


def test_who_asks_meanwhile_sees_the_devices_of_the_list_that_it_sees(stack: Stack) -> None:
    bob, alice = Device(stack).publish(), Device(stack)
    new = Device(stack, bob.username).publish()
    account = Ed25519PrivateKey.generate()
    lists = [list_of(account, version, *([bob, new][: 1 + version % 2])) for version in range(1, 41)]
    assert bob.put("/device-list", lists[0]).status_code == 204
    done = threading.Event()

    def look(asker: Device) -> int:
        seen, highest = 0, 0
        while not done.is_set():
            found = asker.http.get("/keys/identity/" + bob.user_id).json()
            named = {one["device_id"] for one in found["device_list"]["devices"]}
            assert {one["device_id"] for one in found["items"]} == named
            if asker is bob:
                assert {one["device_id"] for one in found["pending"]}.isdisjoint(named)
            assert found["device_list"]["version"] >= highest
            highest = found["device_list"]["version"]
            seen += 1
        return seen

    with ThreadPoolExecutor(2) as pool:
        looking = [pool.submit(look, asker) for asker in (alice, bob)]
        try:
            for one_list in lists[1:]:
                assert new.put("/device-list", one_list).status_code == 204
        finally:
            done.set()
        assert all(one.result() > 5 for one in looking)


def test_the_others_hear_whom_a_list_publishes_and_whom_it_takes_away(stack: Stack) -> None:
    bob, alice = Device(stack).publish(), Device(stack).publish()
    new = Device(stack, bob.username).publish()
    account = Ed25519PrivateKey.generate()
    body = {"type": "direct", "members": [bob.user_id]}
    made = alice.http.post("/conversations", json=body).json()["conversation_id"]

    def listed() -> list[str]:
        found = alice.http.get(f"/conversations/{made}/devices").json()["items"]
        return sorted(one["device_id"] for one in found if one["user_id"] == bob.user_id)

    with Socket(stack.url, alice.token) as socket:
        socket.until("synced")
        assert bob.put("/device-list", list_of(account, 1, bob)).status_code == 204
        told = {"type": "device", "user_id": bob.user_id, "device_id": new.device_id}
        assert socket.until("device") == {**told, "event": "removed"}
        until(lambda: listed() == [bob.device_id], 3)
        assert bob.put("/device-list", list_of(account, 2, bob, new)).status_code == 204
        assert socket.until("device") == {**told, "event": "published"}
        until(lambda: listed() == sorted((bob.device_id, new.device_id)), 3)


def test_ones_own_devices_hear_of_one_that_waits_and_others_do_not(stack: Stack) -> None:
    bob, alice = Device(stack).publish(), Device(stack).publish()
    body = {"type": "direct", "members": [bob.user_id]}
    assert alice.http.post("/conversations", json=body).status_code == 201
    account = Ed25519PrivateKey.generate()
    assert bob.put("/device-list", list_of(account, 1, bob)).status_code == 204
    with Socket(stack.url, alice.token) as hers, Socket(stack.url, bob.token) as his:
        hers.until("synced")
        his.until("synced")
        waiting = Device(stack, bob.username).publish()
        told = {"type": "device", "user_id": bob.user_id, "device_id": waiting.device_id}
        assert his.until("device") == {**told, "event": "published"}
        approved = Device(stack, bob.username)
        assert bob.put("/device-list", list_of(account, 2, bob, approved)).status_code == 204
        approved.publish()
        # What she hears first is not of the one that waits.
        assert hers.until("device")["device_id"] == approved.device_id


@pytest.mark.parametrize("way", ["device", "account"])
def test_the_keys_of_who_left_are_gone(stack: Stack, way: str) -> None:
    bob, alice = Device(stack), Device(stack)
    leaving = Device(stack, bob.username).publish(one_time=1)
    if way == "device":
        assert bob.http.delete("/auth/devices/" + leaving.device_id).status_code == 204
        assert alice.claim(user_id=bob.user_id) == []
    else:
        answer = bob.http.request("DELETE", "/auth/me", json={"password": PASSWORD})
        assert answer.status_code == 204
        refused(alice.post("/claim", {"user_id": bob.user_id}), 404, "not_found")
    assert alice.claim(devices=[leaving.device_id]) == []
    until(lambda: leaving.put("/identity", leaving.identity_body()).status_code == 401, 2)


def test_a_removed_devices_place_in_the_list_stays_and_a_deleted_users_list_goes(apart: Stack) -> None:
    bob, alice = Device(apart).publish(), Device(apart)
    leaving = Device(apart, bob.username).publish()
    given = list_of(Ed25519PrivateKey.generate(), 1, bob, leaving)
    assert bob.put("/device-list", given).status_code == 204
    assert bob.http.delete("/auth/devices/" + leaving.device_id).status_code == 204
    found = alice.http.get("/keys/identity/" + bob.user_id).json()
    # The list is the user's word: who is published is another matter.
    assert found["device_list"] == given
    assert [one["device_id"] for one in found["items"]] == [bob.device_id]
    assert bob.http.request("DELETE", "/auth/me", json={"password": PASSWORD}).status_code == 204
    refused(alice.http.get("/keys/identity/" + bob.user_id), 404, "not_found")
    for table in ("lists", "listed_devices", "devices"):
        count = f"select count(*) from key.{table} where user_id = %s"
        until(lambda count=count: query(apart, count, bob.user_id) == [(0,)], 10)
