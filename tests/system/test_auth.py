"""Accounts, devices, sessions and tokens, through the gateway, on real engines."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jwt
import pytest

from tests.system.people import TRUST
from tests.system.stack import Stack
from tests.system.waiting import until

pytestmark = pytest.mark.system

PASSWORD = "correct horse battery"
NOBODY = "00000000-0000-7000-8000-000000000000"


class Client:
    """An HTTP client with a session's access token."""

    def __init__(self, stack: Stack) -> None:
        self.http = httpx.Client(base_url=stack.url + "/api/v1", timeout=30, verify=TRUST)
        self.session: dict[str, Any] = {}
        self.username = "u" + secrets.token_hex(8)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.call("POST", path, json=body, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": "Bearer " + self.session["access_token"]} if self.session else {}
        return self.http.request(method, path, headers=headers, **more)

    def register(self) -> "Client":
        answer = self.post("/auth/register", {"username": self.username, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        self.session = answer.json()
        return self

    def login(self, stack: Stack, **more: str) -> "Client":
        other = Client(stack)
        body = {"username": self.username, "password": PASSWORD, **more}
        answer = other.post("/auth/login", body)
        assert answer.status_code == 200, answer.text
        other.username, other.session = self.username, answer.json()
        return other

    def refresh(self, token: str | None = None) -> httpx.Response:
        return self.http.post("/auth/refresh", json={"refresh_token": token or self.session["refresh_token"]})


@pytest.fixture
def alice(stack: Stack) -> Client:
    return Client(stack).register()


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_session_and_its_token(stack: Stack, alice: Client) -> None:
    session = alice.session
    assert session["token_type"] == "Bearer"
    assert session["expires_in"] == 900
    assert alice.get("/auth/me").json() == session["user"]
    jwks = httpx.get(stack.url + "/.well-known/jwks.json").json()
    token = session["access_token"]
    kid = jwt.get_unverified_header(token)["kid"]
    (key,) = [key for key in jwks["keys"] if key["kid"] == kid]
    claims = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["EdDSA"], audience="messenger")
    assert claims["sub"] == session["user"]["user_id"]
    assert claims["did"] == session["device_id"]
    assert claims["exp"] - claims["iat"] == 900


def test_users_are_found(stack: Stack, alice: Client) -> None:
    bob = Client(stack).register()
    user = bob.session["user"]
    assert alice.get("/users/" + user["user_id"]).json() == user
    assert alice.get("/users", params={"username": bob.username.upper()}).json() == {"items": [user]}
    for name in ("\0", "x" * 1_000):
        assert alice.get("/users", params={"username": name}).json() == {"items": []}
    found = alice.post("/users/lookup", {"user_ids": [user["user_id"], NOBODY, user["user_id"]]})
    assert found.json() == {"items": [user]}
    refused(alice.get("/users/" + NOBODY), 404, "not_found")
    refused(alice.get("/users/me"), 404, "not_found")
    refused(alice.get("/users"), 400, "bad_request")
    refused(alice.post("/users/lookup", {"user_ids": [NOBODY] * 201}), 400, "bad_request")


@pytest.mark.parametrize(
    ("username", "password", "status", "code"),
    [
        ("ab", PASSWORD, 422, "unprocessable"),
        ("9abc", PASSWORD, 422, "unprocessable"),
        ("\u212aelvin", PASSWORD, 422, "unprocessable"),
        ("x" * 5_000, PASSWORD, 422, "unprocessable"),
        ("abc\0", PASSWORD, 422, "unprocessable"),
        ("abcd", "short", 422, "unprocessable"),
        ("abcd", "x" * 1025, 422, "unprocessable"),
        (["abcd"], PASSWORD, 400, "bad_request"),
        ("abcd", None, 400, "bad_request"),
    ],
)
def test_bad_registrations(one: Stack, username: Any, password: Any, status: int, code: str) -> None:
    refused(Client(one).post("/auth/register", {"username": username, "password": password}), status, code)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[" * 50_000,
        b'{"username":"abcd","password":"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe"}',
        b'{"username":"abcd","password":"\\ud800\\ud800\\ud800\\ud800"}',
        b'{"username":"abcd","password":"\xed\xa0\x80\xed\xa0\x80\xed\xa0\x80\xed\xa0\x80"}',
    ],
)
@pytest.mark.parametrize("path", ["/auth/register", "/auth/login", "/auth/refresh"])
def test_bodies_that_are_none(one: Stack, path: str, raw: bytes) -> None:
    answer = Client(one).http.post(path, content=raw, headers={"Content-Type": "application/json"})
    refused(answer, 400, "bad_request")


def test_a_name_is_taken_once_also_at_the_same_time(stack: Stack) -> None:
    client = Client(stack)
    body = {"username": client.username, "password": PASSWORD}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post("/auth/register", body), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


def test_logins(stack: Stack, alice: Client) -> None:
    wrong = alice.post("/auth/login", {"username": alice.username, "password": "wrong password"})
    unknown = alice.post("/auth/login", {"username": "x" + alice.username, "password": PASSWORD})
    refused(wrong, 401, "unauthorized")
    refused(unknown, 401, "unauthorized")
    assert wrong.json()["detail"] == unknown.json()["detail"]
    again = alice.login(stack, device_id=alice.session["device_id"])
    assert again.session["device_id"] == alice.session["device_id"]
    until(lambda: alice.get("/auth/me").status_code == 401, 2)
    body = {"username": alice.username, "password": PASSWORD, "device_id": NOBODY}
    refused(alice.post("/auth/login", body), 404, "not_found")
    for _ in range(9):
        alice.login(stack)
    refused(alice.post("/auth/login", {**body, "device_id": None}), 409, "device_limit")


def test_fifty_refreshes_at_once_get_one_successor(stack: Stack, alice: Client) -> None:
    with ThreadPoolExecutor(25) as threads:
        answers = list(threads.map(lambda _: alice.refresh(), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.json()["refresh_token"] for answer in answers}
    assert alice.refresh(successor).status_code == 200


def test_a_reused_refresh_token_ends_the_session_everywhere(stack: Stack, alice: Client) -> None:
    first = alice.session["refresh_token"]
    second = alice.refresh().json()
    third = alice.refresh(second["refresh_token"]).json()
    alice.session = third
    assert alice.get("/keys/status").status_code == 200
    refused(alice.refresh(first), 401, "refresh_reused")
    for path in ("/auth/me", "/keys/status", "/conversations"):
        until(lambda path=path: alice.get(path).status_code == 401, 2)
    refused(alice.refresh(third["refresh_token"]), 401, "refresh_reused")


@pytest.mark.parametrize("token", ["", "x", "A" * 107, "é" * 107, "a.b.c", "A" * 5_000])
def test_refresh_tokens_that_are_none(one: Stack, token: str) -> None:
    client = Client(one)
    refused(client.post("/auth/refresh", {"refresh_token": token}), 401, "unauthorized")
    challenge = {"challenge": token, "code": token}
    refused(client.post("/auth/second-factor", challenge), 401, "unauthorized")


def test_logout_ends_the_session_at_once_and_keeps_the_device(stack: Stack, alice: Client) -> None:
    assert alice.post("/auth/logout").status_code == 204
    refused(alice.get("/auth/me"), 401, "unauthorized")
    refused(alice.refresh(), 401, "unauthorized")
    until(lambda: alice.get("/keys/status").status_code == 401, 2)
    again = alice.login(stack, device_id=alice.session["device_id"], device_name="the same")
    (device,) = again.get("/auth/devices").json()["items"]
    assert (device["device_name"], device["current"]) == ("the same", True)


def test_a_new_password_ends_the_other_sessions(stack: Stack, alice: Client) -> None:
    other = alice.login(stack)
    body = {"current_password": "wrong password", "new_password": "another password"}
    refused(alice.post("/auth/password", body), 403, "forbidden")
    body["current_password"] = PASSWORD
    assert alice.post("/auth/password", body).status_code == 204
    until(lambda: other.get("/auth/me").status_code == 401, 2)
    assert alice.get("/auth/me").status_code == 200
    refused(
        alice.post("/auth/login", {"username": alice.username, "password": PASSWORD}), 401, "unauthorized"
    )


def test_a_removed_device_is_out(stack: Stack, alice: Client) -> None:
    other = alice.login(stack)
    path = "/auth/devices/" + other.session["device_id"]
    refused(Client(stack).register().call("DELETE", path), 404, "not_found")
    assert alice.call("DELETE", path).status_code == 204
    until(lambda: other.get("/keys/status").status_code == 401, 2)
    refused(other.refresh(), 401, "unauthorized")
    refused(alice.call("DELETE", path), 404, "not_found")
    assert len(alice.get("/auth/devices").json()["items"]) == 1


def test_a_deleted_account_is_gone_and_its_name_stays_taken(stack: Stack, alice: Client) -> None:
    bob = Client(stack).register()
    refused(alice.call("DELETE", "/auth/me", json={"password": "wrong password"}), 403, "forbidden")
    assert alice.call("DELETE", "/auth/me", json={"password": PASSWORD}).status_code == 204
    until(lambda: alice.get("/keys/status").status_code == 401, 2)
    refused(bob.get("/users/" + alice.session["user"]["user_id"]), 404, "not_found")
    refused(
        bob.post("/auth/register", {"username": alice.username, "password": PASSWORD}),
        409,
        "username_taken",
    )


def test_forward_auth(stack: Stack, alice: Client) -> None:
    answer = alice.get("/auth/validate")
    assert answer.status_code == 204
    assert answer.headers["x-user-id"] == alice.session["user"]["user_id"]
    assert answer.headers["x-device-id"] == alice.session["device_id"]
    refused(Client(stack).get("/auth/validate"), 401, "unauthorized")


def test_no_secret_is_logged(one: Stack) -> None:
    client = Client(one).register()
    ticket = client.post("/auth/ticket").json()["ticket"]
    client.refresh()
    client.post("/auth/login", {"username": client.username, "password": "a wrong secret word"})
    time.sleep(0.5)
    text = one.log_text()
    for secret in (
        PASSWORD,
        "a wrong secret word",
        ticket,
        client.session["access_token"],
        client.session["refresh_token"],
    ):
        assert secret not in text
