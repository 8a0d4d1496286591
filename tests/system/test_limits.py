"""Limits on real engines: in one process, and in several that share Valkey; and without Valkey."""

import json
import re
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from itertools import cycle
from pathlib import Path
from socket import create_connection
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.system.people import PASSWORD, Person, Socket, b64, unique
from tests.system.stack import Stack, running, until

pytestmark = pytest.mark.system

LIMITS = {
    "REGISTER": "6/h",
    "LOGIN": "60/h",
    "CLAIM": "3/h",
    "SEND": "8/m",
    "UPLOAD": "2/h",
    "OTHER": "40/m",
    "GUESS": "10/h",
    "GUESS_ADDRESS": "100/h",
}


@pytest.fixture(scope="module", params=["one", "apart"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Strict limits, behind a trusted proxy: the test. Apart, two of everything that counts guesses."""
    settings = {f"MESSENGER_LIMITS__{name}": rate for name, rate in LIMITS.items()}
    settings["MESSENGER_GATEWAY__TRUSTED_PROXIES"] = "127.0.0.1"
    folder = Path(tmp_path_factory.mktemp(f"limits-{request.param}"))
    with running(Stack(folder, request.param, settings, counts={"auth": 2, "key": 2})) as made:
        yield made


def somewhere() -> str:
    """An address that no other test has."""
    return f"203.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


class Client:
    """Calls through all gateways in turn, from an address."""

    def __init__(self, stack: Stack, address: str | None = None, token: str = "") -> None:
        self.address = address or somewhere()
        headers = {"X-Forwarded-For": self.address}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # A connection for each call, so that every gateway and every instance has its share.
        self.clients = [
            httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=10) for url in stack.urls
        ]
        self._turns = cycle(self.clients)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return next(self._turns).request(method, path, **more)

    def register(self, name: str | None = None) -> httpx.Response:
        return self.call("POST", "/auth/register", json={"username": name or unique(), "password": PASSWORD})

    def login(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.call("POST", "/auth/login", json={"username": name, "password": password})

    def guesses(self, name: str, count: int) -> Counter[int]:
        """The statuses of so many wrong guesses."""
        return Counter(self.login(name, "a wrong password").status_code for _ in range(count))


def user(stack: Stack, address: str | None = None) -> tuple[Client, dict[str, Any]]:
    """A new user from a new address, and its session."""
    client = Client(stack, address)
    session = client.register().json()
    return Client(stack, client.address, session["access_token"]), session


def allowed(call: Callable[[], httpx.Response], count: int) -> int:
    """How many of so many calls are allowed; all after the first refusal must be refused too."""
    answers = [call() for _ in range(count)]
    statuses = [answer.status_code != 429 for answer in answers]
    assert statuses == sorted(statuses, reverse=True)
    refused = [answer for answer in answers if answer.status_code == 429]
    for answer in refused:
        assert answer.json()["code"] == "rate_limited"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["ratelimit-reset"] == answer.headers["retry-after"]
        assert answer.headers["ratelimit-remaining"] == "0"
    remaining = [int(answer.headers["ratelimit-remaining"]) for answer in answers[: count - len(refused)]]
    assert remaining == sorted(set(remaining), reverse=True)
    return count - len(refused)


def undisturbed(test: Callable[[Stack], None]) -> Callable[[Stack], None]:
    """A test that counts exactly, again if an instance meanwhile found Valkey too slow: a busy machine's."""

    @wraps(test)
    def repeated(stack: Stack) -> None:
        for left in (2, 1, 0):
            until(lambda: shared(stack))
            before = metric(stack, "messenger_limits_fallbacks_total")
            try:
                test(stack)
                return
            except AssertionError:
                if not left or metric(stack, "messenger_limits_fallbacks_total") == before:
                    raise

    return repeated


def metric(stack: Stack, name: str) -> list[float]:
    """Its value on each service."""
    names = [name for name in stack.ports if name.rpartition("-")[0] in ("auth", "key", "message", "file")]
    texts = [
        httpx.get(f"http://127.0.0.1:{stack.ports[one]}/metrics", timeout=5).text for one in names or ["auth"]
    ]
    found = [re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for text in texts]
    return [float(match[1]) if match else -1.0 for match in found]


def shared(stack: Stack) -> bool:
    """Whether Valkey judges for all services."""
    return set(metric(stack, "messenger_limits_shared")) == {1.0}


@undisturbed
def test_registrations_by_address(stack: Stack) -> None:
    client = Client(stack)
    assert allowed(client.register, 9) == 6
    assert Client(stack).register().status_code == 201
    assert client.register().headers["ratelimit-policy"] == "6;w=3600"


@undisturbed
def test_an_ipv6_client_is_its_network(stack: Stack) -> None:
    network = f"2001:db8:{secrets.randbelow(65536):x}:{secrets.randbelow(65536):x}"
    codes = [Client(stack, f"{network}::{number:x}").register().status_code for number in range(8)]
    assert codes == [201] * 6 + [429] * 2


@undisturbed
def test_right_logins_by_address_and_no_guess_among_them(stack: Stack) -> None:
    name = unique()
    client = Client(stack)
    assert client.register(name).status_code == 201
    # The tenth device is the last one; what comes after is no wrong password either.
    codes = [client.login(name).status_code for _ in range(62)]
    assert codes == [200] * 9 + [409] * 51 + [429] * 2


@undisturbed
def test_claims_by_user(stack: Stack) -> None:
    client, session = user(stack)
    target = {"user_id": session["user"]["user_id"]}
    assert allowed(lambda: client.call("POST", "/keys/claim", json=target), 6) == 3


@undisturbed
def test_uploads_by_user(stack: Stack) -> None:
    client, _ = user(stack)
    headers = {"Content-Type": "application/octet-stream"}
    assert allowed(lambda: client.call("POST", "/files", content=b"x", headers=headers), 4) == 2


@undisturbed
def test_all_other_calls_of_a_user_count_together_whichever_service_answers(stack: Stack) -> None:
    client, _ = user(stack)
    paths = cycle([("GET", "/auth/me"), ("HEAD", "/keys/status"), ("GET", "/conversations")])
    began = time.monotonic()
    codes = [client.call(*next(paths)).status_code for _ in range(60)]
    forgotten = int((time.monotonic() - began) / 60 * 40) + 1
    assert 40 <= codes.count(200) <= 40 + forgotten
    assert codes.count(429) == 60 - codes.count(200)
    # One user's excess is nobody else's.
    assert user(stack)[0].call("GET", "/auth/me").status_code == 200


@undisturbed
def test_many_at_once_get_no_more(stack: Stack) -> None:
    client, session = user(stack)
    target = {"user_id": session["user"]["user_id"]}
    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda _: client.call("POST", "/keys/claim", json=target).status_code, range(20))
        )
    assert Counter(answers) == {200: 3, 429: 17}


