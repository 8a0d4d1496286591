"""Sender keys, and messages again."""

import base64
from collections.abc import Iterator
from typing import Any

from tests.client.scenarios.cast import CONVERSATION, DAY, NOW, Actor, an_id, said_of
from tests.client.scenarios.script import Done, Script

OTHER = an_id("another conversation")


def stories() -> Iterator[Script]:
    yield sender_keys()
    yield group_damage()
    yield given()
    yield far_ahead()
    yield many_chains()
    yield resends()


class Group:
    """A chain of one sender and its readers."""

    def __init__(self, script: Script, *names: str) -> None:
        self.script = script
        self.sender, *self.readers = (Actor.enter(script, name, last_resort=False) for name in names)
        self.of = {"conversation_id": CONVERSATION, **self.sender.ids}

    def chain(self, name: str = "chain") -> None:
        self.script.do("chain", chain=name, device=self.sender.name, conversation_id=CONVERSATION, now=NOW)

    def give(self, reader: Actor, name: str = "chain", note: str = "") -> Done:
        number = self.sender.number + 1
        key = self.script.do("distribute", chain=name, number=number)
        self.script.do("take_chain", note, **self.taking(reader, key))
        return key

    def taking(self, reader: Actor, key: Done, **other: Any) -> dict[str, Any]:
        names = ("chain_id", "iteration", "chain_key", "signature_key", "number")
        body = {"type": "sender_key", **key.gives}
        payload = self.sender.payload("", body=body, kind="control", number=0)
        self.sender.number -= 1
        found = {"device": reader.name, "of": self.of, "payload": payload, "member": True}
        return {**found, "sender_key": {one: key[one] for one in names}, **other}

    def seal(self, text: str, name: str = "chain") -> tuple[str, str]:
        payload = self.sender.payload(text)
        done = self.script.do("group_seal", chain=name, device=self.sender.name, payload=payload)
        return done["content"], payload

    def opening(self, reader: Actor, message: tuple[str, str], **other: Any) -> dict[str, Any]:
        content, payload = message
        return {"device": reader.name, "of": self.of, "content": content, "said": said_of(payload), **other}

    def read(self, reader: Actor, message: tuple[str, str], note: str = "", **other: Any) -> None:
        self.script.do("group_open", note, **self.opening(reader, message, **other))

    def refuse(self, name: str, message: tuple[str, str], note: str = "", **other: Any) -> None:
        self.script.refused(name, "group_open", note, **self.opening(self.readers[0], message, **other))


def sender_keys() -> Script:
    s = Script("sender keys", "A chain from its beginning and from later on, out of order, and given again.")
    group = Group(s, "alice", "bob", "carol")
    bob, carol = group.readers
    group.chain()
    first = group.give(bob)
    messages = [group.seal(f"message {number}") for number in range(4)]
    group.read(bob, messages[0])
    group.read(bob, messages[3], "leaps over two")
    group.read(bob, messages[1], "late")
    group.refuse("ReplayedMessage", messages[1])
    group.refuse("ReplayedMessage", messages[3])
    group.give(carol, note="from the present iteration on")
    messages.append(group.seal("for both"))
    group.read(carol, messages[4])
    s.refused("UnknownSenderKey", "group_open", "before its time", **group.opening(carol, messages[3]))
    s.do("take_chain", "given again: it never goes back", **group.taking(bob, first))
    group.refuse("ReplayedMessage", messages[0])
    group.read(bob, messages[4])
    group.read(bob, messages[2], "late", said=said_of(messages[2][1], sender_id=None))
    return s


