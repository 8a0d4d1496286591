"""Disks that are full, each engine's on a small file system of its own: reads go on, what needs room is
answered 503, who has none is named, nothing acknowledged is lost, and all comes back when there is room."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg2
import pytest

from tests.system.people import Person, b64
from tests.system.stack import Stack, running
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.long]

MIB = 1 << 20
ROOM = {"postgres": 40, "nats": 12, "seaweedfs": 400}  # MiB beyond what is there
OCTETS = {"Content-Type": "application/octet-stream"}
BACK_SECONDS = 30.0


def mounts() -> bool:
    """Whether this process may mount file systems."""
    if os.geteuid() != 0:
        return False
    place = Path(f"/run/messenger-test-{uuid4().hex}")
    try:
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True, capture_output=True)
        subprocess.run(["umount", place], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        with suppress(OSError):
            place.rmdir()
    return True


if not mounts():
    pytest.skip(
        "a small file system can't be mounted here: that takes the superuser", allow_module_level=True
    )


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    """A file system of `size` MiB at `place`, with what was there."""
    owner = place.stat()
    before = place.with_name(place.name + ".before")
    place.rename(before)
    place.mkdir()
    options = f"size={size}m,mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    try:
        subprocess.run(["cp", "-a", f"{before}/.", place], check=True)
        shutil.rmtree(before)
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def used(place: Path) -> int:
    """MiB that are taken below `place`."""
    return sum(path.lstat().st_blocks for path in place.rglob("*")) * 512 // MIB + 1


class Balloon:
    """Takes all the room of a file system, but `left` bytes."""

    def __init__(self, place: Path, left: int = 0) -> None:
        self._file = place / "balloon"
        with suppress(OSError), self._file.open("wb", buffering=0) as out:
            while True:
                found = os.statvfs(place)
                room = found.f_bavail * found.f_frsize - left
                if left and room <= 0:
                    break
                out.write(bytes(min(MIB, max(room, 4096))))

    def burst(self) -> None:
        """Give it back."""
        self._file.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system whose engines have little room."""
    folder = Path(tmp_path_factory.mktemp("small"))
    first = Stack(folder, "apart", instances=1)
    with running(first):
        pass
    first.processes["engines"].log.unlink()  # it names the first start
    disks = [(first.data / name, room) for name, room in ROOM.items()]
    held = [small_disk(place, used(place) + room) for place, room in disks]
    for disk in held:
        disk.__enter__()
    try:
        with running(Stack(folder, "apart", instances=1)) as stack:
            yield stack
    finally:
        for disk in held:
            disk.__exit__(None, None, None)


@pytest.fixture
def ann(small: Stack) -> Person:
    return Person(small.url, "ann")


def post(person: Person, conversation_id: str, size: int = 20_000) -> httpx.Response:
    body = {"client_id": str(uuid4()), "kind": "text", "content": b64(os.urandom(size))}
    return person.http.post(f"/conversations/{conversation_id}/messages", json=body)


def numbers(person: Person, conversation_id: str) -> list[int]:
    """All messages that are there."""
    found: list[int] = []
    path = f"/conversations/{conversation_id}/messages?limit=200&after="
    while page := person.ok("GET", f"{path}{found[-1] if found else 0}")["items"]:
        found += [message["seq"] for message in page]
    return found


def refused(answer: httpx.Response) -> bool:
    """Whether that is the answer of a full disk; no other failure is one."""
    if answer.status_code < 400:
        return False
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    return True


def state(stack: Stack, service: str, check: str) -> str:
    answer = httpx.get(f"{stack.service_url(service)}/ready", timeout=10)
    found: str = answer.json()["checks"][check]
    assert (answer.status_code == 200) == (found == "ready")
    return found


def gauge(stack: Stack, service: str, disk: str) -> float:
    text = httpx.get(f"{stack.service_url(service)}/metrics", timeout=10).text
    name = f'messenger_disk_full{{disk="{disk}"}} '
    return next(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))


@contextmanager
def no_traceback(stack: Stack, *services: str, words: str) -> Iterator[None]:
    """Nothing logged within bears a traceback, and one line of each service tells of the disk."""
    begins = {name: len(process.text()) for name, process in stack.processes.items()}
    yield
    for name, begin in begins.items():
        assert "traceback" not in stack.processes[name].text()[begin:].lower(), name
    for service in services:
        text = stack.processes[f"{service}-1"].text()[begins[f"{service}-1"] :]
        told = [line for line in text.splitlines() if '"event":"disk_full"' in line]
        assert len(told) in (1, 2)
        assert words in told[0]


def test_postgresql_s_disk(small: Stack, ann: Person) -> None:
    ben = Person(small.url, "ben")
    conversation_id = ann.direct(ben)
    acknowledged = [post(ann, conversation_id).json()["seq"]]
    with no_traceback(small, "message", words="disk full: PostgreSQL"):
        balloon = Balloon(small.data / "postgres")
        try:
            until(lambda: refused(post(ann, conversation_id)), 20, 0)
            assert state(small, "message", "postgresql") == "disk full"
            until(lambda: "postgresql (disk full)" in httpx.get(f"{small.url}/ready").text, 5, 0.2)
            assert gauge(small, "message", "PostgreSQL") == 1
            doctor = run_doctor(small)
            assert "PostgreSQL's disk is full" in doctor
            begin = time.monotonic()
            while time.monotonic() - begin < 5:
                answer = post(ann, conversation_id)
                if not refused(answer):
                    acknowledged.append(answer.json()["seq"])
                assert numbers(ben, conversation_id)[: len(acknowledged)] == acknowledged
        finally:
            balloon.burst()
        until(lambda: httpx.get(f"{small.url}/ready", timeout=10).status_code == 200, BACK_SECONDS, 0.2)
        acknowledged.append(post(ann, conversation_id).json()["seq"])
    assert numbers(ben, conversation_id) == acknowledged
    assert gauge(small, "message", "PostgreSQL") == 0


