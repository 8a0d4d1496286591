"""Limits on real engines: in one process, and in several that share Valkey; and without Valkey."""

import json
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from socket import create_connection
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.system.limited import Client, allowed, shared, undisturbed, user
from tests.system.people import PASSWORD, Person, Socket, b64, unique
from tests.system.stack import Stack, running
from tests.system.waiting import until

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
        for _ in range(20):
            answer = client.call("GET", "/auth/me")
            assert answer.status_code == 200
            assert answer.headers["ratelimit-limit"] == "40"
        assert socket.send(conversation)["type"] == "sent"
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
