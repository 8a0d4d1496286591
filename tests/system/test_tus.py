"""Resumable uploads (tus 1.0.0) through the gateway, on real engines."""

import base64
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.system.people import Person, b64
from tests.system.stack import Stack, running
from tests.system.tus import OFFSET_TYPE, TUS, Tus, code_of
from tests.system.waiting import until

pytestmark = pytest.mark.system


@pytest.fixture
def ada(stack: Stack) -> Tus:
    return Tus(Person(stack.url, "ada"))


def test_what_the_server_can(stack: Stack) -> None:
    for path in ("/files/uploads", "/files/uploads/00000000-0000-7000-8000-000000000000"):
        answer = httpx.options(f"{stack.url}/api/v1{path}")
        assert answer.status_code == 204
        assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
        extensions = set(answer.headers["Tus-Extension"].split(","))
        assert extensions == {
            "creation",
            "creation-with-upload",
            "checksum",
            "expiration",
            "termination",
        }
        assert answer.headers["Tus-Max-Size"] == "104857600"
        assert answer.headers["Tus-Checksum-Algorithm"] == "sha256"


def test_an_upload_in_pieces_becomes_a_file(ada: Tus) -> None:
    content = os.urandom(20_000_000)
    ben = Person(ada.person.url, "ben")
    conversation = ada.person.direct(ben)
    metadata = f"conversation_id {b64(conversation.encode())},metadata {b64(b'opaque')}"
    path = ada.create(len(content), Upload_Metadata=metadata + ",filename " + b64(b"holiday.jpg"))
    head = ada.head(path)
    assert head.headers["Upload-Offset"] == "0"
    assert head.headers["Upload-Length"] == str(len(content))
    assert head.headers["Upload-Metadata"] == metadata
    assert "Upload-Expires" in head.headers
    at = 0
    for size in (1, 999_999, 3_000_000, 12_000_000):
        answer = ada.patch(path, at, content[at : at + size])
        at += size
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(at)), answer.text
        assert "X-File-ID" not in answer.headers
        assert "Upload-Expires" in answer.headers
        assert ada.offset(path) == at
    assert ada.http.get(f"/files/{path.rpartition('/')[2]}").status_code == 404
    answer = ada.patch(path, at, content[at:])
    assert ada.file(answer) == content
    file_id = answer.headers["X-File-ID"]
    assert ben.http.get(f"/files/{file_id}").content == content
    info = ben.ok("GET", f"/files/{file_id}/info")
    assert info["sha256"] == b64(sha256(content).digest())
    assert info["metadata"] == b64(b"opaque")
    assert info["conversation_ids"] == [conversation]
    # Whoever did not get the answer asks again.
    head = ada.head(path)
    assert (head.headers["Upload-Offset"], head.headers["X-File-ID"]) == (str(len(content)), file_id)
    assert ada.patch(path, len(content), b"").status_code == 204
    assert code_of(ada.patch(path, at, content[at:])) == "409 conflict"


def test_a_creation_may_bring_bytes(ada: Tus) -> None:
    answer = ada.post(9, b"all of it")
    assert ada.file(answer) == b"all of it"
    assert ada.file(ada.post(0)) == b""
    path = ada.create(9, b"a p")
    assert ada.offset(path) == 3
    assert ada.file(ada.patch(path, 3, b"art ok")) == b"a part ok"


def test_a_body_of_unknown_length(ada: Tus) -> None:
    content = os.urandom(3_000_000)
    path = ada.create(len(content))
    answer = ada.patch(path, 0, iter([content[:1_000_000], content[1_000_000:2_000_000]]))
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "2000000")
    assert code_of(ada.patch(path, 2_000_000, iter([content[2_000_000:], b"x"]))) == "413 too_large"
    at = ada.offset(path)
    assert at < 3_000_000
    assert ada.file(ada.patch(path, at, iter([content[at:]]))) == content


def test_what_arrived_before_a_break_is_kept(ada: Tus) -> None:
    content = os.urandom(5_000_000)
    path = ada.create(len(content))
    at = 0
    for sent in (1, 70_000, 2_345_678):
        ada.broken_patch(path, at, len(content) - at, content[at : at + sent])
        at = until(lambda: (now := ada.offset(path)) == at + sent and now, 5)
    assert ada.file(ada.patch(path, at, content[at:])) == content


def test_jumps_and_repeats(ada: Tus) -> None:
    content = os.urandom(1_000_000)
    path = ada.create(len(content))
    assert ada.patch(path, 0, content[:400_000]).status_code == 204
    for offset in (0, 1, 399_999, 400_001, 999_999, 1_000_000, 10**17):
        assert ada.patch(path, offset, b"x").status_code in (409, 413)
    assert code_of(ada.patch(path, 400_000, content)) == "413 too_large"
    assert ada.offset(path) == 400_000
    assert ada.patch(path, 400_000, b"").status_code == 204
    assert ada.file(ada.patch(path, 400_000, content[400_000:])) == content


