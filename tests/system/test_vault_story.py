"""The vault through the gateway: sealed things of a user's own, with a version for each write."""

import base64
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.system.people import PASSWORD, Person
from tests.system.stack import Stack
from tests.system.test_instances import query
from tests.system.waiting import until

pytestmark = pytest.mark.system


def body(content: bytes) -> dict[str, str]:
    return {"content": base64.b64encode(content).decode()}


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_what_is_kept_is_there_for_ones_own_devices(stack: Stack) -> None:
    ann, bob = Person(stack.url), Person(stack.url)
    answer = ann.http.put("/vault/seed", json=body(b"sealed"))
    version = answer.json()["version"]
    assert (answer.status_code, answer.headers["ETag"]) == (200, f'"{version}"')
    second = ann.another_device()
    found = second.http.get("/vault/seed")
    assert found.json() == {"name": "seed", "version": version, **body(b"sealed")}
    assert found.headers["ETag"] == f'"{version}"'
    assert found.headers["Cache-Control"] == "no-store"
    assert second.http.get("/vault").json() == {"items": [{"name": "seed", "version": version}]}
    refused(bob.http.get("/vault/seed"), 404, "not_found")
    assert bob.http.get("/vault").json() == {"items": []}
    assert ann.http.put("/vault/seed", json=body(b"")).json()["version"] > version
    assert ann.http.delete("/vault/seed").status_code == 204
    refused(ann.http.get("/vault/seed"), 404, "not_found")
    refused(ann.http.delete("/vault/seed"), 404, "not_found")
    assert httpx.get(f"{stack.url}/api/v1/vault", timeout=30).status_code == 401


def test_a_write_may_say_what_it_replaces(stack: Stack) -> None:
    ann = Person(stack.url)

    def put(content: bytes, **headers: str) -> httpx.Response:
        return ann.http.put(
            "/vault/a",
            json=body(content),
            headers={name.replace("_", "-"): text for name, text in headers.items()},
        )

    refused(put(b"1", If_Match="*"), 412, "precondition_failed")
    first = put(b"1", If_None_Match="*").json()["version"]
    refused(put(b"2", If_None_Match="*"), 412, "precondition_failed")
    refused(put(b"2", If_Match=f'"{first + 1}"'), 412, "precondition_failed")
    refused(put(b"2", If_Match=f'W/"{first}"'), 412, "precondition_failed")
    refused(put(b"2", If_Match=str(first)), 412, "precondition_failed")
    second = put(b"2", If_Match=f'"{first}"').json()["version"]
    refused(ann.http.delete("/vault/a", headers={"If-Match": f'"{first}"'}), 412, "precondition_failed")
    assert ann.http.delete("/vault/a", headers={"If-Match": f'"{second}"'}).status_code == 204
    # A version that stood before a deletion never stands again.
    third = put(b"3", If_None_Match="*").json()["version"]
    assert third > second > first
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: put(b"%d" % number, If_Match=f'"{third}"'), range(8)))
    assert sorted(one.status_code for one in answers) == [200] + [412] * 7


def test_who_has_read_it_is_told_so(one: Stack) -> None:
    ann = Person(one.url)
    version = ann.http.put("/vault/a", json=body(b"1")).json()["version"]
    for tag in (f'"{version}"', f'W/"{version}"', "*", f'"1", "{version}"'):
        answer = ann.http.get("/vault/a", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b""), tag
        assert answer.headers["ETag"] == f'"{version}"'
    assert ann.http.get("/vault/a", headers={"If-None-Match": '"1"'}).status_code == 200
    refused(ann.http.get("/vault/a", headers={"If-Match": '"1"'}), 412, "precondition_failed")
    refused(ann.http.get("/vault/b", headers={"If-Match": '"1"'}), 404, "not_found")
    assert ann.http.head("/vault/a").headers["ETag"] == f'"{version}"'


def test_of_first_writes_at_the_same_time_one_counts(stack: Stack) -> None:
    ann = Person(stack.url)

    def put(number: int) -> httpx.Response:
        return ann.http.put("/vault/seed", json=body(b"%d" % number), headers={"If-None-Match": "*"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put, range(8)))
    codes = [one.status_code for one in answers]
    assert sorted(codes) == [200] + [412] * 7
    won = codes.index(200)
    version = answers[won].json()["version"]
    assert ann.http.get("/vault/seed").json() == {
        "name": "seed",
        "version": version,
        **body(b"%d" % won),
    }
    assert {one.json()["version"] for one in answers if one.status_code == 412} == {version}


def test_who_reads_changes_and_writes_loses_nothing(stack: Stack) -> None:
    ann = Person(stack.url)
    assert ann.http.put("/vault/count", json=body(b"0")).status_code == 200

    def add_one(_: int) -> int:
        while True:
            found = ann.http.get("/vault/count")
            content = b"%d" % (int(base64.b64decode(found.json()["content"])) + 1)
            headers = {"If-Match": found.headers["ETag"]}
            answer = ann.http.put("/vault/count", json=body(content), headers=headers)
            if answer.status_code == 200:
                version: int = answer.json()["version"]
                return version
            assert answer.status_code == 412, answer.text

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(add_one, range(20)))
    assert len(set(versions)) == 20
    assert ann.http.get("/vault/count").json() == {
        "name": "count",
        "version": max(versions),
        **body(b"20"),
    }


def test_a_vault_has_bounds(stack: Stack) -> None:
    ann = Person(stack.url)
    assert ann.http.put("/vault/a", json=body(bytes(65_536))).status_code == 200
    refused(ann.http.put("/vault/a", json=body(bytes(65_537))), 413, "too_large")
    refused(ann.http.put("/vault/a", json={"content": "%"}), 400, "bad_request")
    for name in ("A", "a" * 65, "a%2Fb", "..", "é"):
        assert ann.http.put(f"/vault/{name}", json=body(b"")).status_code == 404, name
    for name in ("a" * 64, ".a", "a.b_c-d"):
        assert ann.http.put(f"/vault/{name}", json=body(b"x")).status_code == 200, name
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda number: ann.http.put(f"/vault/n{number}", json=body(b"x")).status_code, range(104)
            )
        )
    assert (answers.count(200), answers.count(422)) == (96, 8)
    assert len(ann.http.get("/vault").json()["items"]) == 100
    assert ann.http.put("/vault/a", json=body(b"y")).status_code == 200
    assert ann.http.delete("/vault/a").status_code == 204
    assert ann.http.put("/vault/another", json=body(b"y")).status_code == 200


def test_a_deleted_accounts_vault_goes(apart: Stack) -> None:
    ann = Person(apart.url)
    assert ann.http.put("/vault/a", json=body(b"x")).status_code == 200
    assert ann.http.request("DELETE", "/auth/me", json={"password": PASSWORD}).status_code == 204
    until(lambda: ann.http.get("/vault/a").status_code == 401, 2)
    until(lambda: not query(apart, "select 1 from key.vault where user_id = %s", ann.user_id), 10)
