"""Messages, history and the WebSocket on the running system, in both forms."""

import hashlib
import json
import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.exceptions import ConnectionClosed

from tests.system.people import Person, b64
from tests.system.stack import Stack
from tests.system.waiting import until

pytestmark = pytest.mark.system


def seqs(frames: list[dict[str, Any]]) -> list[int]:
    return [frame["seq"] for frame in frames if frame["type"] == "message"]


def test_a_repeat_is_the_same_message(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    client_id = str(uuid4())
    path = f"/conversations/{conversation_id}/messages"
    draft = {"client_id": client_id, "kind": "text", "content": b64(b"first")}
    first = ann.ok("POST", path, 201, json=draft)
    assert ann.ok("POST", path, 200, json=draft) == first
    # Whatever its body, and by the socket too.
    assert ann.ok("POST", path, 200, json={**draft, "kind": "No Kind", "content": None}) == first
    with ann.socket() as own:
        answer = own.send(conversation_id, b"other", client_id=client_id)
        assert (answer["type"], answer["seq"], answer["created_at"]) == (
            "sent",
            first["seq"],
            first["created_at"],
        )
    # Another sender's is another message.
    assert ben.ok("POST", path, 201, json=draft)["seq"] == 2


def test_history_goes_both_ways(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    for number in range(1, 11):
        ann.send(conversation_id, f"{number}".encode())

    def pages(**query: Any) -> list[list[int]]:
        found = []
        while True:
            page = ben.ok("GET", f"/conversations/{conversation_id}/messages", params=query)
            found.append([item["seq"] for item in page["items"]])
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]

    assert pages(limit=4) == [[7, 8, 9, 10], [3, 4, 5, 6], [1, 2]]
    assert pages(limit=4, before=6) == [[2, 3, 4, 5], [1]]
    assert pages(limit=4, after=3) == [[4, 5, 6, 7], [8, 9, 10]]
    assert pages(after=10) == [[]]
    assert pages(limit=5, after=0) == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    both = ben.http.get(f"/conversations/{conversation_id}/messages", params={"after": 1, "before": 3})
    assert both.status_code == 400


def test_a_device_gets_what_it_has_not_acknowledged(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    for _ in range(5):
        ann.send(conversation_id)
    with ben.socket() as own:
        frames = own.all_until("synced")
        assert [frame["type"] for frame in frames] == ["change"] + ["message"] * 5
        own.say(type="ack", conversation_id=conversation_id, seq=3, change=1)
    with ben.socket() as own:
        assert seqs(own.all_until("synced")) == [4, 5]
        own.say(type="resend", conversation_id=conversation_id, after=1)
        assert [own.until("message")["seq"] for _ in range(4)] == [2, 3, 4, 5]
        # An acknowledgement never goes back.
        own.say(type="ack", conversation_id=conversation_id, seq=1)
    with ben.socket() as own:
        assert seqs(own.all_until("synced")) == [4, 5]


def test_a_new_device_starts_where_it_was_made(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    ann.send(conversation_id)
    second = ben.another_device()
    ann.send(conversation_id)
    with second.socket() as own:
        assert seqs(own.all_until("synced")) == [2]
    history = second.ok("GET", f"/conversations/{conversation_id}/messages")["items"]
    assert [item["seq"] for item in history] == [1, 2]


def test_own_other_devices_get_what_this_one_sends(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    second = ann.another_device()
    with ann.socket() as one, second.socket() as other:
        one.until("synced")
        other.until("synced")
        sent = one.send(conversation_id)
        assert other.until("message")["seq"] == sent["seq"]
        # The sending device itself does not: `sent` stands for the message.
        ben.send(conversation_id)
        assert one.until("message")["seq"] == 2
    with ann.socket() as one:
        assert seqs(one.all_until("synced")) == [2]


def test_receipts_rise_and_reach_the_sender(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    with ann.socket() as own, ben.socket() as other:
        own.until("synced")
        other.until("synced")
        for _ in range(3):
            own.send(conversation_id)
        other.say(type="ack", conversation_id=conversation_id, seq=99)
        receipt = own.until("receipt")
        assert (receipt["kind"], receipt["seq"], receipt["user_id"]) == ("delivered", 3, ben.user_id)
        other.say(type="read", conversation_id=conversation_id, seq=2)
        receipt = own.until("receipt")
        assert (receipt["kind"], receipt["seq"]) == ("read", 2)
    assert ben.ok("GET", f"/conversations/{conversation_id}")["unread"] == 1
    progress = ann.ok("GET", f"/conversations/{conversation_id}/members")["items"]
    mine = next(one for one in progress if one["user_id"] == ben.user_id)
    assert (mine["delivered_seq"], mine["read_seq"]) == (3, 2)


def test_an_expired_message_has_no_content(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    path = f"/conversations/{conversation_id}"
    ann.ok("PATCH", path, 200, json={"message_ttl": 1})
    ann.send(conversation_id)

    def hidden() -> bool:
        return ben.ok("GET", f"{path}/messages")["items"][0]["content"] is None

    until(hidden, 5)
    with ben.socket() as own:
        assert own.until("message")["content"] is None


def test_deleting(people: list[Person]) -> None:
    ann, ben, cat = people
    conversation_id = ann.group(ben, cat)
    ben.send(conversation_id)
    path = f"/conversations/{conversation_id}/messages"
    assert cat.http.delete(f"{path}/1").status_code == 403
    assert cat.http.delete(f"{path}/2").status_code == 404
    with cat.socket() as own:
        own.until("synced")
        ann.ok("DELETE", f"{path}/1", 204)
        change = own.until("change")
        assert (change["event"], change["seq"]) == ("deleted", 1)
    ben.ok("DELETE", f"{path}/1", 204)
    item = cat.ok("GET", path)["items"][0]
    assert (item["deleted"], item["content"], item["seq"]) == (True, None, 1)


def test_envelopes_name_exactly_the_published_devices(people: list[Person]) -> None:
    ann, ben, cat = people
    for one in (ann, ben, cat):
        one.publish()
    second = ben.another_device()
    conversation_id = ann.group(ben, cat)
    found = ann.ok("GET", f"/conversations/{conversation_id}/devices")
    ids = sorted(one["device_id"] for one in found["items"])
    assert ids == sorted(one.device_id for one in (ann, ben, cat))
    digest = hashlib.sha256(b"".join(sorted(UUID(name).bytes for name in ids))).digest()
    assert found["digest"] == b64(digest)

    def draft(*devices: str, **more: Any) -> dict[str, Any]:
        sealed = [{"device_id": name, "content": b64(name.encode())} for name in devices]
        return {"client_id": str(uuid4()), "kind": "text", "envelopes": sealed, **more}

    path = f"/conversations/{conversation_id}/messages"
    short = ann.http.post(path, json=draft(ben.device_id))
    assert short.status_code == 409
    assert (short.json()["missing"], short.json()["extra"]) == ([cat.device_id], [])
    wide = ann.http.post(path, json=draft(ben.device_id, cat.device_id, second.device_id))
    assert (wide.json()["missing"], wide.json()["extra"]) == ([], [second.device_id])
    assert wide.json()["digest"] == b64(digest)
    ann.ok("POST", path, 201, json=draft(ben.device_id, cat.device_id))
    ann.ok("POST", path, 201, json=draft(ben.device_id, partial=True))
    assert ben.ok("GET", path)["items"][0]["envelope"] == b64(ben.device_id.encode())
    assert [item["envelope"] for item in cat.ok("GET", path)["items"]] == [b64(cat.device_id.encode()), None]
    # A new device is published: yesterday's digest does not hold any more.
    second.publish()

    def refused() -> bool:
        body = {
            "client_id": str(uuid4()),
            "kind": "text",
            "content": b64(b"x"),
            "devices_digest": b64(digest),
        }
        return ann.http.post(path, json=body).status_code == 409

    until(refused, 4, 0.5)


def test_many_senders_leave_no_gap(people: list[Person], stack: Stack) -> None:
    ann, ben, cat = people
    conversation_id = ann.group(ben, cat)
    each = 60
    failures: list[BaseException] = []

    def work(who: Person, number: int) -> None:
        try:
            with who.socket(stack.urls[number % len(stack.urls)]) as own:
                own.until("synced")
                for index in range(each):
                    assert own.send(conversation_id, f"{index}".encode())["type"] == "sent"
        except BaseException as error:
            failures.append(error)

    devices = [ann, ben, cat, ann.another_device(), ben.another_device(), cat.another_device()]
    listener = ben.another_device()
    with listener.socket() as listening:
        listening.until("synced")
        threads = [threading.Thread(target=work, args=(who, n)) for n, who in enumerate(devices)]
        for thread in threads:
            thread.start()
        received = [listening.until("message", 30) for _ in range(each * len(devices))]
        for thread in threads:
            thread.join()
    assert not failures, failures[0]
    assert [frame["seq"] for frame in received] == list(range(1, each * len(devices) + 1))
    for who in devices:
        mine = [frame for frame in received if frame["sender_device_id"] == who.device_id]
        assert [frame["content"] for frame in mine] == [b64(f"{index}".encode()) for index in range(each)]


def test_frames_in_an_array(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    with ann.socket() as own:
        own.until("synced")
        drafts: list[dict[str, Any]] = [
            {
                "type": "send",
                "ref": f"r{number}",
                "conversation_id": conversation_id,
                "client_id": str(uuid4()),
                "kind": "text",
                "content": b64(b"x"),
            }
            for number in range(20)
        ]
        own.connection.send(json.dumps(drafts))
        answers = [own.until("sent") for _ in range(20)]
        assert [(one["ref"], one["seq"]) for one in answers] == [(f"r{n}", n + 1) for n in range(20)]


def test_a_fresh_token_on_an_open_socket(people: list[Person]) -> None:
    ann, ben, _ = people
    with ann.socket() as own:
        own.until("synced")
        fresh = ann.ok("POST", "/auth/refresh", json={"refresh_token": ann.session["refresh_token"]})
        own.say(type="token", ref="t", access_token=fresh["access_token"])
        answer = own.until(lambda frame: frame.get("ref") == "t")
        assert answer["type"] == "token"
        assert 0 < answer["expires_in"] <= 900
        own.say(type="token", ref="u", access_token=ben.token)
        assert own.until(lambda frame: frame.get("ref") == "u")["code"] == "unauthorized"


def test_typing_reaches_the_others_only(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    second = ann.another_device()
    with ann.socket() as own, ben.socket() as other, second.socket() as mine:
        for one in (own, other, mine):
            one.until("synced")
        own.say(type="typing", conversation_id=conversation_id, is_typing=True)
        frame = other.until("typing")
        assert (frame["user_id"], frame["is_typing"]) == (ann.user_id, True)
        own.send(conversation_id)
        assert mine.next()["type"] == "message"


def test_presence(people: list[Person]) -> None:
    ann, ben, cat = people
    conversation_id = ann.direct(ben)
    ann.direct(cat)
    ben.send(conversation_id)
    with ann.socket() as own:
        own.until("synced")
        with ben.socket() as other:
            other.until("synced")
            frame = own.until("presence")
            assert (frame["user_id"], frame["status"]) == (ben.user_id, "online")
            other.say(type="presence", status="away")
            assert own.until("presence")["status"] == "away"
            # A newcomer is told who is there after `synced`.
            with ann.another_device().socket() as late:
                late.until("synced")
                assert late.until("presence")["user_id"] == ben.user_id
        assert own.until("presence", 10)["status"] == "offline"
        # Cat has never written to Ann: nothing of hers is shown.
        with cat.socket() as unseen:
            unseen.until("synced")
            own.connection.send("{}")
            assert own.next(5)["type"] == "error"


def test_a_newer_socket_on_another_instance_takes_over(people: list[Person], stack: Stack) -> None:
    ann = people[0]
    with ann.socket(stack.urls[0]) as older:
        older.until("synced")
        sockets = [ann.socket(stack.urls[-1])]
        try:
            # Wherever the gateway puts it, the older one goes.
            with pytest.raises(ConnectionClosed) as caught:
                older.connection.recv(10)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 4409
        finally:
            for one in sockets:
                one.connection.close()


def test_a_published_device_is_told_to_peers(people: list[Person]) -> None:
    ann, ben, _ = people
    ann.direct(ben)
    with ben.socket() as own:
        own.until("synced")
        ann.publish()
        frame = own.until("device")
        assert (frame["event"], frame["user_id"], frame["device_id"]) == (
            "published",
            ann.user_id,
            ann.device_id,
        )