def group_damage() -> Script:
    s = Script("changed group content", "What is refused, and that nothing is used up by it.")
    group = Group(s, "alice", "bob")
    bob, alice = group.readers[0], group.sender
    group.chain()
    group.give(bob)
    one = group.seal("to be changed")

    def changed(name: str, note: str, **how: object) -> None:
        group.refuse(name, one, note, content={"bytes": one[0], **how})

    changed("Malformed", "nothing", take=0)
    changed("Malformed", "cut in the head", take=20)
    changed("Malformed", "shorter than any", take=101)
    changed("UnsupportedVersion", "version 2", put=[0, "02"])
    changed("Malformed", "type 1, which is pairwise", put=[1, "01"])
    changed("UnknownSenderKey", "another chain", xor=[2, "01"])
    changed("BadSenderSignature", "another iteration", xor=[21, "01"])
    changed("BadSenderSignature", "another ciphertext", xor=[22, "01"])
    changed("BadSenderSignature", "another signature", xor=[-1, "01"])
    changed("BadSenderSignature", "a byte too many", then="00")
    group.refuse("ClientIdMismatch", one, said=said_of(one[1], client_id=OTHER))
    group.refuse("KindMismatch", one, said=said_of(one[1], kind="control"))
    group.refuse("ConversationMismatch", one, said=said_of(one[1], conversation_id=OTHER))
    group.refuse("SenderMismatch", one, said=said_of(one[1], sender_device_id=an_id("device carol")))
    group.refuse("SenderMismatch", one, said=said_of(one[1], sender_id=bob.user_id))
    group.refuse("ReflectedMessage", one, said=said_of(one[1], sender_device_id=bob.device_id))
    group.read(bob, one, "the true one opens")
    payload = alice.payload("x", conversation_id=OTHER)
    s.refused("ConversationMismatch", "group_seal", chain="chain", device="alice", payload=payload)
    payload = alice.payload("x", sender_id=bob.user_id)
    s.refused("SenderMismatch", "group_seal", chain="chain", device="alice", payload=payload)
    s.refused("SenderMismatch", "group_seal", chain="chain", device="bob", payload=bob.payload("x"))
    group.read(bob, group.seal("and on"))
    return s


def given() -> Script:
    s = Script("giving chains", "From whom a chain is taken, and when a new one is made.")
    group = Group(s, "alice", "bob")
    bob, alice = group.readers[0], group.sender
    group.chain()
    key = s.do("distribute", chain="chain", number=1)
    body = {"type": "sender_key"}
    s.refused("SenderKeyRefused", "take_chain", "of no member", **group.taking(bob, key, member=False))
    other = bob.payload("", body=body, kind="control", number=0)
    s.refused("SenderMismatch", "take_chain", "by another", **group.taking(bob, key, payload=other))
    other = alice.payload("", body=body, kind="control", number=0, conversation_id=OTHER)
    s.refused("ConversationMismatch", "take_chain", "elsewhere", **group.taking(bob, key, payload=other))
    s.do("take_chain", **group.taking(bob, key))
    again = group.taking(bob, key)
    again["sender_key"] = {**again["sender_key"], "signature_key": bob.made["identity_key"]}
    s.refused("SenderKeyRefused", "take_chain", "another one of this id", **again)
    two = [alice.device_id, bob.device_id]
    three = [*two, an_id("device carol")]

    def devices(these: list[str], *, give: bool = False, now: int = NOW, note: str = "") -> None:
        s.do("chain_given", note, chain="chain", devices=these, now=now, give=give)

    devices(two, note="nobody has it")
    devices([bob.device_id], give=True)
    devices(two)
    devices(three, note="a device more is given the same chain")
    devices([alice.device_id], note="one that has it is gone: a new chain")
    devices(two, now=NOW + 7 * DAY - 1)
    devices(two, now=NOW + 7 * DAY, note="a week old: a new chain")
    s.do("group_lose", chain="chain", count=1_999)
    devices(two)
    s.do("group_lose", chain="chain", count=1)
    devices(two, note="2,000 messages: a new chain")
    return s


def far_ahead() -> Script:
    s = Script("far ahead in a chain", "10,000 messages may be missing, and 1,000 keys are kept.")
    group = Group(s, "alice", "bob")
    bob = group.readers[0]
    group.chain()
    group.give(bob)
    early = group.seal("0")
    s.do("group_lose", chain="chain", count=8_998)
    middle = [group.seal(f"{number}") for number in (8_999, 9_000, 9_001, 9_002)]
    s.do("group_lose", chain="chain", count=997)
    late = [group.seal(f"{number}") for number in (10_000, 10_001)]
    group.refuse("TooFarAhead", late[1])
    group.read(bob, late[0], "leaps over 10,000")
    group.refuse("UnknownSenderKey", middle[0], "its key is not kept")
    group.read(bob, middle[1], "the first one whose key is")
    last = group.seal("10,002")
    group.read(bob, last)
    group.read(bob, middle[2], "there was room for one more")
    group.read(bob, late[1])
    s.do("group_lose", chain="chain", count=5)
    group.read(bob, group.seal("10,008"), "over 1,000 are missing: the oldest go")
    group.refuse("UnknownSenderKey", middle[3])
    group.refuse("UnknownSenderKey", early)
    return s


