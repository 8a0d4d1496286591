"""Second factors through the gateway, on real engines: a code serves once, on whatever instance."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from messenger.auth import totp
from tests.system.people import PASSWORD, Person
from tests.system.stack import Stack

pytestmark = pytest.mark.system


class Owner(Person):
    """A person with an authenticator app."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        made = self.ok("POST", "/auth/totp", 201, json={"password": PASSWORD})
        assert made["uri"].startswith("otpauth://totp/")
        self.secret = base64.b32decode(made["secret"])
        # The code of the step before: this one's stays for the first login.
        answer = self.ok("POST", "/auth/totp/confirm", 200, json={"code": self.code(-1)})
        self.codes: list[str] = answer["recovery_codes"]

    def code(self, steps: int = 0) -> str:
        return totp.code_at(self.secret, int(time.time()) // 30 + steps)

    def challenge(self) -> str:
        body = {"username": self.username, "password": PASSWORD}
        answer = self.http.post("/auth/login", json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required"), answer.text
        found: str = answer.json()["challenge"]
        return found


def answer(url: str, challenge: str, code: str) -> httpx.Response:
    body = {"challenge": challenge, "code": code}
    return httpx.post(f"{url}/api/v1/auth/second-factor", json=body, timeout=30)


def test_a_login_asks_for_a_code(stack: Stack) -> None:
    owner = Owner(stack.url)
    assert len(owner.codes) == 10
    assert owner.http.post("/auth/totp", json={"password": "wrong password"}).status_code == 403
    assert owner.http.post("/auth/totp", json={"password": PASSWORD}).status_code == 409
    challenge = owner.challenge()
    wrong = answer(stack.url, challenge, "000000")
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["tries_left"]) == (401, "unauthorized", 4)
    session = answer(stack.url, challenge, owner.code())
    assert session.status_code == 200, session.text
    assert Person(stack.url, session=session.json()).ok("GET", "/auth/me") == owner.session["user"]
    assert answer(stack.url, challenge, owner.code(1)).status_code == 401
    assert answer(stack.url, owner.challenge(), owner.codes[0]).status_code == 200
    assert answer(stack.url, owner.challenge(), owner.codes[0]).status_code == 401
    wrong = owner.http.request("DELETE", "/auth/totp", json={"password": "wrong password"})
    assert wrong.status_code == 403
    owner.ok("DELETE", "/auth/totp", 204, json={"password": PASSWORD})
    owner.another_device()
    text = stack.log_text()
    for secret in (*owner.codes, challenge, base64.b32encode(owner.secret).decode()):
        assert secret not in text


@pytest.mark.parametrize("kind", ["totp", "recovery"])
def test_a_code_serves_once_on_two_instances(twins: Stack, kind: str) -> None:
    owner = Owner(twins.url)
    challenges = [owner.challenge() for _ in range(8)]
    code = owner.codes[3] if kind == "recovery" else owner.code(1)
    urls = [f"http://127.0.0.1:{twins.ports[f'auth-{number}']}" for number in (1, 2)]

    def try_it(number: int) -> Any:
        return answer(urls[number % 2], challenges[number], code).status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(try_it, range(8))) == [200] + [401] * 7


def test_a_challenge_opens_one_session_and_has_five_tries_on_two_instances(twins: Stack) -> None:
    owner = Owner(twins.url)
    urls = [f"http://127.0.0.1:{twins.ports[f'auth-{number}']}" for number in (1, 2)]
    challenge = owner.challenge()
    with ThreadPoolExecutor(8) as threads:
        codes = owner.codes[:8]
        found = list(threads.map(lambda n: answer(urls[n % 2], challenge, codes[n]).status_code, range(8)))
    assert sorted(found) == [200] + [401] * 7
    challenge = owner.challenge()
    with ThreadPoolExecutor(8) as threads:
        tried = list(threads.map(lambda n: answer(urls[n % 2], challenge, "000000").json(), range(16)))
    assert sorted(one["tries_left"] for one in tried if "tries_left" in one) == [0, 1, 2, 3, 4]
