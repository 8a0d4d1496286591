"""X3DH with PQXDH, and the Double Ratchet."""

from collections.abc import Iterator

from messenger.client.e2e.primitives import ed25519_sign
from tests.client.scenarios.cast import NOW, Actor, Letter, read, refuse, said_of, seal, start
from tests.client.scenarios.script import Script

ZEROS = "00" * 32


def stories() -> Iterator[Script]:
    yield agreement()
    yield refused_bundles()
    yield ratchet()
    yield damage()
    yield refused_first_messages()
    yield refiled()
    yield far_ahead()
    yield before_an_answer()


def agreement() -> Script:
    """Every form of a handshake, in both directions."""
    s = Script("agreement", "X3DH with PQXDH: with and without one-time prekeys of either kind.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=2, kem=2)
    for one_time, kem in ((True, True), (True, False), (False, True), (False, False)):
        start(alice, bob, one_time=one_time, kem=kem)
        read(seal(alice, bob, f"one-time {one_time}, KEM one-time {kem}"))
    read(seal(bob, alice, "answered in the last one"))
    read(seal(alice, bob, "and on"))
    return s


def refused_bundles() -> Script:
    s = Script("refused bundles", "What a bundle is refused for, in the order in which it is looked at.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=1, kem=1)
    good = bob.bundle()
    seed = bytes.fromhex(bob.seed)
    kem_key = "ff" * 1568
    signed, kem = s.steps[2]["gives"]["signed_prekey"], s.steps[4]["gives"]["prekeys"][0]

    def refused(name: str, note: str, **other: object) -> None:
        s.refused(name, "start", note, device="alice", bundle={**good, **other}, now=NOW)

    other = {**signed, "public_key": {"bytes": signed["public_key"], "xor": [0, "01"]}}
    refused("BadPrekeySignature", "another signed prekey", signed_prekey=other)
    other = {**kem, "public_key": {"bytes": kem["public_key"], "xor": [0, "01"]}}
    refused("BadPrekeySignature", "another KEM prekey", kem_prekey=other)
    refused("KemDowngrade", "no KEM prekey", kem_prekey=None)
    refused("BadPrekeySignature", "another identity key", identity_key=alice.made["identity_key"])
    zero = {"key_id": 9, "public_key": ZEROS, "signature": ed25519_sign(seed, bytes(32)).hex()}
    refused("UnusableKey", "a signed prekey of small order", signed_prekey=zero)
    refused(
        "UnusableKey", "a one-time prekey of small order", one_time_prekey={"key_id": 1, "public_key": ZEROS}
    )
    signature = ed25519_sign(seed, bytes.fromhex(kem_key)).hex()
    wrong = {"key_id": 3, "public_key": kem_key, "signature": signature}
    refused("UnusableKey", "a KEM prekey that is none", kem_prekey=wrong)
    s.refused("NoSession", "seal", "none was begun", device="alice", peer=bob.ids, payload=alice.payload("x"))
    s.do("start", device="alice", bundle=good, now=NOW)
    payload = alice.payload("x", sender_id=bob.user_id)
    s.refused("SenderMismatch", "seal", "not of this device", device="alice", peer=bob.ids, payload=payload)
    s.do("seal", device="alice", peer=bob.ids, payload=alice.payload("and the true one"))
    return s


def pair(s: Script) -> tuple[Actor, Actor]:
    """Two devices with a session in which both have written."""
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=1, kem=1)
    start(alice, bob)
    read(seal(alice, bob, "first"))
    read(seal(bob, alice, "second"))
    return alice, bob


def ratchet() -> Script:
    s = Script("ratchet", "Turns in both directions, skipped and late messages, replays.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=1, kem=1)
    start(alice, bob)
    first = [seal(alice, bob, f"first {number}") for number in range(4)]
    read(first[2], "the session begins with its third message: two are missing")
    read(first[0], "late")
    refuse("ReplayedMessage", first[2])
    refuse("ReplayedMessage", first[0])
    back = [seal(bob, alice, f"back {number}") for number in range(3)]
    read(back[1])
    turn = [seal(alice, bob, f"after a turn {number}") for number in range(3)]
    read(turn[2], "leaps over the last one of the chain before, and two of its own")
    read(first[3], "of the chain before")
    read(turn[0])
    refuse(
        "AuthenticationFailed", first[3], "its key is gone, and its chain: it can't be told from a forgery"
    )
    refuse("ReplayedMessage", turn[0])
    read(back[0], "late, on the other side")
    for number in range(3):
        read(seal(bob, alice, f"to and fro {number}"))
        read(seal(alice, bob, f"fro and to {number}"))
    read(back[2], "late by several turns")
    read(turn[1])
    read(seal(bob, alice, 'é, 漢字, 🙂 and "quotes"'))
    read(seal(alice, bob, "x" * 300, "two steps of padding"))
    read(seal(alice, bob, "x" * 4_000))
    return s


def damage() -> Script:
    s = Script("damage", "Envelopes that were changed, cut, or are another's. Nothing is used up by them.")
    alice, bob = pair(s)
    one = seal(bob, alice, "to be changed")

    def changed(name: str, note: str, **how: object) -> None:
        refuse(name, one, note, envelope={"bytes": one.envelope, **how})

    changed("Malformed", "nothing", take=0)
    changed("Malformed", "cut in the session's id", take=10)
    changed("Malformed", "cut in the ratchet's header", take=57)
    changed("AuthenticationFailed", "cut in the tag", take=70)
    changed("AuthenticationFailed", "without the last byte", take=-1)
    changed("AuthenticationFailed", "with a byte too many", then="00")
    changed("UnsupportedVersion", "version 2", put=[0, "02"])
    changed("Malformed", "type 9", put=[1, "09"])
    changed("Malformed", "type 3, which is a group's", put=[1, "03"])
    changed("NoSession", "another session", xor=[2, "01"])
    changed("AuthenticationFailed", "another ratchet key", xor=[18, "01"])
    changed("AuthenticationFailed", "a ratchet key of small order", put=[18, ZEROS])
    changed("AuthenticationFailed", "another previous number", xor=[53, "01"])
    changed("ReplayedMessage", "the number of one that was read", xor=[57, "01"])
    changed("AuthenticationFailed", "another number", xor=[57, "02"])
    changed("TooFarAhead", "a number far ahead", put=[54, "00000fff"])
    changed("AuthenticationFailed", "another ciphertext", xor=[60, "80"])
    changed("AuthenticationFailed", "another tag", xor=[-1, "01"])
    own = seal(alice, bob, "to be shown to oneself")
    refuse("ReflectedMessage", Letter(bob, alice, own.envelope, one.payload), "an own envelope as the peer's")
    read(one, "and the true one opens")
    read(own)
    return s


def refused_first_messages() -> Script:
    s = Script("refused first messages", "What a first message is refused for; the true one opens after all.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=2, kem=2)
    start(alice, bob)
    one = seal(alice, bob, "first")

    def changed(name: str, note: str, **how: object) -> None:
        refuse(name, one, note, envelope={"bytes": one.envelope, **how})

    changed("Malformed", "cut in the handshake", take=60)
    changed("Malformed", "cut in the KEM's ciphertext", take=900)
    changed("Malformed", "cut in the ratchet's header", take=1_650)
    changed("AuthenticationFailed", "another ephemeral key", xor=[34, "01"])
    changed("UnusableKey", "an ephemeral key of small order", put=[34, ZEROS])
    changed("UnknownPrekey", "a signed prekey that there is not", put=[66, "00000063"])
    changed("UnknownPrekey", "a one-time prekey that there is not", put=[70, "00000063"])
    changed("UnknownPrekey", "a KEM prekey that there is not", put=[74, "00000063"])
    changed("AuthenticationFailed", "without its one-time prekey", put=[70, "ffffffff"])
    changed("AuthenticationFailed", "another one-time prekey", put=[70, "00000002"])
    changed("AuthenticationFailed", "another KEM prekey", put=[74, "00000002"])
    changed("AuthenticationFailed", "another KEM ciphertext", xor=[100, "01"])
    changed("AuthenticationFailed", "a ratchet key of small order", put=[1_646, ZEROS])
    changed("TooFarAhead", "a number far ahead", put=[1_682, "00000fff"])
    changed("IdentityKeyChanged", "another identity key", xor=[2, "01"])
    downgraded = {"bytes": {"bytes": one.envelope, "take": 74}, "then": "ffffffff" + "00" * 80}
    refuse("KemDowngrade", one, "without KEM", envelope=downgraded)

    small = "01" + "00" * 31
    refuse(
        "UnusableKey",
        one,
        "an identity key of small order",
        envelope={"bytes": one.envelope, "put": [2, small]},
        peer={**alice.peer, "identity_key": small},
    )
    read(one)
    refuse("ReplayedMessage", one, "in the session that it began")
    start(alice, bob)
    two = seal(alice, bob, "reads elsewhere")
    refuse(
        "SenderMismatch", two, "as another device's", said=said_of(two.payload, sender_device_id=an_other())
    )
    refuse("SenderMismatch", two, "as another user's", said=said_of(two.payload, sender_id=an_other()))
    refuse("ReflectedMessage", two, "as one's own", said=said_of(two.payload, sender_device_id=bob.device_id))
    read(two)
    return s


def an_other() -> str:
    return "00000000-0000-4000-8000-000000000000"


def refiled() -> Script:
    s = Script("refiled", "The server says otherwise of a message than its sender did inside.")
    alice, bob = pair(s)
    one = seal(bob, alice, "here")
    refuse("ConversationMismatch", one, said=said_of(one.payload, conversation_id=an_other()))
    refuse("ClientIdMismatch", one, said=said_of(one.payload, client_id=an_other()))
    refuse("KindMismatch", one, said=said_of(one.payload, kind="control"))
    everything = said_of(one.payload, conversation_id=an_other(), client_id=an_other(), kind="file")
    refuse("ConversationMismatch", one, "the first that differs is named", said=everything)
    read(one, "nothing was used up; the sender's account is gone", said=said_of(one.payload, sender_id=None))
    payload = bob.payload("inside another's name", sender_id=an_other())
    s.refused("SenderMismatch", "seal", device="bob", peer=alice.ids, payload=payload)
    return s


def far_ahead() -> Script:
    s = Script("far ahead", "A thousand messages may be missing, and a thousand keys are kept.")
    alice, bob = pair(s)
    early = [seal(bob, alice, f"{number}") for number in range(5)]
    s.do("seal_often", device="bob", peer=alice.ids, payload=bob.payload("lost"), times=996)
    late = [seal(bob, alice, f"late {number}") for number in range(2)]
    refuse("TooFarAhead", late[1])
    read(early[0])
    read(late[0], "leaps over 1,000")
    read(late[1])
    read(early[1])
    turn = seal(alice, bob, "a turn")
    read(turn)
    s.do("seal_often", device="alice", peer=bob.ids, payload=alice.payload("lost"), times=1_001)
    last = seal(alice, bob, "after 1,001 that are lost")
    refuse("TooFarAhead", last)
    more = [seal(bob, alice, f"more {number}") for number in range(3)]
    read(more[2], "two keys more: the oldest that is kept goes")
    refuse("AuthenticationFailed", early[2], "its key went")
    read(early[3])
    read(seal(alice, bob, "what the chain before lacks is not worked out"))
    refuse("TooFarAhead", last, "so it never opens")
    return s


def before_an_answer() -> Script:
    s = Script("before an answer", "What comes in a session in which the peer has not written yet.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=1, kem=1)
    session = start(alice, bob)
    one = seal(alice, bob, "first")
    for note, ratchet_key in (
        ("under the key that the session was begun with", bob.made["signed_prekey.public_key"]),
        ("under one of small order", ZEROS),
    ):
        head = {"bytes": {"bytes": "0101", "then": session["session_id"]}, "then": ratchet_key}
        forged = Letter(bob, alice, "", bob.payload("forged"))
        for number in ("00000000", "00001000"):
            rest = "00000000" + number + "00" * 64
            refuse("AuthenticationFailed", forged, note, envelope={"bytes": head, "then": rest})
    read(one)
    read(seal(bob, alice, "the answer"))
    return s
