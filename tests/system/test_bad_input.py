"""Bad input on the running system: the contract's answer each time, never a 500, and the service goes on."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.system.people import PASSWORD, TRUST, Person, Socket, b64, unique
from tests.system.stack import Stack

pytestmark = pytest.mark.system

DEEP = b"[" * 100_000
JSON_HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
def ann(stack: Stack) -> Person:
    return Person(stack.url, "ann")


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer, which must be of this status and code."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail"} <= document.keys()
    return document


BODIES = {
    "no JSON": b"{",
    "not UTF-8": b'{"username": "\xff\xfe", "password": "x"}',
    "deep nesting": DEEP,
    "deep nesting in a member": b'{"username": "ann", "password": "long enough", "x": ' + DEEP + b"}",
    "an array": b"[]",
    "a number": b"1e400",
    "a wrong type": b'{"username": 5, "password": "long enough"}',
    "a missing member": b'{"username": "ann"}',
    "null": b"null",
    "empty": b"",
    "a NUL": b'{"username": "ann\\u0000", "password": 7}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["/auth/register", "/auth/login", "/auth/refresh"])
def test_bodies_that_are_none(stack: Stack, path: str, name: str) -> None:
    answer = httpx.post(
        f"{stack.url}/api/v1{path}", content=BODIES[name], headers=JSON_HEADERS, timeout=30, verify=TRUST
    )
    problem(answer, 400, "bad_request")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/conversations"),
        ("POST", "/keys/claim"),
        ("PUT", "/keys/identity"),
        ("PUT", "/keys/signed-prekey"),
        ("POST", "/keys/one-time-prekeys"),
        ("POST", "/users/lookup"),
    ],
)
@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"members": 5, "type": []}', DEEP])
def test_bodies_that_are_none_when_logged_in(ann: Person, method: str, path: str, body: bytes) -> None:
    problem(ann.http.request(method, path, content=body, headers=JSON_HEADERS), 400, "bad_request")


def test_another_content_type(ann: Person) -> None:
    answer = ann.http.post("/conversations", content=b"<x/>", headers={"Content-Type": "text/xml"})
    problem(answer, 415, "unsupported_media_type")


def test_an_oversized_body(ann: Person) -> None:
    body = {"type": "group", "members": [], "x": "y" * (1 << 20)}
    problem(ann.http.post("/conversations", json=body), 413, "too_large")


def test_an_oversized_body_of_unknown_length(ann: Person) -> None:
    def chunks() -> Any:
        for _ in range(40):
            yield b" " * 65_536

    answer = ann.http.post("/conversations", content=chunks(), headers=JSON_HEADERS)
    problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    "path", ["/nothing", "/conversations/x", "/users/x", "/files/12", "/keys/identity/x"]
)
def test_paths_to_nothing(ann: Person, path: str) -> None:
    problem(ann.http.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["/conversations/{}", "/conversations/{}/messages", "/users/{}", "/files/{}", "/keys/identity/{}"]
)
def test_ids_of_nothing(ann: Person, path: str) -> None:
    problem(ann.http.get(path.format(uuid4())), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["/metrics", "/api/v1/metrics", "/api/v1/../health", "//ready", "/api/v1/ready"]
)
def test_nothing_internal_is_reachable(stack: Stack, path: str) -> None:
    answer = httpx.get(f"{stack.url}{path}", timeout=30, verify=TRUST)
    assert answer.status_code in (400, 404), answer.text


def test_another_method(ann: Person) -> None:
    answer = ann.http.delete("/conversations")
    problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["allow"].replace(" ", "").split(","))


TOKENS = {
    "none": None,
    "no bearer": "Basic YTpi",
    "empty": "Bearer",
    "rubbish": "Bearer rubbish",
    "three dots": "Bearer a.b.c",
    "long": "Bearer " + "a" * 12_000,
}


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    "path", ["/auth/me", "/conversations", "/keys/status", "/files/0192f3c0-1111-7111-8111-111111111111"]
)
def test_tokens_that_are_none(stack: Stack, path: str, name: str) -> None:
    value = TOKENS[name]
    headers = {} if value is None else {"Authorization": value}
    problem(
        httpx.get(f"{stack.url}/api/v1{path}", headers=headers, timeout=30, verify=TRUST), 401, "unauthorized"
    )


def test_a_tampered_token(ann: Person) -> None:
    head, claims, signature = ann.token.split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    answer = ann.http.get("/auth/me", headers={"Authorization": f"Bearer {head}.{claims}.{flipped}"})
    problem(answer, 401, "unauthorized")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "", "99999999999999999999"])
def test_page_limits(ann: Person, limit: str) -> None:
    problem(ann.http.get("/conversations", params={"limit": limit}), 400, "bad_request")


@pytest.mark.parametrize(
    "cursor", ["x", "1", "-1.x", "9" * 300, "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")]
)
def test_cursors_that_are_none(ann: Person, cursor: str) -> None:
    problem(ann.http.get("/conversations", params={"cursor": cursor}), 400, "bad_request")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_id": "x"}, 400),
        ({"kind": "Not A Kind"}, 422),
        ({"kind": ""}, 422),
        ({"kind": 5}, 400),
        ({"content": None}, 422),
        ({"content": None, "envelopes": []}, 422),
        ({"content": "not base64!"}, 400),
        ({"content": "YQ"}, 400),
        ({"content": "YR=="}, 400),
        ({"content": b64(b"x" * 65_537)}, 413),
        ({"envelopes": [{"device_id": "x", "content": ""}]}, 400),
        ({"devices_digest": b64(b"x" * 32)}, 409),
        ({"partial": True}, 422),
    ],
)
def test_drafts_that_are_none(stack: Stack, ann: Person, change: dict[str, Any], status: int) -> None:
    conversation_id = ann.direct(Person(stack.url, "ben"))
    draft = {"client_id": str(uuid4()), "kind": "text", "content": b64(b"x"), **change}
    answer = ann.http.post(f"/conversations/{conversation_id}/messages", json=draft)
    assert answer.status_code == status, answer.text
    assert ann.ok("GET", f"/conversations/{conversation_id}")["last_seq"] == 0
    with ann.socket() as own:
        own.say(type="send", ref="r", conversation_id=conversation_id, **draft)
        frame = own.until(lambda found: found.get("ref") == "r")
        assert (frame["type"], frame["code"]) == ("error", answer.json()["code"])


@pytest.mark.parametrize("username", ["ab", "9abc", "a" * 33, "Ann Smith", "ann\u00e4", "", "_ann", "ann\n"])
def test_bad_usernames(stack: Stack, username: str) -> None:
    body = {"username": username, "password": PASSWORD}
    problem(
        httpx.post(f"{stack.url}/api/v1/auth/register", json=body, timeout=30, verify=TRUST),
        422,
        "unprocessable",
    )


@pytest.mark.parametrize("password", ["short", "x" * 1025, "ä" * 513])
def test_bad_passwords(stack: Stack, password: str) -> None:
    body = {"username": unique(), "password": password}
    problem(
        httpx.post(f"{stack.url}/api/v1/auth/register", json=body, timeout=30, verify=TRUST),
        422,
        "unprocessable",
    )


# the WebSocket


def refused(stack: Stack, **arguments: Any) -> int:
    """The status with which an upgrade is refused."""
    url = stack.url.replace("http", "ws", 1) + arguments.pop("path", "/ws")
    with pytest.raises(InvalidStatus) as caught, connect(url, open_timeout=10, **arguments):
        raise AssertionError("the upgrade was let through")
    return int(caught.value.response.status_code)


def test_upgrades_without_a_good_token(stack: Stack, ann: Person) -> None:
    assert refused(stack) == 401
    assert refused(stack, additional_headers={"Authorization": "Bearer x"}) == 401
    assert refused(stack, subprotocols=["messenger.v1", "bearer.x"]) == 401
    assert refused(stack, path="/ws?ticket=x") == 401
    assert refused(stack, path=f"/ws?access_token={ann.token}") == 401
    assert refused(stack, path=f"/ws?ticket={ann.token}") == 401


def test_upgrades_from_a_foreign_origin(stack: Stack, ann: Person) -> None:
    for origin in ("https://evil.example", "null"):
        headers = {"Authorization": f"Bearer {ann.token}"}
        assert refused(stack, additional_headers=headers, origin=origin) == 403


def test_a_plain_get_of_the_socket(ann: Person) -> None:
    answer = httpx.get(
        f"{ann.url}/ws", headers={"Authorization": f"Bearer {ann.token}"}, timeout=30, verify=TRUST
    )
    assert answer.status_code in (400, 426)


def first_frame(own: ClientConnection) -> dict[str, Any]:
    """The first frame; others may have come in the same array."""
    decoded = json.loads(own.recv(10))
    return decoded[0] if isinstance(decoded, list) else decoded


def test_a_ticket_opens_one_socket(stack: Stack, ann: Person) -> None:
    ticket = ann.ok("POST", "/auth/ticket", 201)["ticket"]
    with connect(stack.url.replace("http", "ws", 1) + f"/ws?ticket={ticket}", open_timeout=10) as own:
        assert first_frame(own)["type"] == "hello"
    assert refused(stack, path=f"/ws?ticket={ticket}") == 401


def test_a_token_among_the_subprotocols(stack: Stack, ann: Person) -> None:
    url = stack.url.replace("http", "ws", 1) + "/ws"
    with connect(url, subprotocols=["messenger.v1", f"bearer.{ann.token}"], open_timeout=10) as own:  # type: ignore[list-item]
        assert own.subprotocol == "messenger.v1"
        assert first_frame(own)["type"] == "hello"


FRAMES = [
    "5",
    "null",
    '"text"',
    "{}",
    '{"type": "nothing"}',
    '{"type": 5}',
    '{"type": "send"}',
    '{"type": "ack"}',
    '{"type": "ack", "conversation_id": 5}',
    '{"type": "ack", "conversation_id": "x", "seq": 1}',
    '{"type": "read", "conversation_id": "0192f3c0-1111-7111-8111-111111111111", "seq": -1}',
    '{"type": "read", "conversation_id": "0192f3c0-1111-7111-8111-111111111111", "seq": 1e300}',
    '{"type": "resend", "conversation_id": "0192f3c0-1111-7111-8111-111111111111"}',
    "[5]",
    "[[]]",
    '[{"type": "x"}, 5]',
]


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_that_are_none(ann: Person, frame: str) -> None:
    with ann.socket() as own:
        own.until("synced")
        own.connection.send(frame)
        answer = own.next()
        assert (answer["type"], answer["code"], answer["ref"]) == ("error", "bad_request", None)
        # The socket lives.
        own.say(type="nothing", ref="still here")
        assert own.until(lambda found: found.get("ref") == "still here")["code"] == "bad_request"


def close_code(own: Socket) -> int:
    """The code with which the server closes."""

    def read_to_the_end() -> None:
        while True:
            own.connection.recv(10)

    with pytest.raises(ConnectionClosed) as caught:
        read_to_the_end()
    assert caught.value.rcvd is not None
    return int(caught.value.rcvd.code)


@pytest.mark.parametrize(
    ("message", "code"),
    [("{", 1007), ("[1,", 1007), ("", 1007), (b"\x00", 1003), (b"{}", 1003), ("x" * (1 << 20) + "y", 1009)],
)
def test_messages_that_close(ann: Person, message: str | bytes, code: int) -> None:
    with ann.socket() as own:
        own.until("synced")
        own.connection.send(message)
        assert close_code(own) == code
    with ann.socket() as again:
        again.until("synced")


def test_a_newer_socket_takes_over(ann: Person) -> None:
    with ann.socket() as older:
        older.until("synced")
        with ann.socket() as newer:
            newer.until("synced")
            assert close_code(older) == 4409


def test_a_logout_closes_the_socket(ann: Person) -> None:
    with ann.socket() as own:
        own.until("synced")
        ann.ok("POST", "/auth/logout", 204)
        assert close_code(own) == 4401
    problem(ann.http.get("/auth/me"), 401, "unauthorized")


def test_a_message_into_a_foreign_conversation(stack: Stack, ann: Person) -> None:
    conversation_id = Person(stack.url).direct(Person(stack.url))
    with ann.socket() as own:
        assert own.send(conversation_id)["code"] == "not_found"
        own.say(type="ack", conversation_id=conversation_id, seq=5)
        own.say(type="resend", conversation_id=conversation_id, after=0)
        assert own.send(str(uuid4()))["code"] == "not_found"


def test_no_500_was_logged(stack: Stack) -> None:
    """Runs last in this module: whatever came before was no surprise to any service."""
    failures = [line for line in stack.log_text().splitlines() if '"event":"failure"' in line]
    assert not failures, failures[0][:2000]
