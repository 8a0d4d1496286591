"""A person's resumable uploads, as tests see them."""

import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.system.people import Person

TUS = {"Tus-Resumable": "1.0.0"}
OFFSET_TYPE = "application/offset+octet-stream"
MIB = 1 << 20


def code_of(answer: httpx.Response) -> str:
    """The code of a problem document."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    return f"{answer.status_code} {answer.json()['code']}"


class Tus:
    """One person's uploads."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.http = person.http

    def post(self, length: Any, content: bytes = b"", **headers: str) -> httpx.Response:
        """The answer to a creation."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if content:
            named.setdefault("Content-Type", OFFSET_TYPE)
        return self.http.post(
            "/files/uploads", content=content, headers={**TUS, "Upload-Length": str(length), **named}
        )

    def create(self, length: int, content: bytes = b"", **headers: str) -> str:
        """The path of a new upload."""
        answer = self.post(length, content, **headers)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        return str(answer.headers["Location"]).removeprefix("/api/v1")

    def patch(
        self, path: str, offset: Any, content: bytes | Iterator[bytes], **headers: str
    ) -> httpx.Response:
        """The answer to a PATCH; an iterator is sent chunked."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.patch(
            path,
            content=content,
            headers={**TUS, "Upload-Offset": str(offset), "Content-Type": OFFSET_TYPE, **named},
        )

    def head(self, path: str) -> httpx.Response:
        """The answer to a HEAD."""
        return self.http.head(path, headers=TUS)

    def offset(self, path: str) -> int:
        """How far an upload is."""
        answer = self.head(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        return int(answer.headers["Upload-Offset"])

    def file(self, answer: httpx.Response) -> bytes:
        """The content of the file that this answer has completed."""
        assert answer.status_code in (201, 204), answer.text
        return self.http.get(f"/files/{answer.headers['X-File-ID']}").content

    def broken_patch(self, path: str, offset: int, length: int, content: bytes) -> None:
        """Say `length` bytes, send `content` and leave."""
        where = urlsplit(self.person.url)
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as connection:
            lines = [
                f"PATCH /api/v1{path} HTTP/1.1",
                f"Host: {where.netloc}",
                f"Authorization: Bearer {self.person.token}",
                "Tus-Resumable: 1.0.0",
                f"Content-Type: {OFFSET_TYPE}",
                f"Upload-Offset: {offset}",
                f"Content-Length: {length}",
                "",
                "",
            ]
            connection.sendall("\r\n".join(lines).encode() + content)
            time.sleep(0.2)