def many_chains() -> Script:
    s = Script("rotation", "Five chains of a sender are kept; late messages of the one before open.")
    group = Group(s, "alice", "bob")
    bob = group.readers[0]
    messages = []
    for number in range(6):
        group.chain(f"chain {number}")
        group.give(bob, f"chain {number}")
        messages.append(group.seal(f"in chain {number}", f"chain {number}"))
    for message in messages[:0:-1]:
        group.read(bob, message)
    group.refuse("UnknownSenderKey", messages[0], "the sixth is gone")
    return s


def resends() -> Script:
    s = Script(
        "a message again", "Who is sent what again, and how often; what is asked for, and what is taken."
    )
    alice, bob = (Actor.enter(s, name, last_resort=False) for name in ("alice", "bob"))
    payload = alice.payload("once more")
    s.do("sent", name="one", payload=payload, devices=[bob.device_id])
    again = {"name": "one", "conversation_id": CONVERSATION}
    s.refused("NotResent", "send_again", "not for it", **again, device_id=an_id("device carol"))
    elsewhere = {**again, "conversation_id": OTHER}
    s.refused("NotResent", "send_again", "elsewhere", **elsewhere, device_id=bob.device_id)
    for _ in range(2):
        s.do("send_again", **again, device_id=bob.device_id)
    s.refused("NotResent", "send_again", "for the third time", **again, device_id=bob.device_id)
    room = 45_000 - len(alice.payload("").encode())
    for size in (room, room + 1):
        s.do("sent", name="long", payload=alice.payload("x" * size), devices=[bob.device_id])
        long = {"name": "long", "conversation_id": CONVERSATION, "device_id": bob.device_id}
        if size == room:
            s.do("send_again", "45,000 bytes", **long)
        else:
            s.refused("NotResent", "send_again", "45,001 bytes", **long)

    def ask(said: dict[str, Any], seq: int, now: int = NOW, note: str = "") -> None:
        s.do("ask_again", note, device="bob", said=said, seq=seq, now=now)

    def answer(inner: str, **other: Any) -> str:
        body = {"type": "resent", "payload": base64.b64encode(inner.encode()).decode()}
        return alice.payload("", **{"body": body, "kind": "control", "number": 0, **other})

    s.refused("NotResent", "answered", "what was not asked for", device="bob", answer=answer(payload))
    ask(said_of(payload), 7)
    s.refused("NotResent", "answered", "no answer", device="bob", answer=alice.payload("text"))
    s.refused("Malformed", "answered", "nothing in it", device="bob", answer=answer("{}"))
    other = answer(payload, sender_device_id=bob.device_id)
    s.refused("NotResent", "answered", "of another device", device="bob", answer=other)
    other = answer(payload, conversation_id=OTHER)
    s.refused("NotResent", "answered", "elsewhere", device="bob", answer=other)
    changes = {"KindMismatch": {"kind": "file"}, "SenderMismatch": {"sender_id": bob.user_id}}
    changes["ConversationMismatch"] = {"conversation_id": OTHER}
    for name, change in changes.items():
        changed = alice.payload("once more", client_id=an_id("alice 1"), **change)
        s.refused(name, "answered", "not what was asked for", device="bob", answer=answer(changed))
    s.do("answered", device="bob", answer=answer(payload))
    s.refused("NotResent", "answered", "twice", device="bob", answer=answer(payload))
    for number in range(3):
        ask(said_of(payload), 7, NOW + number)
    ask(said_of(payload), 7, NOW + 3, "for the fourth time: it is lost")
    s.do("asked", device="bob", now=NOW + 3)
    for number in range(51):
        ask(said_of(payload, client_id=an_id(f"lost {number}")), 100 + number, NOW + number)
    s.do("asked", "fifty of one device are open", device="bob", now=NOW + 100)
    s.do("asked", "a day after it was asked for each is lost", device="bob", now=NOW + DAY + 48)
    return s
