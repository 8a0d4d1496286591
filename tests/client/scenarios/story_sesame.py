"""Several sessions with one device, first messages that are remembered, prekeys that age."""

from collections.abc import Iterator

from tests.client.scenarios.cast import DAY, NOW, Actor, Letter, read, refuse, seal, start
from tests.client.scenarios.script import Script


def stories() -> Iterator[Script]:
    yield both_first()
    yield five()
    yield replayed_first()
    yield memory()
    yield ages()
    yield repairs()


def there(device: Actor, peer: Actor, note: str = "", now: int = NOW) -> None:
    device.script.do("sessions", note, device=device.name, peer=peer.ids, now=now)


def both_first() -> Script:
    s = Script("both write first", "Two who begin at the same time read both, and soon write in one session.")
    alice, bob = Actor.enter(s, "alice", kem=1), Actor.enter(s, "bob", one_time=1)
    start(alice, bob)
    start(bob, alice)
    one, other = seal(alice, bob, "from alice"), seal(bob, alice, "from bob")
    read(one)
    read(other)
    there(alice, bob)
    there(bob, alice)
    read(seal(alice, bob, "in the session that bob began"))
    read(seal(bob, alice, "which is the active one on both sides"))
    there(alice, bob)
    there(bob, alice)
    return s


def five() -> Script:
    s = Script("five sessions", "At most five are kept; one that both sides have used is the last to go.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=8)
    start(alice, bob)
    used = seal(alice, bob, "the session that is used")
    read(used)
    answer = seal(bob, alice, "answered")
    letters: list[Letter] = []
    for number in range(4):
        start(alice, bob)
        letters.append(seal(alice, bob, f"begun anew {number}"))
    there(alice, bob, "five: the first one is the last")
    read(answer, "both have used the first one now, and it is active")
    start(alice, bob)
    there(alice, bob, "a sixth: of those that were never answered the last one went")
    for number in range(2):
        start(alice, bob)
    there(alice, bob, "the used one stays")
    for letter in letters:
        read(letter)
    there(bob, alice, "five on the other side")
    read(seal(alice, bob, "in the newest"))
    there(bob, alice, "six are five there, too; the one both have used stays")
    read(seal(bob, alice, "answered in it"))
    refuse("NoSession", Letter(alice, bob, "0101" + "22" * 16 + "00" * 60, letters[0].payload))
    lost = seal(bob, alice, "in the active one")
    for number in range(3):
        start(alice, bob, one_time=False)
        read(seal(alice, bob, f"again {number}"))
        read(seal(bob, alice, f"and back {number}"))
    read(lost, "a late one makes its session the active one")
    there(alice, bob)
    there(bob, alice)
    return s


def replayed_first() -> Script:
    s = Script("first messages again", "A first message opens once, also when its session is gone.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=8, kem=1)
    start(alice, bob)
    keyed = seal(alice, bob, "with one-time keys of both kinds")
    read(keyed)
    start(alice, bob, one_time=False)
    bare = seal(alice, bob, "with none")
    unread = seal(alice, bob, "in the same session, and held back")
    read(bare)
    refuse("ReplayedMessage", bare)
    for number in range(5):
        start(alice, bob)
        read(seal(alice, bob, f"pushes the old ones out {number}"))
    refuse("UnknownPrekey", keyed, "its one-time prekey is gone")
    refuse("ReplayedFirstMessage", bare, "it is remembered")
    refuse("ReplayedFirstMessage", unread, "which can't be told from a replay, and may be asked for")
    s.do("new_signed_prekey", device="bob", now=NOW + DAY)
    refuse("ReplayedFirstMessage", bare, "as long as the signed prekey is kept")
    s.do("new_signed_prekey", device="bob", now=NOW + 31 * DAY - 1)
    refuse("ReplayedFirstMessage", bare, "which is a second less than 30 days after it retired")
    s.do("new_signed_prekey", device="bob", now=NOW + 31 * DAY)
    refuse("UnknownPrekey", bare, "and not then")
    return s


def memory() -> Script:
    s = Script("memory for first messages", "Fifty of one device are remembered, and further ones refused.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=1)
    bundle = bob.bundle(one_time=False)
    for number in range(50):
        s.do("start", device="alice", bundle=bundle, now=NOW)
        read(seal(alice, bob, f"{number}"))
    s.do("start", device="alice", bundle=bundle, now=NOW)
    refuse("ReplayMemoryFull", seal(alice, bob, "one too many"))
    start(alice, bob)
    read(seal(alice, bob, "one with a one-time prekey is taken"))
    s.do("signed_prekey_due", "not half full", device="bob", now=NOW + DAY)
    s.do("new_signed_prekey", device="bob", now=NOW + DAY)
    s.do("new_signed_prekey", device="bob", now=NOW + 31 * DAY)
    bob.signed = f"${len(s.steps) - 1}.signed_prekey"
    start(alice, bob)
    read(seal(alice, bob, "there is room again"))
    return s


def ages() -> Script:
    s = Script(
        "ages of prekeys", "A signed prekey is replaced after a week and kept for 30 days, at most eight."
    )
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=1)
    letters = []
    for number in range(3):
        start(alice, bob, one_time=False)
        letters.append(seal(alice, bob, f"begun with the first keys {number}"))
    s.do("signed_prekey_due", device="bob", now=NOW + 7 * DAY - 1)
    s.do("signed_prekey_due", device="bob", now=NOW + 7 * DAY)
    s.do("new_signed_prekey", device="bob", now=NOW + 7 * DAY)
    bob.more_kem(0, last_resort=True, now=NOW + 7 * DAY)
    read(letters[0], "late, with retired keys")
    for number in range(6):
        s.do("new_signed_prekey", device="bob", now=NOW + (8 + number) * DAY)
        bob.more_kem(0, last_resort=True, now=NOW + (8 + number) * DAY)
    read(letters[1], "the first of eight")
    bob.more_kem(0, last_resort=True, now=NOW + 14 * DAY)
    refuse("UnknownPrekey", letters[2], "its last-resort KEM prekey was the ninth")
    s.do("new_signed_prekey", device="bob", now=NOW + 14 * DAY)
    refuse("UnknownPrekey", letters[2], "and its signed prekey, too")
    start(alice, bob, now=NOW)
    there(alice, bob, "never answered", now=NOW + 20 * DAY - 1)
    there(alice, bob, "for 20 days", now=NOW + 20 * DAY)
    return s


def repairs() -> Script:
    s = Script("repairs", "What can't be decrypted begins three sessions at once, then one an hour.")
    alice, bob = Actor.enter(s, "alice"), Actor.enter(s, "bob", one_time=1)
    for seconds in (
        0,
        1,
        2,
        3,
        3_599,
        3_602,
        3_603,
        7_201,
        7_202,
        10_801,
        10_802,
        30_000,
        30_000,
        30_001,
        30_002,
    ):
        s.do("may_repair", device="alice", peer=bob.ids, now=NOW + seconds)
    there(alice, bob, "there is none")
    s.do("renew", device="alice", peer=bob.ids)
    start(alice, bob)
    read(seal(alice, bob, "begun"))
    read(seal(bob, alice, "answered"))
    there(alice, bob)
    s.do("renew", "the profile was restored from an older copy", device="alice", peer=bob.ids)
    there(alice, bob, "those that stand are not written in")
    start(alice, bob)
    there(alice, bob)
    return s
