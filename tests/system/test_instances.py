"""Two auth, key or message services: what has to hold across instances, while they come and go."""

import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jwt
import pytest
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from tests.system.people import PASSWORD, Person, b64, device_list
from tests.system.stack import Stack
from tests.system.waiting import until

pytestmark = pytest.mark.system


def instances(stack: Stack, service: str) -> list[str]:
    """Where the instances of a service are."""
    return [f"http://127.0.0.1:{stack.ports[f'{service}-{number}']}/api/v1" for number in (1, 2)]


def query(stack: Stack, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """What PostgreSQL's superuser reads."""
    connection = stack.database()
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def test_fifty_refreshes_at_once_on_two_instances_get_one_successor(twins: Stack) -> None:
    alice = Person(twins.url)
    urls = instances(twins, "auth")
    body = {"refresh_token": alice.session["refresh_token"]}

    def refresh(number: int) -> httpx.Response:
        return httpx.post(f"{urls[number % 2]}/auth/refresh", json=body, timeout=30)

    with ThreadPoolExecutor(25) as threads:
        answers = list(threads.map(refresh, range(50)))
    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.json()["refresh_token"] for answer in answers}
    body = {"refresh_token": successor}
    assert refresh(1).status_code == 200
    # Now the first one is long spent: all fifty are refused, and the session ends once.
    body = {"refresh_token": alice.session["refresh_token"]}
    with ThreadPoolExecutor(25) as threads:
        answers = list(threads.map(refresh, range(50)))
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(401, "refresh_reused")}
    assert "refresh_reused" in twins.log_text()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_no_prekey_twice_though_a_key_service_dies_between_claim_and_answer(twins: Stack) -> None:
    bob = Person(twins.url)
    bob.publish(0)
    fresh = [{"key_id": number, "public_key": _x25519()} for number in range(1, 201)]
    for start in (0, 100):
        bob.ok("POST", "/keys/one-time-prekeys", json={"prekeys": fresh[start : start + 100]})
    askers = [Person(twins.url) for _ in range(8)]
    urls = instances(twins, "key")
    given: Counter[int] = Counter()
    lost = []
    lock = threading.Lock()
    ready = threading.Barrier(17)

    def claim(number: int) -> None:
        headers = {"Authorization": f"Bearer {askers[number % 8].token}"}
        ready.wait()
        for round_ in range(7):
            try:
                answer = httpx.post(
                    f"{urls[(number + round_) % 2]}/keys/claim",
                    json={"devices": [bob.device_id]},
                    headers=headers,
                    timeout=10,
                )
            except httpx.TransportError:
                with lock:
                    lost.append(number)
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                prekey = answer.json()["items"][0]["one_time_prekey"]
                with lock:
                    given[prekey["key_id"] if prekey else 0] += 1

    with ThreadPoolExecutor(16) as threads:
        tasks = [threads.submit(claim, number) for number in range(16)]
        ready.wait()
        until(lambda: given.total() >= 16, every=0.001)  # 96 more are to come
        twins.kill("key-1", signal.SIGKILL)
        for task in tasks:
            task.result()
    twins.restart("key-1")
    until(
        lambda: _is_ready(f"http://127.0.0.1:{twins.ports['key-1']}"), 30
    )  # the gateway is content with the other
    given.pop(0, None)
    assert lost, "nobody was cut off: the kill came too late"
    assert given
    assert set(given.values()) == {1}
    left = {
        row[0]
        for row in query(twins, "select key_id from key.one_time_prekeys where device_id = %s", bob.device_id)
    }
    # What was taken for an answer that never came is nobody's: it is not given to another.
    assert not left & set(given)


def test_keys_rotate_without_downtime(twins: Stack) -> None:
    alice = Person(twins.url)
    old = jwt.get_unverified_header(alice.token)["kid"]
    printed = twins.run_admin("keys", "rotate", "--announce", "8")
    new = printed.split()[2]
    assert new != old
    urls = [*instances(twins, "auth"), *instances(twins, "key")]
    kids: Counter[str] = Counter()
    deadline = time.monotonic() + 30
    token, refresh = alice.token, alice.session["refresh_token"]
    while kids[new] < 4:
        assert time.monotonic() < deadline, kids
        auth = urls[kids.total() % 2]
        session = httpx.post(f"{auth}/auth/refresh", json={"refresh_token": refresh}).json()
        token, refresh = session["access_token"], session["refresh_token"]
        kids[jwt.get_unverified_header(token)["kid"]] += 1
        # Every service takes the fresh token at once, and the old one still.
        for one in (token, alice.token):
            headers = {"Authorization": f"Bearer {one}"}
            for url in urls:
                path = "/auth/me" if "auth" in url or url in urls[:2] else "/keys/status"
                assert httpx.get(url + path, headers=headers).status_code == 200, (url, kids)
            for path in ("/conversations", "/files/00000000-0000-7000-8000-000000000000/info"):
                answer = httpx.get(f"{twins.url}/api/v1{path}", headers=headers)
                assert answer.status_code in (200, 404), answer.text
        time.sleep(0.3)
    assert kids[old] >= 1
    published = {key["kid"] for key in httpx.get(f"{twins.url}/.well-known/jwks.json").json()["keys"]}
    assert published == {old, new}
    (until_then,) = query(
        twins,
        "select verify_until > now() + interval '15 minutes' from auth.signing_keys where kid = %s",
        old,
    )
    assert until_then == (True,)


