"""Encrypted files through the gateway, on real engines: stored, fetched, shared, deleted, refused."""

import os
import socket
import time
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import urlsplit

import httpx
import pytest

from tests.system.people import Person, b64
from tests.system.stack import Stack
from tests.system.waiting import until

pytestmark = pytest.mark.system

NOBODY = "00000000-0000-7000-8000-000000000000"
OCTETS = {"Content-Type": "application/octet-stream"}


def upload(person: Person, content: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    """The answer to an upload; an iterator is sent chunked."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return person.http.post("/files", content=content, headers={**OCTETS, **named})


def stored(person: Person, content: bytes | Iterator[bytes], **headers: str) -> str:
    """The path of a new file."""
    answer = upload(person, content, **headers)
    assert answer.status_code == 201, answer.text
    return "/files/" + str(answer.json()["file_id"])


def code_of(answer: httpx.Response) -> str:
    """The code of a problem document."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    return f"{answer.status_code} {answer.json()['code']}"


def status(person: Person, path: str, **headers: str) -> int:
    """The status of a GET."""
    return person.http.get(path, headers=headers).status_code


@pytest.fixture
def ada(stack: Stack) -> Person:
    return Person(stack.url, "ada")


@pytest.fixture
def ben(stack: Stack) -> Person:
    return Person(stack.url, "ben")


@pytest.fixture
def cy(stack: Stack) -> Person:
    return Person(stack.url, "cy")


def test_what_one_stores_another_fetches(ada: Person, ben: Person) -> None:
    content = os.urandom(20_000_000)
    conversation = ada.direct(ben)
    answer = upload(ada, content, X_Conversation_ID=conversation, X_File_Metadata=b64(b"\x00opaque"))
    file = answer.json()
    assert answer.status_code == 201
    assert file["size"] == len(content)
    assert file["sha256"] == b64(sha256(content).digest())
    assert file["metadata"] == b64(b"\x00opaque")
    assert file["conversation_ids"] == [conversation]
    assert file["expires_at"] is None
    path = f"/files/{file['file_id']}"
    assert ben.ok("GET", f"{path}/info") == file
    fetched = ben.http.get(path)
    assert fetched.content == content
    assert fetched.headers["Content-Type"] == "application/octet-stream"
    assert fetched.headers["Content-Disposition"] == "attachment"
    assert fetched.headers["X-Content-Type-Options"] == "nosniff"
    assert fetched.headers["Cache-Control"].startswith("private, ")
    head = ben.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "ETag", "Accept-Ranges", "Content-Type"):
        assert head.headers[name] == fetched.headers[name]


def test_a_body_of_unknown_length(ada: Person) -> None:
    chunks = [os.urandom(65_536) for _ in range(200)]
    path = stored(ada, iter(chunks))
    assert ada.http.get(path).content == b"".join(chunks)
    assert ada.http.get(stored(ada, iter([b"few ", b"bytes"]))).content == b"few bytes"


def test_an_empty_file(ada: Person) -> None:
    for path in (stored(ada, b""), stored(ada, iter([]))):
        assert ada.http.get(path).content == b""
        assert status(ada, path, Range="bytes=0-") == 416
        assert status(ada, path, Range="bytes=-1") == 200