def test_health_and_preflight_are_free(stack: Stack) -> None:
    client = Client(stack)
    for url in stack.urls:
        assert {httpx.get(f"{url}/health").status_code for _ in range(60)} == {200}
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    assert {client.call("OPTIONS", "/auth/me", headers=headers).status_code for _ in range(60)} == {403}
    info = client.call("GET", "/info")
    assert info.headers["ratelimit-limit"] == "40"


# messages


def pair(stack: Stack) -> tuple[Person, str]:
    """A person who has a direct conversation with another."""
    _, alice = user(stack)
    _, bob = user(stack)
    person = Person(stack.url, session=alice)
    return person, person.direct(Person(stack.url, session=bob))


def test_messages_over_http(stack: Stack) -> None:
    person, conversation = pair(stack)
    path = f"/conversations/{conversation}/messages"

    def send() -> int:
        body = {"client_id": str(uuid4()), "kind": "text", "content": b64(b"x")}
        return person.http.post(path, json=body).status_code

    instances = 1 if stack.form == "one" else 2
    codes = Counter(send() for _ in range(8 * instances + 4))
    assert 8 <= codes[201] <= 8 * instances
    assert codes[429] == 8 * instances + 4 - codes[201]


def test_messages_over_a_socket_that_goes_on_regardless(stack: Stack) -> None:
    person, conversation = pair(stack)
    with person.socket() as socket:
        socket.until("synced")
        answers = [socket.send(conversation) for _ in range(12)]
        assert [answer["type"] for answer in answers] == ["sent"] * 8 + ["error"] * 4
        assert answers[-1]["code"] == "rate_limited"
        assert 1 <= answers[-1]["retry_after"] <= 8
        socket.say(type="ack", conversation_id=conversation, seq=8)  # other frames go on
        assert flood(socket, conversation) == 4429
    # Nothing that was refused is stored.
    assert person.ok("GET", f"/conversations/{conversation}")["last_seq"] == 8


def flood(socket: Socket, conversation: str) -> int:
    """Send without listening to any answer; the close code."""
    frame = {
        "type": "send",
        "ref": "r",
        "conversation_id": conversation,
        "client_id": str(uuid4()),
        "kind": "text",
        "content": b64(b"x"),
    }
    with pytest.raises(ConnectionClosed) as closed:
        flow(socket, json.dumps(frame))
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def flow(socket: Socket, frame: str) -> None:
    """Send a frame over and over, then wait for the end."""
    for _ in range(300):
        socket.connection.send(frame)
    while True:
        socket.next()


# guesses