def test_postgresql_that_finds_no_room_for_its_log_comes_back(small: Stack, ann: Person) -> None:
    """It stops, then, and starts again and again until there is room: away, and nothing is lost."""
    ben = Person(small.url, "ben")
    conversation_id = ann.direct(ben)
    acknowledged = [post(ann, conversation_id).json()["seq"] for _ in range(20)]
    with no_traceback(small, words=""):
        balloon = Balloon(small.data / "postgres")
        try:
            with pytest.raises(psycopg2.OperationalError):
                use_up_log(small)
            begin = time.monotonic()
            while time.monotonic() - begin < 5:
                answer = post(ann, conversation_id)
                if not refused(answer):
                    acknowledged.append(answer.json()["seq"])
        finally:
            balloon.burst()
        until(lambda: httpx.get(f"{small.url}/ready", timeout=10).status_code == 200, BACK_SECONDS, 0.2)
    there = numbers(ben, conversation_id)
    assert set(acknowledged) <= set(there)
    assert there == list(range(1, len(there) + 1))
    post(ann, conversation_id).raise_for_status()


def use_up_log(stack: Stack) -> None:
    """Have PostgreSQL begin a new file of its log, over and over."""
    with closing(stack.database()) as connection, connection.cursor() as cursor:
        for _ in range(20):
            cursor.execute("select pg_logical_emit_message(true, 'filling', 'x')")
            cursor.execute("select pg_switch_wal()")


def run_doctor(stack: Stack) -> str:
    """What `doctor` says, whatever its status."""
    done = subprocess.run(
        [sys.executable, "-m", "messenger.admin.main", "doctor", "--before-start"],
        env=stack.admin_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done.stdout + done.stderr


def test_nats_s_disk(small: Stack, ann: Person) -> None:
    """Messages need no NATS to be stored and found; its streams take events again once there is room."""
    ben = Person(small.url, "ben")
    conversation_id = ann.direct(ben)
    with no_traceback(small, "message", words="NATS"), ben.socket() as own:
        own.until("synced")
        balloon = Balloon(small.data / "nats")
        try:
            acknowledged = [post(ann, conversation_id).json()["seq"]]
            until(lambda: "disk full" in state(small, "message", "nats"), 30, 0.2)
            acknowledged.append(post(ann, conversation_id).json()["seq"])
            assert [own.until("message", 15)["seq"] for _ in acknowledged] == acknowledged
            assert "NATS" in run_doctor(small)
        finally:
            balloon.burst()
        until(lambda: state(small, "message", "nats") == "ready", BACK_SECONDS, 0.2)
        sent = post(ann, conversation_id).json()["seq"]
        assert own.until("message", 15)["seq"] == sent
        until(lambda: events_left(small) == 0, 30, 0.2)


def events_left(stack: Stack) -> int:
    with closing(stack.database()) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from message.outbox")
        found: int = cursor.fetchone()[0]
        return found


def test_s3_s_disk(small: Stack, ann: Person) -> None:
    conversation_id = ann.direct(Person(small.url, "ben"))

    def upload() -> httpx.Response:
        return ann.http.post("/files", content=os.urandom(300_000), headers=OCTETS)

    stored = upload().json()["file_id"]
    with no_traceback(small, "file", words="S3"):
        balloon = Balloon(small.data / "seaweedfs")
        try:
            until(lambda: refused(upload()), 20, 0)
            assert "disk full" in state(small, "file", "s3")
            assert gauge(small, "file", "S3") == 1
            assert len(ann.http.get(f"/files/{stored}").raise_for_status().content) == 300_000
            post(ann, conversation_id).raise_for_status()
            assert "S3's disk" in run_doctor(small)
        finally:
            balloon.burst()
        until(lambda: state(small, "file", "s3") == "ready", BACK_SECONDS, 0.2)
        again = upload()
        assert again.status_code == 201
    for file_id in (stored, again.json()["file_id"]):
        assert len(ann.http.get(f"/files/{file_id}").raise_for_status().content) == 300_000


def test_the_last_bytes_of_one_disk_for_all(tmp_path: Path) -> None:
    """`twist messenger` leaves its engines what they need to go on: PostgreSQL does not stop."""
    data = tmp_path / "var"
    data.mkdir()
    with small_disk(data, 700), running(Stack(tmp_path, "one")) as stack:
        ann = Person(stack.url, "ann")
        conversation_id = ann.direct(Person(stack.url, "ben"))
        acknowledged = [post(ann, conversation_id).json()["seq"]]
        pid = stack.engine("postgres").pid
        balloon = Balloon(data, left=32 * MIB)
        try:
            time.sleep(1)
            assert refused(post(ann, conversation_id))
            assert refused(ann.http.post("/files", content=bytes(1000), headers=OCTETS))
            assert "postgresql (disk full)" in httpx.get(f"{stack.url}/ready", timeout=10).text
            assert numbers(ann, conversation_id) == acknowledged
            assert "disk full" in stack.processes["messenger"].text()
        finally:
            balloon.burst()
        until(lambda: httpx.get(f"{stack.url}/ready", timeout=10).status_code == 200, BACK_SECONDS, 0.2)
        acknowledged.append(post(ann, conversation_id).json()["seq"])
        assert numbers(ann, conversation_id) == acknowledged
        assert stack.engine("postgres").pid == pid
        assert "Traceback" not in stack.processes["messenger"].text()
