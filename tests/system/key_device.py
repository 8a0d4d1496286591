"""A device and its keys, as tests of the key service see them."""

import base64
import secrets
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.system.people import TRUST
from tests.system.stack import Stack

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
        self._take(session)
        self.identity = Ed25519PrivateKey.generate()
        self.next_id = 0

    def _take(self, session: dict[str, Any]) -> None:
        self.token, self.refresh_token = session["access_token"], session["refresh_token"]
        self.http.headers["Authorization"] = "Bearer " + self.token

    def refresh(self) -> None:
        """Go on with a fresh access token."""
        answer = self.http.post("/auth/refresh", json={"refresh_token": self.refresh_token})
        assert answer.status_code == 200, answer.text
        self._take(answer.json())

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