@undisturbed
def test_guesses_of_one_account_from_everywhere(stack: Stack) -> None:
    name = unique()
    assert Client(stack).register(name).status_code == 201
    for target in (name, unique()):
        with ThreadPoolExecutor(20) as threads:
            guesses = [threads.submit(Client(stack).login, target, "a wrong password") for _ in range(40)]
        answers = [guess.result() for guess in guesses]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 4 <= sum(answer.status_code == 401 for answer in answers) == 40 - len(refused) <= 10
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_the_owner_is_not_locked_out(stack: Stack) -> None:
    client, session = user(stack)
    name = session["user"]["username"]
    attacker = Client(stack)

    def locked() -> bool:
        """Whether a stranger is refused; on a busy machine the wait may be over before it asks."""
        besiege(lambda: attacker.login(name, "a wrong password"))
        return Client(stack).login(name).status_code == 429

    until(locked, 90)
    assert client.call("GET", "/auth/me").status_code == 200
    refreshed = Client(stack).call("POST", "/auth/refresh", json={"refresh_token": session["refresh_token"]})
    assert refreshed.status_code == 200
    assert client.login(name).status_code == 200


def besiege(call: Callable[[], httpx.Response]) -> None:
    """Guess until the next guess is more than 4 s away."""
    until(lambda: int(call().headers.get("retry-after", 0)) > 4, 60, 0.5)


@undisturbed
def test_wrong_passwords_of_a_session_are_guesses(stack: Stack) -> None:
    client, session = user(stack)
    change = {"current_password": "a wrong password", "new_password": "another password"}
    codes = [client.call("POST", "/auth/password", json=change).status_code for _ in range(4)]
    assert codes == [403] * 4
    besiege(lambda: client.call("POST", "/auth/password", json=change))
    delete = client.call("DELETE", "/auth/me", json={"password": PASSWORD})
    assert delete.status_code == 429
    # They count against strangers too; the session itself is not ended.
    assert Client(stack).guesses(session["user"]["username"], 7)[401] <= 4
    assert client.call("GET", "/auth/me").status_code == 200


# without Valkey


@contextmanager
def without_valkey(stack: Stack, how: int) -> Iterator[None]:
    """Valkey hangs, or is killed over and over, until the block ends; then it judges again."""
    until(lambda: shared(stack))
    stack.kill_engine("valkey", how)
    try:
        yield
    finally:
        if how == signal.SIGSTOP:
            stack.kill_engine("valkey", signal.SIGCONT)
        until(lambda: answers(stack), 15)
        until(lambda: shared(stack), 15)


def answers(stack: Stack) -> bool:
    """Whether Valkey serves, which to a stranger is to ask for a password."""
    port = json.loads((stack.data / "ports.json").read_text())["valkey"]
    try:
        with create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100).startswith(b"-NOAUTH")
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["hangs", "dies"])
def test_traffic_flows_without_valkey(stack: Stack, how: int) -> None:
    client, session = user(stack)
    person, conversation = pair(stack)
    with person.socket() as socket, without_valkey(stack, how):
        socket.until("synced")
        took = []
        for _ in range(20):
            began = time.monotonic()
            answer = client.call("GET", "/auth/me")
            took.append(time.monotonic() - began)
            assert answer.status_code == 200
            assert answer.headers["ratelimit-limit"] == "40"
        # An instance waits for an answer once, and then no more.
        assert max(took) < 1.0
        assert sorted(took)[15] < 0.15
        began = time.monotonic()
        assert socket.send(conversation)["type"] == "sent"
        assert time.monotonic() - began < 0.5
        assert client.register().status_code == 201
        assert client.login(session["user"]["username"]).status_code == 200
    assert client.call("GET", "/auth/me").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["hangs", "dies"])
def test_guesses_stay_bounded_without_valkey(stack: Stack, how: int) -> None:
    _, session = user(stack)
    name = session["user"]["username"]
    instances = 1 if stack.form == "one" else 2
    assert Client(stack).guesses(name, 4) == {401: 4}
    with without_valkey(stack, how):
        with ThreadPoolExecutor(20) as threads:
            wrong = threads.map(
                lambda _: Client(stack).login(name, "a wrong password").status_code, range(60)
            )
        codes = Counter(wrong)
        assert codes[401] <= 10 * instances - 4
        assert codes[429] == 60 - codes[401]
    # It is forgotten neither by Valkey nor by the process.
    assert Client(stack).guesses(name, 10)[401] <= 6


@undisturbed
def test_counts_outlive_valkey(stack: Stack) -> None:
    client, session = user(stack)
    target = {"user_id": session["user"]["user_id"]}
    assert allowed(lambda: client.call("POST", "/keys/claim", json=target), 4) == 3
    time.sleep(1.5)  # Valkey writes each second
    with without_valkey(stack, signal.SIGKILL):
        pass
    assert allowed(lambda: client.call("POST", "/keys/claim", json=target), 4) == 0


def test_no_password_is_logged(stack: Stack) -> None:
    password = json.loads((stack.data / "secrets.json").read_text())["valkey_password"]
    services = [process.text() for name, process in stack.processes.items() if name != "engines"]
    assert any("cache_lost" in text for text in services)
    assert not any(password in text for text in services)
