"""What a block stops, and what is left of who is gone."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest

from tests.system.people import PASSWORD, Person, Socket, b64
from tests.system.stack import Stack
from tests.system.waiting import until

pytestmark = pytest.mark.system

DRAFT = {"kind": "text", "content": b64(b"x")}


def refused(person: Person, method: str, path: str, code: str = "blocked", **arguments: object) -> None:
    answer = person.http.request(method, path, **arguments)  # type: ignore[arg-type]
    assert answer.json()["code"] == code, answer.text


def heard(socket: Socket, until_ref: str = "through") -> list[str]:
    """The types of the frames that came before what this socket says of itself is answered."""
    socket.say(type="ping", ref=until_ref)
    return [frame["type"] for frame in socket.all_until("pong")]


def test_a_direct_conversation_is_not_changed_across_a_block(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    path = f"/conversations/{conversation_id}"
    seqs = {who.user_id: who.send(conversation_id)["seq"] for who in (ann, ben)}
    ann.ok("PUT", f"/blocks/{ben.user_id}", 204)
    for who in (ann, ben):
        refused(who, "PATCH", path, json={"message_ttl": 60})
        refused(who, "PATCH", path, json={"metadata": b64(b"new")})
        refused(who, "DELETE", f"{path}/messages/{seqs[who.user_id]}")
    assert ann.ok("GET", path)["last_change"] == 1
    ann.ok("DELETE", f"/blocks/{ben.user_id}", 204)
    ben.ok("DELETE", f"{path}/messages/{seqs[ben.user_id]}", 204)
    assert ben.ok("PATCH", path, 200, json={"message_ttl": 60})["message_ttl"] == 60


def test_no_file_goes_into_it(people: list[Person]) -> None:
    ann, ben, _ = people
    conversation_id = ann.direct(ben)
    binary = {"Content-Type": "application/octet-stream"}
    blob = {"content": b"blob", "headers": binary}
    mine = {who.user_id: who.ok("POST", "/files", 201, **blob)["file_id"] for who in (ann, ben)}
    ann.ok("PUT", f"/blocks/{ben.user_id}", 204)
    for who in (ann, ben):
        into = {"X-Conversation-ID": conversation_id}
        refused(who, "POST", "/files", content=b"blob", headers={**binary, **into})
        tus = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": "4",
            "Upload-Metadata": f"conversation_id {b64(conversation_id.encode())}",
        }
        refused(who, "POST", "/files/uploads", headers=tus)
        refused(who, "PUT", f"/files/{mine[who.user_id]}/conversations/{conversation_id}")
    ann.ok("DELETE", f"/blocks/{ben.user_id}", 204)
    ben.ok("PUT", f"/files/{mine[ben.user_id]}/conversations/{conversation_id}", 204)


def file_rows(stack: Stack, person: Person) -> tuple[int, int]:
    """How many files of a person stand in the database, and for how many bytes they count."""
    with closing(stack.database()) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from file.files where uploader_id = %s", (person.user_id,))
        ((files,),) = cursor.fetchall()
        cursor.execute("select sum(bytes) from file.usage where user_id = %s", (person.user_id,))
        ((used,),) = cursor.fetchall()
    return files, int(used or 0)


@pytest.mark.parametrize("blocker", [0, 1])
def test_an_upload_that_a_block_overtakes_leaves_no_file(apart: Stack, blocker: int) -> None:
    ann, ben = (Person(apart.urls[0], name) for name in ("ann", "ben"))
    by, blocked = (ann, ben) if blocker == 0 else (ben, ann)
    conversation_id = ann.direct(ben)

    def block() -> None:
        until(lambda: file_rows(apart, ann)[0] == 1)
        by.ok("PUT", f"/blocks/{blocked.user_id}", 204)

    def body() -> Iterator[bytes]:
        yield bytes(1_000)
        block()
        yield bytes(1_000)

    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Length": "2000",
        "X-Conversation-ID": conversation_id,
    }
    refused(ann, "POST", "/files", content=body(), headers=headers)
    assert file_rows(apart, ann) == (0, 0)
    by.ok("DELETE", f"/blocks/{blocked.user_id}", 204)

    tus = {"Tus-Resumable": "1.0.0"}
    metadata = f"conversation_id {b64(conversation_id.encode())}"
    made = ann.http.post(
        "/files/uploads", headers={**tus, "Upload-Length": "2000", "Upload-Metadata": metadata}
    )
    path = made.headers["Location"].removeprefix("/api/v1")
    more = {**tus, "Content-Type": "application/offset+octet-stream"}
    first = ann.http.patch(path, content=bytes(1_000), headers={**more, "Upload-Offset": "0"})
    assert first.status_code == 204, first.text
    block()
    refused(ann, "PATCH", path, content=bytes(1_000), headers={**more, "Upload-Offset": "1000"})
    assert ann.http.head(path, headers=tus).status_code == 404
    assert file_rows(apart, ann) == (0, 0)


def test_neither_hears_the_other_type_or_read(people: list[Person]) -> None:
    ann, ben, cat = people
    direct, group = ann.direct(ben), ann.group(ben, cat)
    for name in (direct, group):
        ann.send(name)
        ben.send(name)
    with ann.socket() as one, ben.socket() as other, cat.socket() as third:
        for socket in (one, other, third):
            socket.until("synced")
        ben.ok("PUT", f"/blocks/{ann.user_id}", 204)
        heard(one), heard(other), heard(third)
        for socket in (one, other):
            for name in (direct, group):
                socket.say(type="typing", conversation_id=name, is_typing=True)
                socket.say(type="ack", conversation_id=name, seq=2)
                socket.say(type="read", conversation_id=name, seq=2)
        # Cat, who has blocked nobody, hears both of them in the group.
        found = set()
        while len(found) < 4:
            frame = third.until(lambda frame: frame["type"] == "typing" or frame.get("kind") == "read")
            found.add((frame["type"], frame["user_id"]))
        told = {"typing", "receipt"}
        assert not told & set(heard(one) + heard(other))
        # Nor by asking.
        for who, peer in ((ann, ben), (ben, ann)):
            for name in (direct, group):
                members = who.ok("GET", f"/conversations/{name}/members")["items"]
                shown = {one["user_id"]: (one["delivered_seq"], one["read_seq"]) for one in members}
                assert shown[peer.user_id] == (0, 0)
                assert shown[who.user_id] == (2, 2)
        ben.ok("DELETE", f"/blocks/{ann.user_id}", 204)
        heard(one), heard(other)
        ben.send(direct)
        one.say(type="typing", conversation_id=direct, is_typing=False)
        one.say(type="read", conversation_id=direct, seq=3)
        until_read = other.until(lambda frame: frame.get("kind") == "read")
        assert (until_read["user_id"], until_read["seq"]) == (ann.user_id, 3)
    # What stood before a socket opened holds for it too.
    ann.ok("PUT", f"/blocks/{ben.user_id}", 204)
    with ann.socket() as one, ben.socket() as other:
        for socket in (one, other):
            socket.until("synced")
        other.say(type="typing", conversation_id=direct, is_typing=True)
        heard(other)
        one.say(type="typing", conversation_id=group, is_typing=True)
        assert not {"typing", "presence"} & set(heard(one) + heard(other))


def test_blocks_of_who_is_gone_are_gone(people: list[Person]) -> None:
    """Also of those who were in no conversation."""
    ann, ben, cat = people
    ann.ok("PUT", f"/blocks/{ben.user_id}", 204)
    ann.ok("PUT", f"/blocks/{cat.user_id}", 204)
    cat.ok("PUT", f"/blocks/{ann.user_id}", 204)
    cat.ok("PUT", f"/blocks/{ben.user_id}", 204)
    ben.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})
    until(lambda: ann.ok("GET", "/blocks")["items"] == [cat.user_id], 10)
    until(lambda: cat.ok("GET", "/blocks")["items"] == [ann.user_id], 10)


def test_a_deleted_account_is_named_only_where_history_needs_it(apart: Stack) -> None:
    ann, ben, cat = (Person(apart.url) for _ in range(3))
    direct, group = ann.direct(ben), ann.group(ben)
    ann.ok("POST", f"/conversations/{group}/members", json={"user_id": cat.user_id})
    ann.ok("PATCH", f"/conversations/{group}", json={"metadata": b64(b"x")})
    for name in (direct, group):
        ann.send(name)
    own = {"type": "group", "members": [], "client_id": str(uuid4())}
    ann.ok("POST", "/conversations", 201, json=own)
    cat.ok("PUT", f"/blocks/{ann.user_id}", 204)
    ann.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})

    def named() -> dict[str, int]:
        with closing(apart.database()) as connection, connection.cursor() as cursor:
            cursor.execute("select tablename from pg_tables where schemaname = 'message'")
            tables = [row[0] for row in cursor.fetchall()]
            counts = {}
            for table in tables:
                cursor.execute(
                    f"select count(*) from message.{table} t where t::text like %s",
                    (f"%{ann.user_id}%",),
                )
                counts[table] = cursor.fetchone()[0]
        return {table: count for table, count in counts.items() if count}

    # That it was removed: its peers' clients have to learn of it.
    until(lambda: named() == {"changes": 3}, 20)
    events = ben.ok("GET", f"/conversations/{group}/changes")["items"]
    assert [(one["event"], one["actor_id"], one.get("user_id")) for one in events] == [
        ("created", None, None),
        ("member_added", None, cat.user_id),
        ("updated", None, None),
        ("member_removed", None, ann.user_id),
        ("role_changed", None, ben.user_id),
    ]
    refused(ben, "POST", "/conversations", "not_found", json={"type": "direct", "members": [ann.user_id]})
