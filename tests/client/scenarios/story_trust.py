"""Account keys, device lists, contacts and new devices."""

from collections.abc import Iterator
from typing import Any

from messenger.client.e2e.primitives import ed25519_public
from tests.client.scenarios.cast import DAY, NOW, Actor, an_id, key_of
from tests.client.scenarios.script import Done, Script

BOB = an_id("bob")
PHONE, TABLET, LAPTOP = (an_id(f"device {name}") for name in ("phone", "tablet", "laptop"))
KEYS = {PHONE: key_of("phone"), TABLET: key_of("tablet"), LAPTOP: key_of("laptop")}


def stories() -> Iterator[Script]:
    yield lists()
    yield bad_lists()
    yield account_keys()
    yield bundles()
    yield many_devices()
    yield contacts()
    yield new_device()


def sign(s: Script, version: int, *devices: str, account: str = "bob", **keys: str) -> Done:
    named = {one: KEYS[one] for one in devices}
    return s.do("sign_list", account=account, user_id=BOB, version=version, devices={**named, **keys})


def learn(s: Script, given: Any, note: str = "", items: Any = (), policy: str = "warn") -> Done:
    made = given["list"] if isinstance(given, Done) else given
    named = [{"device_id": one, "identity_key": key} for one, key in dict(items).items()]
    return s.do("learn", note, user_id=BOB, device_list=made, items=named, policy=policy, now=NOW)


def wrote(s: Script, device: str, list_version: int, refused: str = "", **other: Any) -> None:
    arguments = {
        "user_id": BOB,
        "device_id": device,
        "list_version": list_version,
        "content": True,
        "now": NOW,
    }
    if refused:
        s.refused(refused, "wrote", **{**arguments, **other})
    else:
        s.do("wrote", **{**arguments, **other})


def lists() -> Script:
    s = Script("device lists", "A list that rises, devices that come and go, older and other lists.")
    s.do("account", account="bob")
    learn(s, None, "nothing is known, and the server lists a device", items={PHONE: KEYS[PHONE]})
    one = sign(s, 1, PHONE)
    learn(s, one, "the first", items={PHONE: KEYS[PHONE]})
    learn(s, one, "again")
    two = sign(s, 2, PHONE, TABLET)
    learn(s, two, "the server lists one that is not signed", items={**KEYS})
    learn(s, one, "an older one")
    learn(s, sign(s, 2, PHONE), "another one of this version, and shorter")
    learn(s, sign(s, 2, PHONE, TABLET, LAPTOP), "another one of this version, and longer")
    wrote(s, TABLET, 2)
    learn(s, sign(s, 5, PHONE), "a device goes; versions may leap", items={TABLET: KEYS[TABLET]})
    s.do("listed", user_id=BOB, device_id=PHONE)
    s.refused("UnlistedDevice", "listed", "a tombstone", user_id=BOB, device_id=TABLET)
    s.refused("UnlistedDevice", "listed", "never seen", user_id=BOB, device_id=LAPTOP)
    wrote(s, TABLET, 4)
    wrote(s, TABLET, 0, now=NOW + DAY - 1)
    wrote(s, TABLET, 0, "UnlistedDevice", now=NOW + DAY)
    wrote(s, TABLET, 5, "UnlistedDevice")
    wrote(s, TABLET, 4, "UnlistedDevice", content=False)
    wrote(s, LAPTOP, 1, "UnlistedDevice")
    wrote(s, PHONE, 0, content=False)
    other = {TABLET: key_of("another key")}
    learn(s, sign(s, 6, PHONE, **other), "a device with another key, also when it comes again")
    learn(s, sign(s, 6, PHONE, TABLET), "it comes again", items=other)
    wrote(s, TABLET, 9, content=False)
    learn(s, sign(s, 7), "no device any more")
    for version in (6, 7, 9, 8):
        s.do("name_list", "a payload of the user's names it", user_id=BOB, version=version)
    learn(s, sign(s, 8, PHONE), "the server holds the newest one back")
    learn(s, sign(s, 9, PHONE), "and gives it out")
    s.do("name_list", user_id=BOB, version=12)
    s.do("accept", "under a new account key versions begin anew", user_id=BOB, account_key=key_of("new"))
    return s


