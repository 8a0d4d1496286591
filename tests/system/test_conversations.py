"""Conversations, their members and who may write, on the running system in both forms."""

import threading
from typing import Any
from uuid import uuid4

import pytest

from tests.system.people import PASSWORD, Person, b64
from tests.system.waiting import until

pytestmark = pytest.mark.system


def test_a_direct_conversation_is_one(people: list[Person]) -> None:
    ann, ben, _ = people
    made = ann.ok("POST", "/conversations", 201, json={"type": "direct", "members": [ben.user_id]})
    again = ben.ok("POST", "/conversations", 200, json={"type": "direct", "members": [ann.user_id]})
    assert made["conversation_id"] == again["conversation_id"]
    assert made["role"] == again["role"] == "owner"
    assert (made["first_seq"], made["last_seq"], made["member_count"], made["unread"]) == (1, 0, 2, 0)


def test_bad_conversations(people: list[Person]) -> None:
    ann, ben, cat = people

    def status(body: dict[str, Any]) -> int:
        return ann.http.post("/conversations", json=body).status_code

    assert status({"type": "direct", "members": []}) == 422
    assert status({"type": "direct", "members": [ann.user_id]}) == 422
    assert status({"type": "direct", "members": [ben.user_id, cat.user_id]}) == 422
    assert status({"type": "direct", "members": [str(uuid4())]}) == 404
    assert status({"type": "group", "members": [ben.user_id, str(uuid4())]}) == 404
    assert status({"type": "other", "members": [ben.user_id]}) == 400
    assert status({"type": "group", "members": [ben.user_id], "metadata": b64(b"x" * 4097)}) == 413


def test_a_group_is_made_once_for_a_client_id(people: list[Person]) -> None:
    ann, ben, _ = people
    body = {"type": "group", "members": [ben.user_id], "client_id": str(uuid4()), "metadata": b64(b"name")}
    first = ann.ok("POST", "/conversations", 201, json=body)
    assert ann.ok("POST", "/conversations", 200, json=body)["conversation_id"] == first["conversation_id"]
    assert first["metadata"] == b64(b"name")


