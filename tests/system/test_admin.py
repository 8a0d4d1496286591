"""`messenger-admin` on a running system: what it does shows at once, and is written down."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.system.people import PASSWORD, Person, unique
from tests.system.stack import SERVICES, Stack, running
from tests.system.waiting import until

pytestmark = pytest.mark.system


def refusal(stack: Stack, *arguments: str) -> tuple[int, str]:
    """The status and the one line of what can't be done."""
    done = subprocess.run(
        [sys.executable, "-m", "messenger.admin.main", *arguments],
        env=stack.admin_environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stdout
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


def login(stack: Stack, person: Person) -> httpx.Response:
    body = {"username": person.username, "password": PASSWORD}
    return httpx.post(f"{stack.url}/api/v1/auth/login", json=body, timeout=30)


def test_a_disabled_user_is_out_within_two_seconds_and_comes_back(apart: Stack) -> None:
    alice = Person(apart.url)
    with alice.socket() as socket:
        assert "disabled" in apart.run_admin("users", "disable", alice.username)
        until(lambda: alice.http.get("/keys/status").status_code == 401, 2)
        assert alice.http.get("/conversations").status_code == 401
        with pytest.raises(ConnectionClosed, match="4401"):
            socket.until("nothing that ever comes")
    wrong = httpx.post(
        f"{apart.url}/api/v1/auth/login", json={"username": alice.username, "password": "wrong password"}
    )
    answer = login(apart, alice)
    assert (answer.status_code, answer.json()["detail"]) == (401, wrong.json()["detail"])
    refresh = {"refresh_token": alice.session["refresh_token"]}
    assert alice.http.post("/auth/refresh", json=refresh).status_code == 401
    status, line = refusal(apart, "users", "disable", alice.user_id)
    assert (status, line) == (1, f"messenger-admin: {alice.username} is disabled already")
    assert "state          disabled" in apart.run_admin("users", "show", alice.user_id)
    apart.run_admin("users", "enable", alice.username)
    assert login(apart, alice).status_code == 200


def test_a_deleted_user_is_gone(apart: Stack) -> None:
    alice, bob = Person(apart.url), Person(apart.url)
    alice.publish(1)
    status, line = refusal(apart, "users", "delete", alice.username)
    assert status == 1
    assert line.endswith("say --yes")
    apart.run_admin("users", "delete", "--yes", alice.username)
    until(lambda: bob.http.get(f"/users/{alice.user_id}").status_code == 404, 2)
    assert bob.http.post("/keys/claim", json={"user_id": alice.user_id}).status_code == 404
    assert login(apart, alice).status_code == 401
    assert refusal(apart, "users", "delete", "--yes", alice.username)[0] == 1


def test_devices_and_sessions(apart: Stack) -> None:
    alice = Person(apart.url)
    other = alice.another_device()
    listed = apart.run_admin("devices", "list", alice.username)
    assert alice.device_id in listed
    assert other.device_id in listed
    lines = apart.run_admin("sessions", "list", alice.username).splitlines()[1:]
    (session_id,) = [line.split()[0] for line in lines if other.device_id in line]
    assert apart.run_admin("sessions", "end", session_id) == "sessions ended: 1\n"
    until(lambda: other.http.get("/auth/me").status_code == 401, 2)
    assert alice.http.get("/auth/me").status_code == 200
    assert refusal(apart, "sessions", "end", session_id)[0] == 1
    assert apart.run_admin("sessions", "end", "--user", alice.username) == "sessions ended: 1\n"
    until(lambda: alice.http.get("/auth/me").status_code == 401, 2)
    assert alice.username in apart.run_admin("users", "list", "--limit", "10000")
    assert "sessions end" in apart.run_admin("audit")


def test_invites(tmp_path: Path) -> None:
    settings = {"MESSENGER_AUTH__REGISTRATION": "invite"}
    with running(Stack(tmp_path, "apart", settings, instances=1)) as stack:

        def register(invite: str | None) -> int:
            body = {"username": unique(), "password": PASSWORD, "invite": invite}
            return httpx.post(f"{stack.url}/api/v1/auth/register", json=body, timeout=30).status_code

        assert register(None) == 403
        invite = stack.run_admin("invites", "make", "--uses", "2").strip()
        assert [register(invite) for _ in range(3)] == [201, 201, 403]
        other = stack.run_admin("invites", "make", "--days", "1").strip()
        listed = stack.run_admin("invites", "list").splitlines()
        assert other not in "".join(listed)
        (line,) = [line for line in listed if line.endswith("good")]
        stack.run_admin("invites", "revoke", line.split()[0])
        assert register(other) == 403
        assert refusal(stack, "invites", "revoke", line.split()[0])[0] == 1
        actions = [line.split()[2:4] for line in stack.run_admin("audit").splitlines()[1:]]
        assert actions == [["invites", "revoke"], ["invites", "make"], ["invites", "make"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ["users"],
        ["users", "disable"],
        ["users", "list", "--limit", "0"],
        ["sessions", "end"],
        ["sessions", "end", "x"],
        ["invites", "make", "--uses", "many"],
        ["invites", "make", "--days", "nan"],
        ["invites", "revoke", "x'; drop table auth.users"],
        ["keys", "rotate", "--announce", "-1"],
        ["nothing"],
    ],
)
def test_a_wrong_command_line_is_told_in_a_line(apart: Stack, arguments: list[str]) -> None:
    status, line = refusal(apart, *arguments)
    assert status == 2
    assert line.startswith("messenger-admin")


def test_what_is_not_there(apart: Stack) -> None:
    for user in ("nobody-of-this-name", "00000000-0000-7000-8000-000000000000", "\x1b[31m", "' or 1=1"):
        status, line = refusal(apart, "users", "show", user)
        assert (status, line) == (1, f"messenger-admin: there is no user {user!r}")


def doctor(stack: Stack, **settings: str) -> tuple[int, list[str]]:
    """What the doctor says of a stack, with some settings changed."""
    services = {
        f"MESSENGER_GATEWAY__{name.upper()}": f"127.0.0.1:{stack.ports[f'{name}-1']}" for name in SERVICES
    }
    port = stack.ports["gateway-metrics-1"]
    services["MESSENGER_GATEWAY__METRICS_LISTEN"] = f"tcp:{port}:interface=127.0.0.1"
    done = subprocess.run(
        [sys.executable, "-m", "messenger.admin.main", "doctor"],
        env={**stack.admin_environment, **services, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


def test_the_doctor_finds_all_well(apart: Stack) -> None:
    status, lines = doctor(apart)
    assert not [line for line in lines if line.startswith("WRONG")]
    assert status == 0
    for what in ("PostgreSQL fsync", "role messenger_file", "NATS max_payload", "S3", "Redis", "clock"):
        assert any(line.startswith(f"ok    {what}") for line in lines), what
    assert sum("is ready, version" in line for line in lines) == 5
    assert not any(secret in line for line in lines for secret in _secrets(apart))


@pytest.mark.long
def test_the_doctor_names_what_is_wrong(apart: Stack) -> None:
    status, lines = doctor(
        apart,
        MESSENGER_KEY__DATABASE_PASSWORD="wrong",
        MESSENGER_NATS__URL="nats://127.0.0.1:1",
        MESSENGER_S3__SECRET_KEY="wrong",
        MESSENGER_REDIS__PASSWORD="wrong",
        MESSENGER_GATEWAY__FILE="127.0.0.1:1",
        MESSENGER_GATEWAY__LISTEN="ssl:443:privateKey=/nothing.pem:certKey=/nothing.pem",
    )
    wrong = [line.split(": ")[0] for line in lines if line.startswith("WRONG")]
    assert wrong == [
        "WRONG [gateway] listen",
        "WRONG role messenger_key",
        "WRONG NATS",
        "WRONG S3",
        "WRONG Redis",
        "WRONG file at 127.0.0.1:1",
    ]
    assert status == 1
    status, lines = doctor(apart, MESSENGER_DATABASE__ADMIN_PASSWORD="wrong")
    assert (status, sum(line.startswith("WRONG") for line in lines)) == (1, 1)


def _secrets(stack: Stack) -> list[str]:
    found = stack.admin_environment
    return [
        found[name] for name in found if name.endswith(("PASSWORD", "SECRET", "SECRET_KEY")) and found[name]
    ]