def bad_lists() -> Script:
    s = Script("forged lists", "Lists that are not signed by their account key, or are none.")
    s.do("account", account="bob")
    s.do("account", account="server")
    good = sign(s, 1, PHONE, TABLET)
    made = good.gives["list"]
    first, second = made["devices"]
    signature = good["list.signature"]

    def bad(note: str, **other: Any) -> None:
        learn(s, {**made, "signature": signature, **other}, note)

    bad("another signature", signature={"bytes": signature, "xor": [3, "01"]})
    bad("another version", version=2)
    bad("longer", devices=[first, second, {"device_id": LAPTOP, "identity_key": KEYS[LAPTOP]}])
    bad("shorter", devices=[first])
    bad("another account key", account_key=key_of("no key at all"))
    bad("another key of a device", devices=[first, {**second, "identity_key": key_of("other")}])
    bad("a device twice", devices=[first, first])
    bad("a key twice", devices=[first, {**second, "identity_key": first["identity_key"]}])
    bad("a key that is too short", devices=[first, {**second, "identity_key": "00"}])
    bad("an id that is none", devices=[first, {**second, "device_id": "tablet"}])
    bad("an id in capitals", devices=[first, {**second, "device_id": TABLET.upper()}])
    many = {an_id(f"device {number}"): key_of(f"{number}") for number in range(11)}
    learn(s, sign(s, 1, **many), "eleven devices")
    others = s.do("sign_list", account="bob", user_id=an_id("carol"), version=1, devices={PHONE: KEYS[PHONE]})
    learn(s, others, "another user's")
    bad("in another order: the signature is over the rising one", devices=[second, first])
    ten = dict(list(many.items())[:10])
    learn(s, sign(s, 2, **ten), "ten")
    return s


def account_keys() -> Script:
    s = Script("account keys", "Pinned at first use; changed, taken away, verified, accepted.")
    for name in ("bob", "new", "third"):
        s.do("account", account=name)
    new, third = "$1.account_key", "$2.account_key"
    s.refused("AccountKeyChanged", "verify", "nothing to be verified", user_id=BOB, verified=True)
    learn(s, sign(s, 3, PHONE))
    other = sign(s, 1, TABLET, account="new")
    learn(s, other, "not verified, and handled strictly", policy="refuse")
    learn(s, other, "told once", policy="refuse")
    s.refused("AccountKeyChanged", "listed", user_id=BOB, device_id=PHONE)
    wrote(s, PHONE, 3, "AccountKeyChanged")
    s.refused("AccountKeyChanged", "verify", "not while it is refused", user_id=BOB, verified=True)
    learn(s, sign(s, 3, PHONE), "the old key again")
    learn(s, None, "taken away")
    learn(s, None, "told once")
    learn(s, sign(s, 3, PHONE), "back")
    learn(s, other, "not verified: accepted and told, and versions begin anew")
    s.do("verify", user_id=BOB, verified=True)
    back = sign(s, 9, PHONE)
    learn(s, back, "verified: no setting weakens that")
    s.do("accept", "the user accepts another one", user_id=BOB, account_key=third)
    learn(s, back, "which was not verified")
    s.do("accept", "and accepts what there is", user_id=BOB, account_key=new)
    s.do("verify", user_id=BOB, verified=True)
    s.do("accept", "the same key keeps all", user_id=BOB, account_key=new)
    learn(s, other)
    learn(s, None, "taken away of a verified one")
    s.do("verify", "the mark may always be taken back", user_id=BOB, verified=False)
    learn(s, other, "there again")
    s.do("pin", "by a link", user_id=BOB, account_key=third)
    learn(s, None, "a key without any list yet: nothing to be told")
    learn(s, sign(s, 1, LAPTOP, account="third"), "its first list")
    return s


def bundles() -> Script:
    s = Script(
        "bundles by lists", "A session is begun with listed devices only, under the pinned account key."
    )
    bob = Actor.enter(s, "bob", one_time=1, kem=1)
    s.do("account", account="bob")
    s.do("account", account="new")
    good = bob.bundle()
    key = s.steps[0]["gives"]["identity_key"]

    def refused(name: str, note: str, **other: Any) -> None:
        s.refused(name, "check_bundle", note, user_id=BOB, bundle={**good, **other})

    refused("UnlistedDevice", "no list is known")
    learn(s, sign(s, 1, **{bob.device_id: key}))
    s.do("check_bundle", user_id=BOB, bundle=good)
    refused("SenderMismatch", "another user's", user_id=an_id("carol"))
    refused("UnlistedDevice", "another device", device_id=PHONE)
    refused("IdentityKeyChanged", "another identity key", identity_key=key_of("another"))
    refused("KemDowngrade", "without KEM", kem_prekey=None)
    signed = s.steps[0]["gives"]["signed_prekey"]
    wrong = {**signed, "public_key": {"bytes": signed["public_key"], "xor": [31, "01"]}}
    refused("BadPrekeySignature", "another signed prekey", signed_prekey=wrong)
    refused("BadPrekeySignature", "the signature comes first", signed_prekey=wrong, kem_prekey=None)
    s.do(
        "check_bundle",
        "one-time prekeys may be left out",
        user_id=BOB,
        bundle={**good, "one_time_prekey": None},
    )
    learn(s, sign(s, 2, PHONE))
    refused("UnlistedDevice", "it was removed")
    learn(s, sign(s, 3, **{bob.device_id: key}, account="new"), policy="refuse")
    refused("AccountKeyChanged", "another account key, not accepted")
    return s


def many_devices() -> Script:
    s = Script(
        "many devices", "A hundred devices of a user are remembered; of those that left, the first seen goes."
    )
    s.do("account", account="bob")
    names = sorted(an_id(f"device {number}") for number in range(102))
    for version in range(1, 11):
        ten = names[version * 10 - 10 : version * 10]
        learn(s, sign(s, version, **{name: key_of(name) for name in ten}))
    wrote(s, names[0], 0)
    learn(s, sign(s, 11, **{name: key_of(name) for name in names[91:101]}))
    wrote(s, names[0], 0, "UnlistedDevice")
    wrote(s, names[1], 0)
    return s


