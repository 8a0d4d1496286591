"""What is left of uploads that fail: nothing. Faults at random bytes, of the client and of every engine."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest
from minio import Minio

from tests.system.people import Person
from tests.system.stack import Stack, running
from tests.system.waiting import until

# Faults of engines take minutes and a machine to themselves.
pytestmark = [pytest.mark.system, pytest.mark.long]

QUOTA = 40_000_000
ABANDONED = 6
RESUMABLE = 20
PIECE = 65_536


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every service on its own, with a file service that sweeps early."""
    settings = {
        "MESSENGER_FILE__QUOTA": str(QUOTA),
        "MESSENGER_FILE__ABANDONED": str(ABANDONED),
        "MESSENGER_FILE__RESUMABLE": str(RESUMABLE),
        "MESSENGER_FILE__SWEEP": "0.5",
    }
    with running(Stack(Path(tmp_path_factory.mktemp("faults")), "apart", settings, instances=1)) as stack:
        yield stack


def query(stack: Stack, statement: str) -> list[Any]:
    """Rows of the database, as its administrator sees them."""

    def connected() -> Any:
        try:
            return stack.database()
        except psycopg2.OperationalError:
            return None  # it was killed a moment ago

    connection = until(connected, 30)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def blobs(stack: Stack) -> dict[str, int]:
    """What is in S3: sizes by key."""
    client = Minio(
        urlsplit(stack.engines["s3_endpoint"]).netloc,
        access_key=stack.engines["s3_access_key"],
        secret_key=stack.engines["s3_secret_key"],
        secure=False,
        region=stack.engines["s3_region"],
    )
    found = client.list_objects(stack.bucket, recursive=True)
    return {str(one.object_name): int(one.size or 0) for one in found if not one.is_dir}


def at_rest(stack: Stack) -> bool:
    """Whether nothing is on its way any more, and S3, rows and quotas agree."""
    rows = dict(query(stack, "select blob_key, size from file.files where state = 'stored'"))
    uploading = query(stack, "select 1 from file.files where state <> 'stored'")
    removals = query(stack, "select 1 from file.removals")
    used = query(stack, "select coalesce(sum(bytes), 0), coalesce(sum(files), 0) from file.usage")[0]
    return (
        not uploading
        and not removals
        and blobs(stack) == rows
        and (int(used[0]), int(used[1])) == (sum(rows.values()), len(rows))
    )


def upload(
    person: Person, size: int, *, stated: bool, at: int = -1, fault: Callable[[], None] = lambda: None
) -> str | None:
    """Upload `size` bytes and call `fault` before the byte `at`; the file's id if the answer was 201.

    The quota may refuse it: what has just failed is still being undone.
    """

    def pieces() -> Iterator[bytes]:
        sent = 0
        while sent < size:
            if sent <= at < sent + PIECE:
                fault()
            piece = os.urandom(min(PIECE, size - sent))
            sent += len(piece)
            yield piece

    headers = {"Content-Type": "application/octet-stream"}
    if stated:
        headers["Content-Length"] = str(size)
    try:
        answer = person.http.post("/files", content=pieces(), headers=headers)
    except httpx.TransportError:
        return None
    if answer.status_code != 201:
        assert answer.status_code in (413, 502, 503, 504), answer.text
        return None
    return str(answer.json()["file_id"])


def resumable(
    stack: Stack, person: Person, size: int, *, at: int, fault: Callable[[], None], gives_up: bool
) -> str | None:
    """Upload by tus, with a fault before the byte `at`, and go on until all is there, unless the client gives
    up; the file's id."""
    content = os.urandom(size)
    tus = {"Tus-Resumable": "1.0.0"}

    def pieces(start: int, end: int) -> Iterator[bytes]:
        for begin in range(start, end, PIECE):
            if begin <= at < begin + PIECE and start == 0:
                fault()
            yield content[begin : min(begin + PIECE, end)]

    def patch(offset: int) -> str | None:
        headers = {
            **tus,
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size - offset),
        }
        answer = person.http.patch(path, content=pieces(offset, size), headers=headers)
        assert answer.status_code in (204, 404, 409, 410, 502, 503, 504), answer.text
        return answer.headers.get("X-File-ID")

    try:
        made = person.http.post("/files/uploads", headers={**tus, "Upload-Length": str(size)})
    except httpx.TransportError:
        return None
    if made.status_code != 201:
        assert made.status_code in (413, 502, 503, 504), made.text
        return None
    path = str(made.headers["Location"]).removeprefix("/api/v1")
    file_id = None
    with suppress(httpx.TransportError):
        file_id = patch(0)
    if gives_up and file_id is None:
        return None
    deadline = time.monotonic() + 60
    while file_id is None:
        assert time.monotonic() < deadline
        if not stack.processes["file-1"].running():
            stack.restart("file-1")
        with suppress(httpx.TransportError):
            head = person.http.head(path, headers=tus)
            if head.status_code in (404, 410):
                return None  # it took too long
            if head.status_code == 200:
                file_id = head.headers.get("X-File-ID") or patch(int(head.headers["Upload-Offset"]))
        time.sleep(0.1)
    assert person.http.get(f"/files/{file_id}").content == content
    return file_id


class Leave(httpx.TransportError):
    """What a client does that has had enough."""


def leave() -> None:
    raise Leave("left")


def kill_engine(stack: Stack, name: str) -> None:
    """Kill an engine; one that is just being started again after the last time is let be."""
    with suppress(ProcessLookupError):
        stack.kill_engine(name)