def test_conversations_come_latest_first_in_pages(people: list[Person]) -> None:
    ann, ben, _ = people
    made = [ann.group(ben) for _ in range(5)]
    ann.send(made[1])
    found, cursor = [], None
    while True:
        page = ann.ok("GET", "/conversations", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        found += [one["conversation_id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [made[1], made[4], made[3], made[2], made[0]]


def test_a_new_conversation_reaches_open_sockets(people: list[Person]) -> None:
    ann, ben, cat = people
    with ben.socket() as one, cat.socket() as other:
        one.until("synced")
        other.until("synced")
        conversation_id = ann.group(ben, cat)
        for own in (one, other):
            change = own.until("change")
            assert (change["event"], change["conversation_id"]) == ("created", conversation_id)
            assert change["conversation"]["member_count"] == 3
        ann.send(conversation_id)
        assert one.until("message")["seq"] == other.until("message")["seq"] == 1


def test_membership_of_a_group(people: list[Person]) -> None:
    ann, ben, cat = people
    conversation_id = ann.group(ben)
    path = f"/conversations/{conversation_id}/members"
    ann.send(conversation_id)
    assert ben.http.post(path, json={"user_id": cat.user_id}).status_code == 403
    assert cat.http.get(f"/conversations/{conversation_id}").status_code == 404
    with cat.socket() as own, ben.socket() as watching:
        own.until("synced")
        watching.until("synced")
        ann.ok("POST", path, 201, json={"user_id": cat.user_id})
        added = own.until("change")
        assert (added["event"], added["user_id"], added["at_seq"]) == ("member_added", cat.user_id, 1)
        ann.send(conversation_id)
        assert own.until("message")["seq"] == 2
        # What lies below the joining is out of sight.
        items = cat.ok("GET", f"/conversations/{conversation_id}/messages")["items"]
        assert [item["seq"] for item in items] == [2]
        assert cat.ok("GET", f"/conversations/{conversation_id}")["first_seq"] == 2
        # Removed: told so, and of nothing after.
        ann.ok("DELETE", f"{path}/{cat.user_id}", 204)
        assert own.until("change")["event"] == "member_removed"
        ann.send(conversation_id)
        assert watching.until(lambda frame: frame.get("seq") == 3)["type"] == "message"
        assert cat.http.get(f"/conversations/{conversation_id}").status_code == 404
        assert own.send(conversation_id)["code"] == "not_found"
    with cat.socket() as own:
        left = own.all_until("synced")
        assert [frame.get("event") or frame["seq"] for frame in left] == ["member_added", 2, "member_removed"]
        last = left[-1]
        own.say(type="ack", conversation_id=conversation_id, seq=2, change=last["change"])
    with cat.socket() as own:
        assert own.all_until("synced") == []


def test_roles(people: list[Person]) -> None:
    ann, ben, cat = people
    conversation_id = ann.group(ben, cat)
    path = f"/conversations/{conversation_id}/members"

    def give(who: Person, target: Person, role: str) -> int:
        return who.http.patch(f"{path}/{target.user_id}", json={"role": role}).status_code

    assert give(ben, cat, "admin") == 403
    assert give(ann, ben, "admin") == 200
    assert give(ben, cat, "admin") == 403
    assert give(ben, ann, "member") == 403
    # Nor as a change that would change nothing.
    assert [give(cat, one, role) for one, role in ((ann, "owner"), (ben, "admin"), (cat, "member"))] == [
        403
    ] * 3
    assert ben.http.delete(f"{path}/{ann.user_id}").status_code == 403
    assert give(ann, ben, "owner") == 200
    roles = {one["user_id"]: one["role"] for one in cat.ok("GET", path)["items"]}
    assert roles == {ann.user_id: "admin", ben.user_id: "owner", cat.user_id: "member"}
    # An owner who leaves hands the group to an admin; the last to leave ends it.
    ben.ok("DELETE", f"{path}/{ben.user_id}", 204)
    roles = {one["user_id"]: one["role"] for one in cat.ok("GET", path)["items"]}
    assert roles == {ann.user_id: "owner", cat.user_id: "member"}
    ann.ok("DELETE", f"{path}/{ann.user_id}", 204)
    assert cat.ok("GET", f"/conversations/{conversation_id}")["role"] == "owner"
    events = [one["event"] for one in cat.ok("GET", f"/conversations/{conversation_id}/changes")["items"]]
    assert events[0] == "created"
    assert events[-2:] == ["member_removed", "role_changed"]
    cat.ok("DELETE", f"{path}/{cat.user_id}", 204)
    assert cat.http.get(f"/conversations/{conversation_id}").status_code == 404


def test_a_direct_conversation_has_fixed_members(people: list[Person]) -> None:
    ann, ben, cat = people
    path = f"/conversations/{ann.direct(ben)}/members"
    assert ann.http.post(path, json={"user_id": cat.user_id}).status_code == 409
    assert ann.http.delete(f"{path}/{ann.user_id}").status_code == 409


def test_metadata_and_lifetime(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.group(ben)
    path = f"/conversations/{conversation_id}"
    assert ben.http.patch(path, json={"message_ttl": 60}).status_code == 403
    for ttl in (0, -1, 31_536_001):
        assert ann.http.patch(path, json={"message_ttl": ttl}).status_code == 422
    with ben.socket() as own:
        own.until("synced")
        changed = ann.ok("PATCH", path, 200, json={"metadata": b64(b"new"), "message_ttl": 60})
        assert (changed["metadata"], changed["message_ttl"]) == (b64(b"new"), 60)
        assert own.until("change")["conversation"]["message_ttl"] == 60
    ann.send(conversation_id)
    assert ben.ok("GET", f"{path}/messages")["items"][0]["expires_at"] is not None
    # What is left out stays; null is a value.
    assert ann.ok("PATCH", path, 200, json={"message_ttl": None})["metadata"] == b64(b"new")
    assert ann.ok("PATCH", path, 200, json={"metadata": None})["metadata"] is None
    assert ann.ok("PATCH", path, 200, json={"metadata": ""})["metadata"] == ""


def test_blocks(people: list[Person]) -> None:
    ann, ben, cat = people
    conversation_id = ann.direct(ben)
    ann.ok("PUT", f"/blocks/{ben.user_id}", 204)
    ann.ok("PUT", f"/blocks/{ben.user_id}", 204)
    assert ann.ok("GET", "/blocks") == {"items": [ben.user_id]}
    draft = {"client_id": str(uuid4()), "kind": "text", "content": b64(b"x")}
    for who in (ann, ben):
        answer = who.http.post(f"/conversations/{conversation_id}/messages", json=draft)
        assert (answer.status_code, answer.json()["code"]) == (403, "blocked")
    ann.ok("PUT", f"/blocks/{cat.user_id}", 204)
    opened = cat.http.post("/conversations", json={"type": "direct", "members": [ann.user_id]})
    assert opened.json()["code"] == "blocked"
    grouped = cat.http.post("/conversations", json={"type": "group", "members": [ann.user_id]})
    assert grouped.json()["code"] == "blocked"
    ann.ok("DELETE", f"/blocks/{ben.user_id}", 204)
    ben.send(conversation_id)


def test_a_block_never_misses_a_conversation_that_is_being_made(people: list[Person]) -> None:
    ben = people[1]
    for _ in range(10):
        ann = Person(ben.url)
        blocking = threading.Thread(target=ann.ok, args=("PUT", f"/blocks/{ben.user_id}", 204))
        blocking.start()
        members = {"type": "direct", "members": [ben.user_id]}
        made = Person(ben.url, session=ann.session).ok("POST", "/conversations", 201, json=members)
        blocking.join()
        draft = {"client_id": str(uuid4()), "kind": "text", "content": b64(b"x")}
        answer = ben.http.post(f"/conversations/{made['conversation_id']}/messages", json=draft)
        assert answer.json()["code"] == "blocked"


def test_who_writes_where_nobody_may_is_told_so_whatever_the_devices(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    sealed = [{"device_id": ben.device_id, "content": b64(b"x")}]
    draft = {"client_id": str(uuid4()), "kind": "text", "envelopes": sealed}
    for code in ("devices_changed", "blocked", "gone"):
        if code == "blocked":
            ann.ok("PUT", f"/blocks/{ben.user_id}", 204)
        elif code == "gone":
            ben.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})
            until(lambda: ann.ok("GET", f"/conversations/{conversation_id}")["ended_at"])
        answer = ann.http.post(f"/conversations/{conversation_id}/messages", json=draft)
        assert answer.json()["code"] == code


def test_a_deleted_account_leaves_everywhere(people: list[Person]) -> None:
    ann, ben, cat = people
    direct, group = ann.direct(ben), ann.group(ben, cat)
    ann.send(direct)
    ann.send(group)
    with ben.socket() as own:
        own.until("synced")
        ann.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})
        told: dict[str, str] = {}
        while not {"ended", "role_changed"} <= told.keys():
            frame = own.until("change", 15)
            told[frame["event"]] = frame["conversation_id"]
        assert (told["ended"], told["role_changed"]) == (direct, group)
        assert own.send(direct)["code"] == "gone"

    def forgotten() -> bool:
        items = ben.ok("GET", f"/conversations/{group}/messages")["items"]
        return items[0]["sender_id"] is None and items[0]["content"] is not None

    until(forgotten, 10)
    members = ben.ok("GET", f"/conversations/{group}/members")["items"]
    assert ann.user_id not in [one["user_id"] for one in members]
    assert {one["role"] for one in members} == {"owner", "member"}
    assert ben.http.get(f"/users/{ann.user_id}").status_code == 404