def contacts() -> Script:
    s = Script("contacts", "Safety numbers, links, and the own conversation.")
    a = {"user_id": an_id("alice"), "account_key": s.do("account", account="alice")["account_key"]}
    b = {"user_id": BOB, "account_key": s.do("account", account="bob")["account_key"]}
    s.do("safety_number", a=a, b=b)
    s.do("safety_number", "the same from the other side", a=b, b=a)
    for name in ("alice", "bob", "carol"):
        s.do("own_conversation", user_id=an_id(name))
    made = s.do("link", server="https://chat.example.org/", username="alice", **a)
    s.do("read_link", link=made["link"], **a)
    s.do("read_link", "another account key", link=made["link"], **{**a, "account_key": b["account_key"]})
    s.do("read_link", "another user", link=made["link"], **{**a, "user_id": BOB})
    port = s.do(
        "link", server="https://chat.example.org:8443", username="a-very.long_name-of-32-characters"[:32], **a
    )
    s.do("read_link", "with a space around", link=f" {port.gives['link']}\n", **a)
    link = made.gives["link"]
    server, fragment = link.split("/#contact=")

    def bad(note: str, text: str) -> None:
        s.refused("BadContactCode", "read_link", note, link=text, **a)

    bad("no link", "hello")
    bad("no server", f"/#contact={fragment}")
    bad("no fragment", f"{server}/#contact=")
    bad("another fragment", link.replace("#contact", "#device"))
    bad("cut", link[:-8])
    bad("not base64url", f"{server}/#contact={fragment[:10]}*{fragment[11:]}")
    bad("version 2", f"{server}/#contact=Ag{fragment[2:]}")
    for username in ("Alice", "al", "alice!", "a" * 33, "älice"):
        wrong = s.do("link", server=server, username=username, **a)
        s.refused("BadContactCode", "read_link", "no username", link=wrong["link"], **a)
    return s


def new_device() -> Script:
    s = Script("a new device", "The code that it shows, who is found by it, and the account key that comes.")
    phone, other = Actor.enter(s, "bob", last_resort=False), Actor.enter(s, "bob2", last_resort=False)
    s.do("account", account="bob")
    s.do("account", account="server")
    code = s.do("show_code", device="bob", now=NOW)
    text = code.gives["code"]

    def waiting(actor: Actor) -> dict[str, str]:
        return {"device_id": actor.device_id, "identity_key": actor.made["identity_key"]}

    both = [waiting(other), waiting(phone)]
    s.do("match_code", code=code["code"], user_id=BOB, waiting=both)
    s.do("match_code", "as it may be typed", code=text.lower().replace("-", " "), user_id=BOB, waiting=both)
    typed = text.replace("O", "0").replace("I", "1").replace("B", "8")
    s.do("match_code", "digits for the letters that look like them", code=typed, user_id=BOB, waiting=both)

    def no(note: str, **change: Any) -> None:
        arguments = {"code": text, "user_id": BOB, "waiting": both, **change}
        s.refused("CodeError", "match_code", note, **arguments)

    no("nobody waits", waiting=[])
    no("another waits", waiting=[waiting(other)])
    swapped = {**waiting(phone), "identity_key": other.made["identity_key"]}
    no("with another identity key", waiting=[swapped])
    no("another user's", user_id=an_id("carol"))
    no("mistyped", code=("B" if text[0] == "A" else "A") + text[1:])
    no("too short", code=text[:-1])
    no("no letter", code="9" + text[1:])
    made = s.do("grant", account="bob", code=code["code"], user_id=BOB, device=waiting(phone))
    taking = {"device": "bob", "seed": made["seed"], "proof": made["proof"], "now": NOW + 600}
    s.do("take_grant", **taking)
    s.refused("CodeExpired", "take_grant", "a second later", **{**taking, "now": NOW + 601})
    s.refused("CodeExpired", "take_grant", "from the future", **{**taking, "now": NOW - 1})
    wrong = {**taking, "proof": {"bytes": made["proof"], "xor": [0, "01"]}}
    s.refused("GrantRefused", "take_grant", "another proof", **wrong)
    s.refused("GrantRefused", "take_grant", "which comes before the age", **{**wrong, "now": NOW + 601})
    seed = "11" * 32
    assert ed25519_public(bytes.fromhex(seed))
    s.refused("GrantRefused", "take_grant", "another account key", **{**taking, "seed": seed})
    guessed = "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA"
    forged = s.do("grant", account="server", code=guessed, user_id=BOB, device=waiting(phone))
    s.refused("GrantRefused", "take_grant", "by another secret", **{**taking, "proof": forged["proof"]})
    s.do("show_code", "another code of another device", device="bob2", now=NOW)
    s.refused("GrantRefused", "take_grant", "another device's", **{**taking, "device": "bob2"})
    return s
