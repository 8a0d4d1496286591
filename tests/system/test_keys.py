"""Identity keys, prekeys and claims, through the gateway, on real engines."""

import base64
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.system.people import TRUST
from tests.system.stack import Stack, until

pytestmark = pytest.mark.system

PASSWORD = "correct horse battery"
NOBODY = "00000000-0000-7000-8000-000000000000"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class Device:
    """A logged-in device and its identity key."""

    def __init__(self, stack: Stack, username: str | None = None) -> None:
        self.http = httpx.Client(base_url=stack.url + "/api/v1", timeout=30, verify=TRUST)
        self.username = username or "u" + secrets.token_hex(8)
        path = "/auth/login" if username else "/auth/register"
        answer = self.http.post(path, json={"username": self.username, "password": PASSWORD})
        assert answer.is_success, answer.text
        session = answer.json()
        self.user_id, self.device_id = session["user"]["user_id"], session["device_id"]
        self.http.headers["Authorization"] = "Bearer " + session["access_token"]
        self.identity = Ed25519PrivateKey.generate()
        self.next_id = 0

    def put(self, path: str, body: Any) -> httpx.Response:
        return self.http.put("/keys" + path, json=body)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post("/keys" + path, json=body)

    def identity_body(self) -> dict[str, Any]:
        return {"identity_key": b64(self.identity.public_key().public_bytes_raw())}

    def signed(self, key_id: int) -> dict[str, Any]:
        public = X25519PrivateKey.generate().public_key().public_bytes_raw()
        return {"key_id": key_id, "public_key": b64(public), "signature": b64(self.identity.sign(public))}

    def one_time(self, count: int) -> dict[str, Any]:
        keys = []
        for _ in range(count):
            public = X25519PrivateKey.generate().public_key().public_bytes_raw()
            keys.append({"key_id": self.next_id, "public_key": b64(public)})
            self.next_id += 1
        return {"prekeys": keys}

    def kem(self, key_id: int) -> dict[str, Any]:
        public = bytes(1568)
        return {"key_id": key_id, "public_key": b64(public), "signature": b64(self.identity.sign(public))}

    def publish(self, one_time: int = 0) -> "Device":
        assert self.put("/identity", self.identity_body()).status_code == 204
        assert self.put("/signed-prekey", self.signed(0)).status_code == 204
        for start in range(0, one_time, 100):
            answer = self.post("/one-time-prekeys", self.one_time(min(100, one_time - start)))
            assert answer.status_code == 200, answer.text
        return self

    def claim(self, **body: Any) -> list[dict[str, Any]]:
        answer = self.post("/claim", body)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


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
        "account_key": None,
        "certificate": None,
    }
    status = bob.http.get("/keys/status").json()
    assert (status["signed_prekey_id"], status["one_time_prekeys"], status["highest_key_id"]) == (3, 1, 3)
    assert alice.http.get("/keys/identity/" + bob.user_id).json() == {
        "account_key": None,
        "items": [{"device_id": bob.device_id, **bob.identity_body(), "certificate": None}],
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


def test_account_keys_vouch_for_devices(stack: Stack) -> None:
    bob, alice = Device(stack).publish(), Device(stack)
    account = Ed25519PrivateKey.generate()
    text = b"messenger-device-1\0" + UUID(bob.user_id).bytes + UUID(bob.device_id).bytes
    text += bob.identity.public_key().public_bytes_raw()
    certificate = b64(account.sign(text))
    path = f"/devices/{bob.device_id}/certificate"
    refused(bob.put(path, {"signature": certificate}), 422, "unprocessable")
    key = b64(account.public_key().public_bytes_raw())
    assert bob.put("/account", {"account_key": key}).status_code == 204
    assert alice.claim(user_id=bob.user_id) == []
    refused(bob.put(path, {"signature": b64(bytes(64))}), 422, "unprocessable")
    refused(alice.put(path, {"signature": certificate}), 404, "not_found")
    assert bob.put(path, {"signature": certificate}).status_code == 204
    (bundle,) = alice.claim(user_id=bob.user_id)
    assert (bundle["account_key"], bundle["certificate"]) == (key, certificate)
    other = b64(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert bob.put("/account", {"account_key": other}).status_code == 204
    assert alice.http.get("/keys/identity/" + bob.user_id).json() == {"account_key": other, "items": []}
    (pending,) = bob.http.get("/keys/identity/" + bob.user_id).json()["pending"]
    assert pending == {
        "device_id": bob.device_id,
        "identity_key": bundle["identity_key"],
        "certificate": None,
    }


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