def test_ranges_and_conditions(ada: Person) -> None:
    content = os.urandom(100_000)
    path = stored(ada, content)
    tag = ada.http.head(path).headers["ETag"]

    def part(text: str, **headers: str) -> httpx.Response:
        return ada.http.get(path, headers={"Range": text, **headers})

    for text, expected in (
        ("bytes=0-0", content[:1]),
        ("bytes=65530-65550", content[65530:65551]),
        ("bytes=99990-", content[99990:]),
        ("bytes=-7", content[-7:]),
        ("bytes=0-" + "9" * 4_000, content),
    ):
        answer = part(text)
        assert (answer.status_code, answer.content) == (206, expected)
        first = content.find(expected)
        assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/100000"
    for text in ("bytes=0-1,3-4", "bytes=5-1", "items=0-1", "bytes=a-b", "nonsense"):
        assert (part(text).status_code, len(part(text).content)) == (200, 100_000)
    for text in ("bytes=100000-", "bytes=-0"):
        answer = part(text)
        assert code_of(answer) == "416 range_not_satisfiable"
        assert answer.headers["Content-Range"] == "bytes */100000"
    assert part("bytes=0-1", **{"If-Range": tag}).status_code == 206
    for other in ('"other"', f"W/{tag}", "Mon, 23 Nov 2026 09:30:00 GMT"):
        assert part("bytes=0-1", **{"If-Range": other}).status_code == 200
    unchanged = ada.http.get(path, headers={"If-None-Match": f'"x", {tag}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", tag)
    assert status(ada, path, **{"If-Match": '"other"'}) == 412
    assert ada.http.delete(path, headers={"If-Match": '"other"'}).status_code == 412
    assert ada.http.delete(path, headers={"If-Match": tag}).status_code == 204


def test_who_may_see_what(ada: Person, ben: Person, cy: Person) -> None:
    path = stored(ada, b"for the two of us", X_Conversation_ID=ada.direct(ben))
    for call in (("GET", path), ("HEAD", path), ("GET", f"{path}/info"), ("DELETE", path)):
        assert cy.http.request(*call).status_code == 404
        assert httpx.request(call[0], f"{ada.url}/api/v1{call[1]}").status_code == 401
    assert code_of(ben.http.delete(path)) == "403 forbidden"
    assert code_of(ben.http.put(f"{path}/conversations/{ben.direct(cy)}")) == "403 forbidden"
    assert code_of(ada.http.put(f"{path}/conversations/{ben.direct(cy)}")) == "404 not_found"
    shared = ada.direct(cy)
    assert ada.http.put(f"{path}/conversations/{shared}").status_code == 204
    assert ada.http.put(f"{path}/conversations/{shared}").status_code == 204
    assert cy.http.get(path).content == b"for the two of us"
    assert cy.ok("GET", f"{path}/info")["conversation_ids"] == [shared]
    assert len(ada.ok("GET", f"{path}/info")["conversation_ids"]) == 2
    assert ada.http.delete(path).status_code == 204
    for person in (ada, ben, cy):
        assert status(person, path) == 404
    assert ada.http.delete(path).status_code == 404


def test_membership_counts_at_the_time_of_asking(ada: Person, ben: Person, cy: Person) -> None:
    group = ada.group(ben)
    path = stored(ada, b"x", X_Conversation_ID=group)
    assert (status(ben, path), status(cy, path)) == (200, 404)
    ada.ok("POST", f"/conversations/{group}/members", json={"user_id": cy.user_id})
    ada.ok("DELETE", f"/conversations/{group}/members/{ben.user_id}")
    assert (status(ben, path), status(cy, path)) == (404, 200)


def test_a_file_of_no_conversation_is_its_uploaders_alone_for_a_day(ada: Person, ben: Person) -> None:
    answer = upload(ada, b"mine")
    assert answer.json()["expires_at"] is not None
    path = answer.headers["Location"].removeprefix("/api/v1")
    assert (status(ada, path), status(ben, path)) == (200, 404)


def test_a_file_expires_as_its_conversations_messages_do(ada: Person, ben: Person) -> None:
    group = ada.group(ben)
    ada.ok("PATCH", f"/conversations/{group}", json={"message_ttl": 2})
    path = stored(ada, b"soon gone", X_Conversation_ID=group)
    kept = stored(ada, b"kept", X_Conversation_ID=group)
    ada.ok("PUT", f"{kept}/conversations/{ada.direct(ben)}")
    assert ada.ok("GET", f"{kept}/info")["expires_at"] is None
    until(lambda: status(ben, path) == 404, 5)
    assert status(ben, kept) == 200


def test_bad_input(ada: Person, ben: Person, cy: Person) -> None:
    assert code_of(ada.http.post("/files", content=b"x")) == "415 unsupported_media_type"
    plain = ada.http.post("/files", content=b"x", headers={"Content-Type": "text/plain"})
    assert code_of(plain) == "415 unsupported_media_type"
    assert code_of(upload(ada, b"x", X_Conversation_ID="no uuid")) == "400 bad_request"
    for conversation in (NOBODY, ben.direct(cy)):
        assert code_of(upload(ada, b"x", X_Conversation_ID=conversation)) == "404 not_found"
    for metadata in ("%", "YQ", "YR==", "YQ=", "YQ===", "a b=", "YQ==YQ==", "_-_-"):
        assert code_of(upload(ada, b"x", X_File_Metadata=metadata)) == "400 bad_request"
    assert upload(ada, b"x", X_File_Metadata=b64(bytes(4_096))).status_code == 201
    assert code_of(upload(ada, b"x", X_File_Metadata=b64(bytes(4_097)))) == "413 too_large"
    path = stored(ada, b"x")
    for unknown in (f"/files/{NOBODY}", "/files/x", "/files/uploads/x", f"{path}/conversations/x"):
        assert ada.http.get(unknown).status_code in (404, 405)
        assert ada.http.delete(unknown).status_code in (404, 405)
    assert code_of(ada.http.put(f"{path}/conversations/x")) == "404 not_found"
    assert code_of(ada.http.patch(path)) == "405 method_not_allowed"


def raw_upload(person: Person, head: str, body: bytes) -> bytes:
    """Send a head and a part of a body, and leave; what came back within a moment."""
    where = urlsplit(person.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as connection:
        lines = [
            "POST /api/v1/files HTTP/1.1",
            f"Host: {where.netloc}",
            f"Authorization: Bearer {person.token}",
            "Content-Type: application/octet-stream",
            head,
            "",
            "",
        ]
        connection.sendall("\r\n".join(lines).encode() + body)
        connection.settimeout(0.2)
        try:
            return connection.recv(65_536)
        except TimeoutError:
            return b""


def test_too_large_is_refused_stated_or_not(ada: Person) -> None:
    assert b" 413 " in raw_upload(ada, "Content-Length: 104857601", b"")[:30]

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(65_536)

    began = time.monotonic()
    try:
        answer = upload(ada, endless())
    except httpx.WriteError:
        pass  # the connection was closed while we were still sending
    else:
        assert code_of(answer) == "413 too_large"
    assert time.monotonic() - began < 30  # 100 MiB, and LINGER_SECONDS


def test_a_client_that_leaves_leaves_nothing(ada: Person, stack: Stack) -> None:
    piece = bytes(1_000_000)
    for _ in range(12):  # each would reserve 100 MB of the quota of 1 GiB
        raw_upload(ada, "Content-Length: 100000000", piece)
    for _ in range(3):
        raw_upload(ada, "Transfer-Encoding: chunked", b"%x\r\n" % (len(piece) * 2) + piece)
    until(lambda: upload(ada, b"there is room again").status_code == 201)
    full = [stored(ada, os.urandom(1_000)) for _ in range(3)]
    for path in full:
        assert len(ada.http.get(path).content) == 1_000


def test_a_reader_that_leaves_or_stalls_harms_nobody(ada: Person) -> None:
    content = os.urandom(20_000_000)
    path = stored(ada, content)
    for _ in range(5):
        with ada.http.stream("GET", path) as answer:
            next(answer.iter_raw(1_000))
    with ada.http.stream("GET", path) as answer:
        pieces = answer.iter_raw(65_536)
        first = next(pieces)
        time.sleep(2)
        assert first + b"".join(pieces) == content


def test_the_logs_bear_no_secret_of_a_file(apart: Stack) -> None:
    ada = Person(apart.url)
    metadata = b64(os.urandom(60))
    path = stored(ada, b"SECRET CIPHERTEXT", X_File_Metadata=metadata)
    ada.http.get(path)
    text = apart.processes["file-1"].text()
    for secret in ("X-Amz", "SECRET CIPHERTEXT", metadata, ada.token):
        assert secret not in text
