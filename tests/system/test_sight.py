"""What a member may see, and how much of it at once."""

import threading
from contextlib import closing
from typing import Any

import pytest

from tests.system.people import Person, b64
from tests.system.stack import Stack
from tests.system.waiting import until

pytestmark = pytest.mark.system


def pages(person: Person, path: str, **query: Any) -> list[list[int]]:
    """The numbers on each page, as the cursor leads."""
    found, cursor = [], None
    while True:
        wanted = {**query, **({"cursor": cursor} if cursor else {})}
        page = person.ok("GET", f"{path}/messages", params=wanted)
        found.append([one["seq"] for one in page["items"]])
        cursor = page["next"]
        if cursor is None:
            return found


def test_changes_begin_with_the_latest_joining(people: list[Person]) -> None:
    ann, ben, cat = people
    path = f"/conversations/{ann.group(ben)}"
    ann.ok("PATCH", path, json={"metadata": b64(b"before cat")})
    ann.ok("POST", f"{path}/members", 201, json={"user_id": cat.user_id})
    ann.ok("PATCH", path, json={"metadata": b64(b"with cat")})
    seen = cat.ok("GET", f"{path}/changes")["items"]
    assert [(one["change"], one["event"]) for one in seen] == [(3, "member_added"), (4, "updated")]
    ann.ok("DELETE", f"{path}/members/{cat.user_id}", 204)
    ann.ok("PATCH", path, json={"metadata": b64(b"without cat")})
    assert cat.http.get(f"{path}/changes").status_code == 404
    ann.ok("POST", f"{path}/members", 201, json={"user_id": cat.user_id})
    assert [one["change"] for one in cat.ok("GET", f"{path}/changes")["items"]] == [7]
    query = {"cursor": "a1", "limit": 1}
    assert [one["change"] for one in cat.ok("GET", f"{path}/changes", params=query)["items"]] == [7]
    assert [one["change"] for one in ben.ok("GET", f"{path}/changes")["items"]] == list(range(1, 8))


def test_an_admin_who_is_being_removed_deletes_nothing(apart: Stack) -> None:
    """Its role is what it is once the removal is through, however late that is committed."""
    ann, ben = Person(apart.url), Person(apart.url)
    name = ann.group(ben)
    ann.ok("PATCH", f"/conversations/{name}/members/{ben.user_id}", 200, json={"role": "admin"})
    seq = ann.send(name)["seq"]
    answers: list[int] = []

    def delete() -> None:
        answers.append(ben.http.delete(f"/conversations/{name}/messages/{seq}").status_code)

    with closing(apart.database()) as removing, closing(apart.database()) as watching:
        removing.autocommit = False
        with removing.cursor() as cursor, watching.cursor() as looking:
            cursor.execute(
                "select 1 from message.conversations where conversation_id = %s for no key update", (name,)
            )
            deleting = threading.Thread(target=delete)
            deleting.start()

            def waits() -> bool:
                looking.execute("select count(*) from pg_locks where not granted")
                row = looking.fetchone()
                return row is not None and row[0] > 0

            until(waits)
            cursor.execute(
                "update message.members set left_seq = 1, left_change = 1"
                " where conversation_id = %s and user_id = %s",
                (name, ben.user_id),
            )
            removing.commit()
            deleting.join(20)
    assert answers == [404]
    assert ann.ok("GET", f"/conversations/{name}/messages")["items"][0]["deleted"] is False


def test_a_page_of_history_is_bounded_in_bytes_too(people: list[Person]) -> None:
    ann, ben, _ = people
    name = ann.direct(ben)
    for _ in range(40):
        ann.send(name, b"x" * 65_536)
    path = f"/conversations/{name}"
    everything = list(range(1, 41))
    rising = pages(ben, path, after=0, limit=200)
    assert [len(page) for page in rising] == [16, 16, 8]
    assert [seq for page in rising for seq in page] == everything
    latest = pages(ben, path, limit=200)
    assert [len(page) for page in latest] == [16, 16, 8]
    assert [seq for page in reversed(latest) for seq in page] == everything
    # What is counted comes first where that is less.
    assert pages(ben, path, after=30, limit=5) == [list(range(31, 36)), list(range(36, 41))]
    assert pages(ben, path, before=4, limit=3) == [[1, 2, 3]]