def test_a_deletion_reaches_a_service_that_was_down(twins: Stack) -> None:
    bob = Person(twins.url)
    bob.publish(3)
    bob.ok("PUT", "/keys/device-list", 204, json=device_list(SigningKey.generate(), 1, bob.user_id, bob))
    bob.ok("PUT", "/vault/seed", 200, json={"content": b64(b"sealed")})
    for name in ("key-1", "key-2"):
        twins.processes[name].terminate()
        twins.processes[name].ended()
    bob.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})
    assert _kept(twins, bob) == (1, 1, 1)
    time.sleep(3)  # the outbox hands it to NATS meanwhile
    twins.restart("key-1")
    until(lambda: _kept(twins, bob) == (0, 0, 0), 10)
    twins.restart("key-2")
    twins.wait_ready()


def test_a_deletion_shows_though_nats_was_wiped(twins: Stack) -> None:
    bob, alice = Person(twins.url), Person(twins.url)
    bob.publish(1)
    for name in ("key-1", "key-2"):
        twins.kill(name, signal.SIGSTOP)
    try:
        bob.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})
        until(lambda: not query(twins, "select 1 from auth.outbox"), 10)
        twins.wipe_engine("nats")
    finally:
        for name in ("key-1", "key-2"):
            twins.kill(name, signal.SIGCONT)
    until(lambda: _kept(twins, bob)[0] == 0, 15)
    twins.wait_ready()
    # And what is asked for on the new NATS is done as ever.
    alice.publish(1)
    alice.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})
    until(lambda: _kept(twins, alice)[0] == 0, 10)


def _sockets(stack: Stack) -> dict[str, int]:
    """How many sockets each message instance has that is there."""
    found = {}
    for number in (1, 2):
        name = f"message-{number}"
        try:
            text = httpx.get(f"http://127.0.0.1:{stack.ports[name]}/metrics", timeout=5).text
        except httpx.TransportError:
            continue
        (line,) = [line for line in text.splitlines() if line.startswith("messenger_sockets ")]
        found[name] = int(float(line.split()[1]))
    return found


def _instance_of(stack: Stack, person: Person, url: str) -> str:
    """On which message instance a socket of the person is, if it is opened at this gateway."""
    until(lambda: sum(_sockets(stack).values()) == 0)
    with person.socket(url) as socket:
        socket.until("synced")
        (name,) = [name for name, count in _sockets(stack).items() if count]
    return name


def _none_rests(stack: Stack) -> bool:
    """Whether both gateways ask all instances: what was not there yet when they began rests for a while."""
    for number in (1, 2):
        text = httpx.get(f"http://127.0.0.1:{stack.ports[f'gateway-metrics-{number}']}/metrics").text
        if 'messenger_gateway_upstream_resting{service="message"} 0.0' not in text:
            return False
    return True


def test_both_gateways_prefer_the_same_instance_and_pass_by_one_that_is_away(apart: Stack) -> None:
    until(lambda: _none_rests(apart), 40)
    people = [Person(apart.url) for _ in range(4)]
    where = {}
    for person in people:
        first, second = (_instance_of(apart, person, url) for url in apart.urls)
        assert first == second
        where[person] = first
    # Whose instance goes is on another at once, at either gateway, and hears all, until it is back.
    person, name = next(iter(where.items()))
    apart.processes[name].terminate()
    apart.processes[name].ended()
    (other,) = {"message-1", "message-2"} - {name}
    for url in apart.urls:
        with person.socket(url) as socket:
            socket.until("synced")
            assert _sockets(apart) == {other: 1}
            conversation = person.direct(people[1])
            people[1].send(conversation)
            assert socket.until("message")["conversation_id"] == conversation
    apart.restart(name)
    apart.wait_ready()
    until(lambda: _is_ready(f"http://127.0.0.1:{apart.ports[name]}"), 30)
    for url in apart.urls:
        until(lambda url=url: _instance_of(apart, person, url) == name, 40, every=0.5)  # type: ignore[misc]


def _kept(stack: Stack, person: Person) -> tuple[int, int, int]:
    """How many devices, device lists and names in the vault the key service has of a person."""
    (found,) = query(
        stack,
        "select (select count(*) from key.devices where user_id = %s),"
        " (select count(*) from key.lists where user_id = %s),"
        " (select count(*) from key.vault where user_id = %s)",
        *[person.user_id] * 3,
    )
    return found[0], found[1], found[2]


def _x25519() -> str:
    return b64(bytes(PrivateKey.generate().public_key))