@pytest.mark.parametrize("rounds", [1, pytest.param(6, marks=pytest.mark.long)])
def test_faults_at_random_bytes_leave_exactly_the_finished_files(stack: Stack, rounds: int) -> None:
    person = Person(stack.url)
    faults: list[Callable[[], None]] = [
        *[leave] * 4,
        lambda: kill_engine(stack, "seaweedfs"),
        lambda: kill_engine(stack, "postgres"),
        lambda: stack.kill("file-1"),
        *[lambda: None] * 2,
    ] * rounds
    random.shuffle(faults)
    finished: dict[str, int] = {}
    for number, fault in enumerate(faults):
        size = random.randrange(1, 12_000_000)
        at = random.randrange(size)
        if number % 2:
            file_id = resumable(stack, person, size, at=at, fault=fault, gives_up=number % 8 == 1)
        else:
            file_id = upload(person, size, stated=number % 4 == 0, at=at, fault=fault)
        if not stack.processes["file-1"].running():
            stack.restart("file-1")
        stack.wait_ready()
        if file_id is not None:
            finished[file_id] = size
        if sum(finished.values()) > QUOTA // 2:
            gone, _ = finished.popitem()
            assert person.http.delete(f"/files/{gone}").status_code == 204
    until(lambda: at_rest(stack), 90, 0.5)
    rows = query(stack, f"select file_id, size from file.files where uploader_id = '{person.user_id}'")
    # What was committed just before its answer got lost may be more than the client knows of, never less.
    assert finished.items() <= {str(file_id): int(size) for file_id, size in rows}.items()
    for file_id, size in finished.items():
        assert len(person.http.get(f"/files/{file_id}").content) == size


def test_the_quota_is_given_back(stack: Stack) -> None:
    person = Person(stack.url)
    first = upload(person, QUOTA - 1_000, stated=True)
    assert first is not None
    for stated in (True, False):
        body = (os.urandom(500) for _ in range(3)) if not stated else os.urandom(1_500)
        answer = person.http.post(
            "/files", content=body, headers={"Content-Type": "application/octet-stream"}
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert upload(person, 1_000, stated=False) is not None
    person.ok("DELETE", f"/files/{first}")
    for _ in range(3):
        upload(person, QUOTA // 2, stated=True, at=QUOTA // 4, fault=leave)
    until(lambda: upload(person, QUOTA - 1_000, stated=True), 20, 0.5)


def test_a_hung_s3_is_unavailable_and_the_service_goes_on(stack: Stack) -> None:
    person = Person(stack.url)
    path = f"/files/{upload(person, 100_000, stated=True)}"
    stack.kill_engine("seaweedfs", signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = person.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert time.monotonic() - began < 15
        assert person.http.get(f"{path}/info").status_code == 200
    finally:
        stack.kill_engine("seaweedfs", signal.SIGCONT)
    stack.wait_ready()
    until(lambda: person.http.get(path).status_code == 200)


def test_a_download_that_s3_breaks_off_is_cut_and_not_completed(stack: Stack) -> None:
    person = Person(stack.url)
    path = f"/files/{upload(person, 30_000_000, stated=True)}"
    received = 0

    def fetch() -> None:
        nonlocal received
        with person.http.stream("GET", path) as answer:
            for number, piece in enumerate(answer.iter_raw(PIECE)):
                received += len(piece)
                if number == 1:
                    stack.kill_engine("seaweedfs")
                    time.sleep(0.5)

    with pytest.raises(httpx.TransportError):
        fetch()
    assert received < 30_000_000
    stack.wait_ready()
    until(lambda: person.http.get(path).status_code == 200, 20)


def test_expired_files_and_their_blobs_go(stack: Stack) -> None:
    ada, ben = Person(stack.url), Person(stack.url)
    group = ada.group(ben)
    ada.ok("PATCH", f"/conversations/{group}", json={"message_ttl": 1})
    headers = {"Content-Type": "application/octet-stream", "X-Conversation-ID": group}
    file = ada.ok("POST", "/files", content=b"soon gone", headers=headers)
    statement = f"select 1 from file.files where file_id = '{file['file_id']}'"
    until(lambda: not query(stack, statement) and at_rest(stack), 20, 0.5)


def test_the_files_of_a_deleted_account_go(stack: Stack) -> None:
    ada, ben = Person(stack.url), Person(stack.url)
    headers = {"Content-Type": "application/octet-stream", "X-Conversation-ID": ada.group(ben)}
    file = ada.ok("POST", "/files", content=b"ciphertext", headers=headers)
    path = f"/files/{file['file_id']}"
    assert ben.http.get(path).status_code == 200
    ada.ok("DELETE", "/auth/me", json={"password": "correct horse battery staple"})
    until(lambda: ben.http.get(path).status_code == 404, 10)
    until(lambda: at_rest(stack), 20, 0.5)


def test_memory_does_not_grow_with_what_passes_through(stack: Stack) -> None:
    def peak() -> int:
        text = Path(f"/proc/{stack.processes['file-1'].pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))

    people = [Person(stack.url) for _ in range(8)]
    before = peak()

    def move(person: Person) -> int:
        # S3 may still be finding its feet after what the tests before did to it: 503 says to try again.
        file_id = until(lambda: upload(person, 30_000_000, stated=True), 60, 0.5)
        with person.http.stream("GET", f"/files/{file_id}") as answer:
            return sum(len(piece) for piece in answer.iter_raw())

    with ThreadPoolExecutor(len(people)) as pool:
        assert list(pool.map(move, people)) == [30_000_000] * len(people)
    assert peak() - before < 40_000  # kB, for 240 MB each way
