"""Logins against bare bcrypt on the same cores in the same run, and what a token costs a request.

Logins and bare bcrypt take turns, so that both meet the same machine: each round is a few seconds of one and
then of the other, in as many threads as the auth service has. The logins go to the auth service itself and
to the gateway. A token is checked for the first time (a signature) and again (remembered).
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import ensureDeferred

from benchmarks.cpu import cpu_seconds
from benchmarks.report import Row
from benchmarks.system import people, system
from messenger.core.identity import Identity
from messenger.core.ids import new_id
from tests.system.people import PASSWORD, Person
from tests.system.stack import Stack

COST = 12
THREADS = 2
CLIENTS = 8
ROUNDS = 4
SECONDS = 6.0
HASHES = 4  # in a row, in each round, for their CPU time
REQUESTS = 3_000


def run() -> list[Row]:
    """The figures."""
    with system(settings={"MESSENGER_AUTH__BCRYPT_COST": str(COST)}) as stack:
        return [*_logins(stack), *_requests(stack), *_tokens()]


def _rate(threads: int, seconds: float, once: Callable[[int], object]) -> tuple[float, int]:
    """How often a second `once` runs in so many threads, and how often it ran until all had ended; to the
    first what is under way after `seconds` counts by its part."""
    began = time.perf_counter()
    deadline = began + seconds

    def work(number: int) -> tuple[float, int]:
        done, ran = 0.0, 0
        while (start := time.perf_counter()) < deadline:
            once(number)
            end = time.perf_counter()
            ran += 1
            done += 1.0 if end <= deadline else (deadline - start) / (end - start)
        return done, ran

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(work, range(threads)))
    return sum(done for done, _ in found) / seconds, sum(ran for _, ran in found)


def _logins(stack: Stack) -> list[Row]:
    persons = people(stack, CLIENTS)
    digest, stored = b"d" * 44, bcrypt.hashpw(b"d" * 44, bcrypt.gensalt(COST))
    clients = [httpx.Client(timeout=60) for _ in persons]
    rows: dict[str, list[float]] = {"bare": [], "auth": [], "gateway": []}

    def login(url: str) -> Callable[[int], object]:
        def once(number: int) -> object:
            person = persons[number]
            body = {"username": person.username, "password": PASSWORD, "device_id": person.device_id}
            answer = clients[number].post(f"{url}/api/v1/auth/login", json=body)
            assert answer.status_code == 200, answer.text
            return answer

        return once

    login(stack.url)(0)
    used, hashing, logins = 0.0, 0.0, 0
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(HASHES):
            bcrypt.checkpw(digest, stored)
        hashing += (time.process_time() - began) / (ROUNDS * HASHES)
        rows["bare"].append(_rate(THREADS, SECONDS, lambda _: bcrypt.checkpw(digest, stored))[0])
        began = cpu_seconds(stack.processes["auth-1"].pid)
        rate, ran = _rate(CLIENTS, SECONDS, login(stack.service_url("auth")))
        rows["auth"].append(rate)
        logins += ran
        used += cpu_seconds(stack.processes["auth-1"].pid) - began
        rows["gateway"].append(_rate(CLIENTS, SECONDS, login(stack.url))[0])
    bare, auth, gateway = (statistics.median(rows[name]) for name in ("bare", "auth", "gateway"))
    ratios = {
        name: statistics.median(ours / theirs for ours, theirs in zip(rows[name], rows["bare"], strict=True))
        for name in ("auth", "gateway")
    }
    return [
        Row("bare bcrypt", bare, "hashes/s", f"cost {COST}, {THREADS} threads"),
        Row("logins at the auth service", auth, "logins/s", f"{CLIENTS} clients"),
        Row("logins through the gateway", gateway, "logins/s", f"{CLIENTS} clients"),
        Row("logins against bare bcrypt", ratios["auth"], "", "median of rounds, auth service"),
        Row("the same through the gateway", ratios["gateway"], "", "median of rounds"),
        Row("CPU a bare hash", hashing * 1e3, "ms", "one at a time"),
        Row("CPU a login, auth service", used / logins * 1e3, "ms", "bcrypt included"),
    ]


def _requests(stack: Stack) -> list[Row]:
    """GET /auth/validate, which does nothing but check the token."""
    person = Person(stack.url)
    pid = stack.processes["auth-1"].pid
    path = f"{stack.service_url('auth')}/api/v1/auth/validate"
    headers = {"Authorization": f"Bearer {person.token}"}
    costs = {}
    with httpx.Client(timeout=30) as client:
        for name, url, sent in (
            ("with a token", path, headers),
            ("without any", f"{stack.service_url('auth')}/health", {}),
        ):
            client.get(url, headers=sent)
            began = cpu_seconds(pid)
            for _ in range(REQUESTS):
                client.get(url, headers=sent)
            costs[name] = (cpu_seconds(pid) - began) / REQUESTS * 1e6
    return [
        Row("CPU a request that only checks its token", costs["with a token"], "µs", "GET /auth/validate"),
        Row("CPU a request without one", costs["without any"], "µs", "GET /health"),
    ]


def _tokens() -> list[Row]:
    """The check itself, without a request around it."""
    from benchmarks.tokens import Here, signing

    key = Ed25519PrivateKey.generate()
    tokens, sign = Here(key), signing(key)
    now = int(time.time())
    fresh = [sign(Identity(new_id(), new_id(), new_id(), now, now + 900), now) for _ in range(2_000)]
    costs = []
    for _ in range(2):
        began = time.process_time()
        for text in fresh:
            ensureDeferred(tokens.check(text))
        costs.append((time.process_time() - began) / len(fresh) * 1e6)
    return [
        Row("CPU a token's first check", costs[0], "µs", "a signature"),
        Row("CPU of each further check", costs[1], "µs", "remembered"),
    ]
