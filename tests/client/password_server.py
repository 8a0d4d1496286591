"""A server in memory that takes passwords, or what was derived of them, and notes all that it gets."""

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from messenger.client import (
    Client,
    Passphrase,
    account,
)
from messenger.client.e2e.password import Kdf
from messenger.client.net.http import Http

PASSWORD = "umbrella kettle ninety"
OTHER = "zwölf Boxkämpfer jagen"
UNLOCK = Passphrase("a passphrase of the tests", memory_kib=64)
GOOD = Kdf(algorithm="argon2id", memory_kib=65_536, passes=3, lanes=1, salt=bytes(range(16)))
VECTORS = Path(__file__).parents[2] / "docs" / "vectors" / "password.json"
Json = Any


def kdf_with(**changes: Any) -> Kdf:
    return Kdf(**{**{name: getattr(GOOD, name) for name in GOOD.__struct_fields__}, **changes})


class Server:
    """What a server answers, and all that it gets."""

    def __init__(self) -> None:
        self.kdf: Json = None
        self.password = ""
        self.got: list[tuple[str, str, Json]] = []
        self.raw = b""
        self.user = {"user_id": str(uuid4()), "username": "ann", "created_at": "2026-01-31T09:30:00.123Z"}
        self.device_id = str(uuid4())

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        path = request.url.path.removeprefix("/api/v1")
        self.got.append((request.method, path, body))
        self.raw += repr((request.url, request.headers.raw)).encode() + request.content
        match request.method, path:
            case "GET", "/auth/kdf":
                return httpx.Response(200, json={"kdf": self.kdf})
            case "POST", "/auth/register":
                self.password, self.kdf = body["password"], body.get("kdf")
                return httpx.Response(201, json=self.session())
            case "POST", "/auth/login":
                held = hmac.compare_digest(body["password"], self.password)
                return httpx.Response(200, json=self.session()) if held else httpx.Response(401, json={})
            case "POST", "/auth/password":
                if body["current_password"] != self.password:
                    return httpx.Response(403, json={"code": "forbidden"})
                self.password, self.kdf = body["new_password"], body.get("kdf")
                return httpx.Response(204)
            case ("DELETE", "/auth/me") | ("DELETE", "/auth/totp"):
                return httpx.Response(204 if body["password"] == self.password else 403, json={})
            case _:
                return httpx.Response(404, json={"code": "not_found"})

    def session(self) -> Json:
        return {
            "user": self.user,
            "device_id": self.device_id,
            "access_token": "access",
            "expires_in": 900,
            "refresh_token": "refresh",
            "token_type": "Bearer",
        }

    def posts(self) -> list[str]:
        """The calls that could hold a password."""
        return [path for method, path, _ in self.got if method != "GET"]


def served(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Have it stand in for what clients would connect to."""
    made = Server()

    def http(url: str, _: object) -> Http:
        return Http(url, timeout=5, patience=0, transport=httpx.MockTransport(made))

    async def first(*_: object) -> bool:
        return True

    monkeypatch.setattr(account, "_http", http)
    monkeypatch.setattr(account, "_first_device", first)
    return made


def run(work: Callable[[], Any]) -> Any:
    return asyncio.run(work())


async def register(profile: Path) -> Client:
    return await Client.register(profile, "http://server", "Ann", PASSWORD, UNLOCK)


async def login(profile: Path, password: str = PASSWORD, **more: Any) -> Client:
    return await Client.login(profile, "http://server", "ann", password, UNLOCK, **more)


def said(**changes: Any) -> Json:
    """The wire's form of parameters."""
    kdf = kdf_with(**changes)
    return {
        "algorithm": kdf.algorithm,
        "memory_kib": kdf.memory_kib,
        "passes": kdf.passes,
        "lanes": kdf.lanes,
        "salt": b64encode(kdf.salt).decode(),
    }