def test_checksums(ada: Tus) -> None:
    content = os.urandom(9_000_000)

    def checksum(data: bytes) -> str:
        return "sha256 " + b64(sha256(data).digest())

    path = ada.create(len(content))
    wrong = ada.patch(path, 0, content[:5_000_000], Upload_Checksum=checksum(b"x"))
    assert code_of(wrong) == "460 checksum_mismatch"
    assert wrong.headers["Tus-Resumable"] == "1.0.0"
    assert ada.offset(path) == 0
    for bad in ("md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha256", "sha256 YQ==", "sha256 %", ""):
        assert code_of(ada.patch(path, 0, b"x", Upload_Checksum=bad)) == "400 bad_request"
    right = ada.patch(path, 0, content[:5_000_000], Upload_Checksum=checksum(content[:5_000_000]))
    assert (right.status_code, right.headers["Upload-Offset"]) == (204, "5000000")
    rest = content[5_000_000:]
    assert ada.patch(path, 5_000_000, rest, Upload_Checksum=checksum(b"y")).status_code == 460
    assert ada.offset(path) == 5_000_000
    assert ada.file(ada.patch(path, 5_000_000, rest, Upload_Checksum=checksum(rest))) == content
    assert ada.post(3, b"abc", Upload_Checksum=checksum(b"abd")).status_code == 460
    assert ada.file(ada.post(3, b"abc", Upload_Checksum=checksum(b"abc"))) == b"abc"


def test_termination(ada: Tus) -> None:
    path = ada.create(1_000_000, bytes(300_000))
    other = Tus(Person(ada.person.url, "eve"))
    for call in (other.head(path), other.patch(path, 300_000, b"x"), other.http.delete(path, headers=TUS)):
        assert call.status_code == 404
    assert httpx.head(f"{ada.person.url}/api/v1{path}", headers=TUS).status_code == 401
    assert ada.http.delete(path, headers=TUS).status_code == 204
    assert ada.head(path).status_code == 404
    assert ada.patch(path, 300_000, b"x").status_code == 404
    assert ada.http.delete(path, headers=TUS).status_code == 404


def test_where_only_post_gets_through(ada: Tus) -> None:
    path = ada.create(10, b"hello")

    def post(method: str, content: bytes = b"", **headers: str) -> httpx.Response:
        said = {**TUS, "X-HTTP-Method-Override": method, "Content-Type": OFFSET_TYPE, **headers}
        return ada.http.post(path, content=content, headers=said)

    assert post("HEAD").headers["Upload-Offset"] == "5"
    assert ada.file(post("PATCH", b"world", **{"Upload-Offset": "5"})) == b"helloworld"
    refused = post("GET")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "DELETE, HEAD, OPTIONS, PATCH")
    path = ada.create(10)
    assert post("DELETE").status_code == 204
    assert ada.head(path).status_code == 404


def test_bad_input(ada: Tus) -> None:
    nobody = "00000000-0000-7000-8000-000000000000"
    path = ada.create(10)
    for headers in ({}, {"Tus-Resumable": "0.2.2"}, {"Tus-Resumable": "1.0"}):
        for method, where in (
            ("POST", "/files/uploads"),
            ("HEAD", path),
            ("PATCH", path),
            ("DELETE", path),
        ):
            answer = ada.http.request(method, where, headers=headers)
            assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
    for length in ("", "-1", "1.5", "x", "9" * 19, "+1", "1 1"):
        assert code_of(ada.post(length)) == "400 bad_request"
    assert code_of(ada.post(104_857_601)) == "413 too_large"
    assert code_of(ada.post(3, b"four")) == "413 too_large"
    assert code_of(ada.post(3, b"one", Content_Type="text/plain")) == "415 unsupported_media_type"
    assert code_of(ada.post(3, Upload_Defer_Length="1")) == "400 bad_request"
    assert ada.http.post("/files/uploads", headers={**TUS, "Upload-Defer-Length": "1"}).status_code == 400
    assert code_of(ada.patch(path, 0, b"x", Content_Type="application/octet-stream")).startswith("415 ")
    for offset in ("", "-1", "x", "0x1", "9" * 30):
        assert code_of(ada.patch(path, offset, b"x")) == "400 bad_request"
    for metadata in (
        "metadata %",
        "metadata YQ",
        "metadata YR==",
        "metadata YQ==,metadata YQ==",
        "a,,b",
        "a b c",
        "conversation_id",
        "conversation_id " + b64(b"no uuid"),
        "conversation_id " + b64(b"\xff" * 36),
    ):
        assert code_of(ada.post(3, Upload_Metadata=metadata)) == "400 bad_request"
    for conversation in (nobody, Person(ada.person.url).direct(Person(ada.person.url))):
        answer = ada.post(3, Upload_Metadata="conversation_id " + b64(conversation.encode()))
        assert code_of(answer) == "404 not_found"
    assert ada.post(3, Upload_Metadata="metadata " + b64(bytes(4_096))).status_code == 201
    assert code_of(ada.post(3, Upload_Metadata="metadata " + b64(bytes(4_097)))) == "413 too_large"
    assert ada.post(3, Upload_Metadata="flag,other YQ==").status_code == 201
    assert ada.head(f"/files/uploads/{nobody}").status_code == 404
    plain = ada.http.post("/files", content=b"x", headers={"Content-Type": "application/octet-stream"})
    assert ada.head(f"/files/uploads/{plain.json()['file_id']}").status_code == 404
    assert ada.http.put(path, headers=TUS).status_code == 405
    assert ada.offset(path) == 0


