"""The main job, as two people live it: register, publish keys, talk, share a file, survive a crash.

Encrypted for real on both sides, through the gateway, on real engines. At the end nothing that was said
stands in the database, in the blob store or in the logs.
"""

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from websockets.sync.client import connect

from tests.system.encryption import Cipher
from tests.system.people import PASSWORD, Person, Socket, b64
from tests.system.stack import ENGINES, Stack, running
from tests.system.waiting import until

pytestmark = pytest.mark.system

FILE_BYTES = 20_000_000


def say(sender: Cipher, socket: Socket, conversation_id: str, to: Person, text: str) -> dict[str, object]:
    """Encrypt and send; the `sent` frame."""
    envelope = {"device_id": to.device_id, "content": b64(sender.encrypt(to.device_id, text.encode()))}
    socket.say(
        type="send",
        ref="r",
        conversation_id=conversation_id,
        client_id=str(uuid4()),
        kind="text",
        envelopes=[envelope],
    )
    return socket.until(lambda frame: frame.get("ref") == "r")


def patient_get(person: Person, path: str) -> httpx.Response:
    """The answer, also from a store of blobs that was killed a moment ago: 503 asks to come again."""

    def answer() -> httpx.Response | None:
        found = person.http.get(path)
        return None if found.status_code == 503 else found

    found: httpx.Response = until(answer, 30.0, 0.2)
    return found


def hear(cipher: Cipher, frame: dict[str, str]) -> str:
    """Decrypt a message frame."""
    return cipher.decrypt(frame["sender_device_id"], base64.b64decode(frame["envelope"])).decode()


@pytest.mark.parametrize("form", ["one", "apart"])
def test_two_people_talk_and_share_a_file_across_a_crash(form: str, tmp_path: Path) -> None:
    with running(Stack(tmp_path, form)) as stack:
        ann, ben = Person(stack.url, "ann"), Person(stack.urls[-1], "ben")
        ann_keys, ben_keys = Cipher(ann), Cipher(ben)
        ann_keys.publish()
        ben_keys.publish()
        said: list[str] = []

        def text(words: str) -> str:
            said.append(f"{words} {secrets.token_hex(8)}")
            return said[-1]

        conversation_id = ann.direct(ben)
        assert ben.direct(ann) == conversation_id

        # Live, both ways.
        with ann.socket() as ann_socket, ben.socket() as ben_socket:
            ann_socket.all_until("synced")
            ben_socket.all_until("synced")
            for number in range(5):
                words = text(f"hello {number}")
                sent = say(ann_keys, ann_socket, conversation_id, ben, words)
                assert sent["type"] == "sent", sent
                frame = ben_socket.until("message")
                assert (hear(ben_keys, frame), frame["seq"]) == (words, sent["seq"])
                words = text(f"answer {number}")
                say(ben_keys, ben_socket, conversation_id, ann, words)
                assert hear(ann_keys, ann_socket.until("message")) == words
            ben_socket.say(type="ack", conversation_id=conversation_id, seq=10, change=1)
            ann_socket.until("receipt")

        # Ben is away; Ann goes on, and shares a file.
        with ann.socket() as ann_socket:
            ann_socket.all_until("synced")
            for number in range(3):
                say(ann_keys, ann_socket, conversation_id, ben, text(f"while you were away {number}"))
            marker = secrets.token_bytes(32)
            plain = marker + os.urandom(FILE_BYTES - 32)
            key, nonce = AESGCM.generate_key(256), secrets.token_bytes(12)
            blob = AESGCM(key).encrypt(nonce, plain, None)
            name = f"holiday-{secrets.token_hex(8)}.jpg"
            stored = ann.ok(
                "POST",
                "/files",
                201,
                content=blob,
                headers={
                    "Content-Type": "application/octet-stream",
                    "X-Conversation-ID": conversation_id,
                    "X-File-Metadata": b64(AESGCM(key).encrypt(b"\0" * 12, name.encode(), None)),
                },
            )
            assert stored["size"] == len(blob)
            assert stored["sha256"] == b64(hashlib.sha256(blob).digest())
            said.append(name)
            pointer = text(f"{stored['file_id']} {key.hex()} {nonce.hex()}")
            last = say(ann_keys, ann_socket, conversation_id, ben, pointer)
            assert last["type"] == "sent"

        # The night: everything of ours dies at once.
        for process in stack.processes:
            if process != "engines":
                stack.kill(process)
        if form == "apart":
            for engine in ENGINES:
                stack.kill_engine(engine)
        for process in stack.processes:
            if process != "engines":
                stack.restart(process)
        stack.wait_ready()

        # Ben comes back and has missed nothing.
        with ben.socket() as ben_socket:
            waiting = [frame for frame in ben_socket.all_until("synced") if frame["type"] == "message"]
            heard = [hear(ben_keys, frame) for frame in waiting]
            assert heard == [words for words in said if not words.endswith(".jpg")][-4:]
            assert [frame["seq"] for frame in waiting] == [11, 12, 13, 14]
        file_id, key_text, nonce_text = heard[-1].split()[:3]
        fetched = patient_get(ben, f"/files/{file_id}")
        assert fetched.status_code == 200
        again = AESGCM(bytes.fromhex(key_text)).decrypt(bytes.fromhex(nonce_text), fetched.content, None)
        assert hashlib.sha256(again).digest() == hashlib.sha256(plain).digest()

        ticket = ben.ok("POST", "/auth/ticket", 201)["ticket"]
        url = f"{stack.url}/ws?ticket={ticket}".replace("http", "ws", 1)
        with connect(url, open_timeout=10) as by_ticket:
            assert "hello" in by_ticket.recv(10)

        # A login goes on as the same device, and another user sees nothing of all this.
        login = {"username": ben.username, "password": PASSWORD, "device_id": ben.device_id}
        back = httpx.post(f"{stack.url}/api/v1/auth/login", json=login, timeout=30)
        assert back.json()["device_id"] == ben.device_id
        eve = Person(stack.url, "eve")
        assert eve.http.get(f"/conversations/{conversation_id}").status_code == 404
        assert eve.http.get(f"/files/{file_id}").status_code == 404

    # Everything has stopped: what is on the disk is all there is.
    secret_bytes = [words.encode() for words in said] + [marker, PASSWORD.encode()]
    secret_bytes += [one.token.encode() for one in (ann, ben, eve)]
    secret_bytes += [one.session["refresh_token"].encode() for one in (ann, ben, eve)]
    secret_bytes += [back.json()["refresh_token"].encode(), ticket.encode()]
    for found in plaintext_on_disk(tmp_path, secret_bytes):
        pytest.fail(f"plaintext on the server: {found}")
    # The engines' own secrets are where they have to be, and in no service's log. (What the engines' own
    # process says on its standard output is how the stack learns its addresses.)
    kept = json.loads((stack.data / "secrets.json").read_text())
    values = [*kept.values(), *kept["database_passwords"].values()]
    logs = [path.read_text(errors="replace") for path in stack.logs.glob("*.log") if path.stem != "engines"]
    for secret in [value for value in values if isinstance(value, str) and len(value) > 16]:
        assert not any(secret in text for text in logs)


def plaintext_on_disk(folder: Path, secret_bytes: list[bytes]) -> list[str]:
    """Where any of the secrets stands, in whatever the server has left behind."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path}: {one[:40]!r}" for one in secret_bytes if one in content]
    return found
