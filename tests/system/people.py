"""A person with one device, as tests see it: HTTP by httpx, the WebSocket by websockets."""

import base64
import json
import secrets
import ssl
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
from nacl.public import PrivateKey
from nacl.signing import SigningKey
from websockets.sync.client import ClientConnection, connect

PASSWORD = "correct horse battery staple"
# Each client of httpx reads all certificates again unless it is given them: 17 ms that add up.
TRUST = ssl.create_default_context()


def b64(raw: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(raw).decode()


def unique(name: str = "user") -> str:
    """A username that no other test has."""
    return f"{name}-{secrets.token_hex(6)}"


class Person:
    """A registered user at `url` (a gateway), logged in as one device."""

    def __init__(self, url: str, name: str = "user", session: dict[str, Any] | None = None) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/api/v1", timeout=30, verify=TRUST)
        if session is None:
            answer = self.http.post("/auth/register", json={"username": unique(name), "password": PASSWORD})
            assert answer.status_code == 201, answer.text
            session = answer.json()
        self.take(session)
        self.identity: SigningKey | None = None

    def take(self, session: dict[str, Any]) -> None:
        """Go on with this session."""
        self.session = session
        self.user_id: str = session["user"]["user_id"]
        self.username: str = session["user"]["username"]
        self.device_id: str = session["device_id"]
        self.token: str = session["access_token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def another_device(self) -> "Person":
        """The same user on a new device."""
        answer = httpx.post(
            f"{self.url}/api/v1/auth/login",
            json={"username": self.username, "password": PASSWORD},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return Person(self.url, session=answer.json())

    def ok(self, method: str, path: str, status: int | None = None, **arguments: Any) -> Any:
        """The answer's JSON (None for 204); AssertionError for an error, or for another status."""
        answer = self.http.request(method, path, **arguments)
        assert answer.status_code < 400 if status is None else answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def publish(self, prekeys: int = 5) -> None:
        """Publish an identity key, a signed prekey and one-time prekeys."""
        self.identity = SigningKey.generate()
        signed = bytes(PrivateKey.generate().public_key)
        self.ok("PUT", "/keys/identity", json={"identity_key": b64(bytes(self.identity.verify_key))})
        self.ok(
            "PUT",
            "/keys/signed-prekey",
            json={
                "key_id": 1,
                "public_key": b64(signed),
                "signature": b64(self.identity.sign(signed).signature),
            },
        )
        if prekeys:
            fresh = [
                {"key_id": number, "public_key": b64(bytes(PrivateKey.generate().public_key))}
                for number in range(1, prekeys + 1)
            ]
            self.ok("POST", "/keys/one-time-prekeys", json={"prekeys": fresh})

    def direct(self, other: "Person") -> str:
        """The direct conversation with another."""
        made = self.ok("POST", "/conversations", json={"type": "direct", "members": [other.user_id]})
        name: str = made["conversation_id"]
        return name

    def group(self, *others: "Person") -> str:
        """A new group."""
        body = {"type": "group", "members": [other.user_id for other in others]}
        name: str = self.ok("POST", "/conversations", 201, json=body)["conversation_id"]
        return name

    def send(self, conversation_id: str, content: bytes = b"ciphertext", **draft: Any) -> dict[str, Any]:
        """Send by HTTP; the answer's JSON."""
        body = {"client_id": str(uuid4()), "kind": "text", "content": b64(content), **draft}
        found: dict[str, Any] = self.ok("POST", f"/conversations/{conversation_id}/messages", json=body)
        return found

    def socket(self, url: str | None = None) -> "Socket":
        """An open WebSocket that has said hello."""
        return Socket(url or self.url, self.token)


def device_list(account: SigningKey, version: int, user_id: str, *devices: Person) -> dict[str, Any]:
    """The body of a device list of these devices, which have published keys, signed as the contract says."""
    named = sorted((UUID(one.device_id).bytes, bytes(one.identity.verify_key)) for one in devices)
    text = b"messenger-device-list-1\0" + UUID(user_id).bytes + version.to_bytes(8, "big")
    return {
        "account_key": b64(bytes(account.verify_key)),
        "version": version,
        "devices": [
            {"device_id": str(UUID(bytes=device_id)), "identity_key": b64(key)} for device_id, key in named
        ],
        "signature": b64(account.sign(text + b"".join(one + key for one, key in named)).signature),
    }


class Socket:
    """A WebSocket as a client sees it: frames one by one, however they were packed."""

    def __init__(self, url: str, token: str, expect_hello: bool = True) -> None:
        connecting: Any = connect(
            url.replace("http", "ws", 1) + "/ws",
            additional_headers={"Authorization": f"Bearer {token}"},
            open_timeout=20,
            close_timeout=5,
            max_size=None,
        )
        self.connection: ClientConnection = connecting.__enter__()
        self._frames: list[dict[str, Any]] = []
        self.hello = self.next() if expect_hello else {}

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def next(self, seconds: float = 10.0) -> dict[str, Any]:
        """The next frame; TimeoutError where none comes."""
        while not self._frames:
            decoded = json.loads(self.connection.recv(seconds))
            self._frames += decoded if isinstance(decoded, list) else [decoded]
        return self._frames.pop(0)

    def until(self, wanted: str | Callable[[dict[str, Any]], bool], seconds: float = 10.0) -> dict[str, Any]:
        """The next frame of a type, or that fits; those before it are passed over."""
        deadline = time.monotonic() + seconds
        while True:
            frame = self.next(max(0.01, deadline - time.monotonic()))
            if frame["type"] == wanted if isinstance(wanted, str) else wanted(frame):
                return frame

    def all_until(self, wanted: str, seconds: float = 30.0) -> list[dict[str, Any]]:
        """All frames before the next of a type."""
        deadline = time.monotonic() + seconds
        found = []
        while True:
            frame = self.next(max(0.01, deadline - time.monotonic()))
            if frame["type"] == wanted:
                return found
            found.append(frame)

    def say(self, **frame: Any) -> None:
        """Send a frame."""
        self.connection.send(json.dumps(frame))

    def send(self, conversation_id: str, content: bytes = b"ciphertext", **draft: Any) -> dict[str, Any]:
        """Send a message; the `sent` or `error` frame."""
        ref = secrets.token_hex(4)
        frame = {
            "type": "send",
            "ref": ref,
            "conversation_id": conversation_id,
            "client_id": str(uuid4()),
            "kind": "text",
            "content": b64(content),
            **draft,
        }
        self.say(**frame)
        return self.until(lambda answer: answer.get("ref") == frame["ref"])
