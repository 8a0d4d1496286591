"""How much one user may make, each bound a setting that the refusal names; and who adds whom to groups."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.push_receiver import Device
from tests.system.people import PASSWORD, Person
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system

SETTINGS = {
    "MESSENGER_LIMITS__GROUP": "3/d",
    "MESSENGER_LIMITS__STRANGER": "4/d",
    "MESSENGER_MESSAGE__CONVERSATIONS": "5",
    "MESSENGER_MESSAGE__BLOCKS": "2",
    "MESSENGER_PUSH__TARGETS": "1",
}


@pytest.fixture(scope="module", params=["one", "apart"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With bounds so low that a test comes to them."""
    folder = Path(tmp_path_factory.mktemp(f"bounds-{request.param}"))
    with running(Stack(folder, request.param, SETTINGS, instances=1)) as made:
        yield made


@pytest.fixture
def people(stack: Stack) -> list[Person]:
    return [Person(stack.url) for _ in range(7)]


def refused(person: Person, method: str, path: str, **arguments: Any) -> dict[str, Any]:
    """The problem."""
    answer = person.http.request(method, path, **arguments)
    assert answer.status_code in (403, 422, 429), answer.text
    found: dict[str, Any] = answer.json()
    if answer.status_code == 429:
        assert int(answer.headers["Retry-After"]) >= 1
    return found


def test_groups_by_day(people: list[Person]) -> None:
    ann, ben, *_ = people
    groups = [ann.group() for _ in range(3)]
    problem = refused(ann, "POST", "/conversations", json={"type": "group", "members": []})
    assert (problem["code"], problem["detail"]) == ("rate_limited", "There is a limit on this: group.")
    ann.direct(ben)  # another matter
    ben.group()
    assert len(set(groups)) == 3


def test_conversations(people: list[Person]) -> None:
    ann, ben, cat, dan, *_ = people
    names = [ann.group() for _ in range(3)] + [ann.direct(ben), ann.direct(cat)]
    problem = refused(ann, "POST", "/conversations", json={"type": "direct", "members": [dan.user_id]})
    assert (problem["code"], problem["limit"], problem["most"]) == ("unprocessable", "conversations", 5)
    # What stands is found again, what others make is not counted, and what has ended makes room.
    assert ann.direct(ben) == names[3]
    dan.direct(ann)
    ann.ok("DELETE", f"/conversations/{names[0]}/members/{ann.user_id}", 204)
    with pytest.raises(AssertionError, match="group"):
        ann.group()
    ben.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})


def test_strangers(people: list[Person]) -> None:
    ann, *others = people
    group = ann.group(*others[:2])
    path = f"/conversations/{group}/members"
    ann.ok("POST", path, 201, json={"user_id": others[2].user_id})
    ann.direct(others[3])  # opened with a stranger; who then is none
    for index in (4, 5):
        problem = refused(ann, "POST", path, json={"user_id": others[index].user_id})
        assert (problem["code"], problem["detail"]) == ("rate_limited", "There is a limit on this: stranger.")
    ann.ok("POST", path, 201, json={"user_id": others[3].user_id})
    others[4].direct(ann)
    ann.ok("POST", path, 201, json={"user_id": others[4].user_id})


def test_blocks(people: list[Person]) -> None:
    ann, ben, cat, dan, *_ = people
    for one in (ben, cat):
        ann.ok("PUT", f"/blocks/{one.user_id}", 204)
    ann.ok("PUT", f"/blocks/{ben.user_id}", 204)
    assert refused(ann, "PUT", f"/blocks/{dan.user_id}")["limit"] == "blocks"
    ann.ok("DELETE", f"/blocks/{ben.user_id}", 204)
    ann.ok("PUT", f"/blocks/{dan.user_id}", 204)


def test_devices_that_are_woken(stack: Stack, people: list[Person]) -> None:
    if stack.form == "apart":
        pytest.skip("there is no key for wake-ups")
    ann = people[0]
    second = ann.another_device()
    body = Device().target("https://push.example.org/x")
    ann.ok("PUT", "/push", 204, json=body)
    ann.ok("PUT", "/push", 204, json=body)
    problem = refused(second, "PUT", "/push", json=body)
    assert (problem["code"], problem["limit"]) == ("unprocessable", "push_targets")
    ann.ok("DELETE", "/push", 204)
    second.ok("PUT", "/push", 204, json=body)


def test_who_adds_whom_to_groups(people: list[Person]) -> None:
    ann, ben, cat, *_ = people
    assert ben.ok("GET", "/preferences", 200) == {"groups": "anyone"}
    ben.ok("PUT", "/preferences", 204, json={"groups": "contacts"})
    assert ben.ok("GET", "/preferences", 200) == {"groups": "contacts"}
    assert ben.http.put("/preferences", json={"groups": "nobody"}).status_code == 400
    both = {"type": "group", "members": [ben.user_id, cat.user_id]}
    problem = refused(ann, "POST", "/conversations", json=both)
    assert (problem["code"], problem["users"]) == ("forbidden", [ben.user_id])
    group = ann.group(cat)
    path, member = f"/conversations/{group}/members", {"user_id": ben.user_id}
    problem = refused(ann, "POST", path, json=member)
    assert (problem["code"], problem["users"]) == ("forbidden", [ben.user_id])
    # Whoever may not add anybody is told that, and nothing of others' wishes.
    assert "users" not in refused(cat, "POST", path, json=member)
    ann.direct(ben)
    ann.ok("POST", path, 201, json=member)
    ann.ok("POST", "/conversations", 201, json=both)