def test_metadata_is_read_as_it_is_written(ada: Tus) -> None:
    generator = random.Random(11)
    for _ in range(30):
        raw = generator.randbytes(generator.randrange(0, 60))
        text = "metadata " + base64.b64encode(raw).decode() if raw else "metadata"
        answer = ada.post(1, b"x", Upload_Metadata=text)
        info = ada.person.ok("GET", f"/files/{answer.headers['X-File-ID']}/info")
        assert info["metadata"] == b64(raw)
    for _ in range(30):
        text = "".join(generator.choice(" ,=ametda/+%YQ09\t\x7f~") for _ in range(generator.randrange(1, 40)))
        assert ada.post(1, Upload_Metadata="x" + text.strip()).status_code in (201, 400)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two file services, which sweep early."""
    settings = {
        "MESSENGER_FILE__QUOTA": "60000000",
        "MESSENGER_FILE__ABANDONED": "40",
        "MESSENGER_FILE__RESUMABLE": "60",
        "MESSENGER_FILE__SWEEP": "0.5",
    }
    folder = Path(tmp_path_factory.mktemp("tus"))
    with running(Stack(folder, "apart", settings, counts={"file": 2, "message": 1})) as stack:
        yield stack


def test_a_race_on_two_instances(twins: Stack) -> None:
    person = Person(twins.url)
    services = [f"http://127.0.0.1:{twins.ports[f'file-{number}']}/api/v1" for number in (1, 2)]
    content = os.urandom(6_000_000)
    tus = Tus(person)
    path = tus.create(len(content))
    headers = {**TUS, "Authorization": f"Bearer {person.token}"}
    answers: list[int] = []
    file_ids: set[str] = set()

    def run(number: int) -> None:
        generator = random.Random(number)
        with httpx.Client(timeout=30, headers=headers) as client:
            while True:
                url = services[generator.randrange(2)] + path
                head = client.head(url)
                at = int(head.headers["Upload-Offset"])
                if at == len(content):
                    file_ids.add(head.headers["X-File-ID"])
                    return
                body = content[at : at + generator.randrange(1, 3_000_000)]
                answer = client.patch(
                    url, content=body, headers={"Upload-Offset": str(at), "Content-Type": OFFSET_TYPE}
                )
                answers.append(answer.status_code)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert set(answers) <= {204, 409}
    assert answers.count(409) > 0
    assert len(file_ids) == 1
    assert person.http.get(f"/files/{file_ids.pop()}").content == content


def test_the_whole_length_counts_towards_the_quota(twins: Stack) -> None:
    tus = Tus(Person(twins.url))
    first = tus.create(50_000_000)
    assert code_of(tus.post(20_000_000)) == "413 too_large"
    tus.http.delete(first, headers=TUS)
    tus.create(50_000_000)
    # What breaks off while it is made is nobody's: its room is given back.
    other = Tus(Person(twins.url))
    where = urlsplit(twins.url)
    for _ in range(3):
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as connection:
            lines = [
                "POST /api/v1/files/uploads HTTP/1.1",
                f"Host: {where.netloc}",
                f"Authorization: Bearer {other.person.token}",
                "Tus-Resumable: 1.0.0",
                "Upload-Length: 50000000",
                f"Content-Type: {OFFSET_TYPE}",
                "Content-Length: 50000000",
                "",
                "",
            ]
            connection.sendall("\r\n".join(lines).encode() + bytes(1_000_000))
            time.sleep(0.3)
    until(lambda: other.post(50_000_000).status_code == 201, 10)


def test_two_gateways_and_a_service_that_dies(twins: Stack) -> None:
    tus = Tus(Person(twins.url))
    content = os.urandom(12_000_000)
    path = tus.create(len(content))
    stop = threading.Timer(0.15, lambda: twins.kill("file-1"))
    stop.start()
    deadline = time.monotonic() + 60
    file_id = None
    while file_id is None:
        assert time.monotonic() < deadline
        try:
            head = tus.head(path)
            if head.status_code == 200:
                at = int(head.headers["Upload-Offset"])
                file_id = head.headers.get("X-File-ID")
                tus.patch(path, at, content[at:])
        except httpx.TransportError:
            time.sleep(0.1)
        if not twins.processes["file-1"].running():
            twins.restart("file-1")
    stop.join()
    assert tus.http.get(f"/files/{file_id}").content == content
    if not twins.processes["file-1"].running():
        twins.restart("file-1")
    twins.wait_ready()
