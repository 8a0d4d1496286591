"""A long random scenario: three users, five devices, and a network that loses, repeats, reorders and changes.

It is made by the core and kept nowhere; each seed is another one.
"""

import random as pseudo
from typing import Any

from tests.client.scenarios.cast import CONVERSATION, NOW, Actor, Letter, an_id, key_of, said_of
from tests.client.scenarios.script import Script

NAMES = ("alice1", "alice2", "bob1", "bob2", "carol1")
KEPT = 40  # letters that are remembered, to be late or repeated


class Story:
    """What happens; `self.chance` says what next."""

    def __init__(self, seed: int) -> None:
        self.script = Script(f"long {seed}", "A long random one.", seed)
        self.chance = pseudo.Random(seed)
        self.actors = [Actor.enter(self.script, name, one_time=8, kem=4) for name in NAMES]
        self.now = NOW
        self.letters: list[Letter] = []
        self.begun: set[tuple[str, str]] = set()
        self.chains: dict[str, int] = {}
        self.contents: list[tuple[Actor, str, str]] = []
        self.keys: list[tuple[Actor, str, dict[str, Any], str]] = []
        self.changes: list[tuple[str, str, int]] = []
        self.places: list[list[Any]] = []
        self.lists: dict[str, list[str]] = {}
        self.refusals: dict[str, int] = {}
        for account in ("alice", "bob", "carol"):
            self.script.do("account", account=account)
        for actor in self.actors:
            self._roster("begin_roster", actor, version=1, members=self._first(), seq=1)

    def _first(self) -> list[dict[str, str]]:
        roles = {"alice": "owner", "bob": "admin", "carol": "member"}
        return [
            {"user_id": an_id(one), "account_key": key_of(one), "role": role} for one, role in roles.items()
        ]

    def _pair(self) -> tuple[Actor, Actor]:
        one, other = self.chance.sample(self.actors, 2)
        return one, other

    def _try(self, verb: str, **arguments: Any) -> Any:
        done, error = self.script.attempt(verb, **arguments)
        if error is not None:
            self.refusals[error] = self.refusals.get(error, 0) + 1
            return None
        return done

    def run(self, steps: int) -> dict[str, Any]:
        """So many steps, at least."""
        ways = [
            (self.start, 3),
            (self.write, 18),
            (self.deliver, 26),
            (self.damage, 5),
            (self.new_chain, 1),
            (self.give_chain, 4),
            (self.say, 10),
            (self.hear, 16),
            (self.change_roster, 4),
            (self.hear_change, 6),
            (self.sign_list, 2),
            (self.learn_list, 4),
            (self.see, 4),
            (self.count, 8),
            (self.ask, 3),
            (self.age, 2),
        ]
        while len(self.script.steps) < steps:
            way = self.chance.choices([one for one, _ in ways], [weight for _, weight in ways])[0]
            self.now += self.chance.randrange(600)
            way()
        return self.script.scenario

    # pairwise

    def start(self) -> None:
        sender, receiver = self._pair()
        self.begin(sender, receiver)

    def begin(self, sender: Actor, receiver: Actor) -> None:
        bundle = receiver.bundle(one_time=self.chance.random() < 0.8, kem=self.chance.random() < 0.5)
        self._try("start", device=sender.name, bundle=bundle, now=self.now)
        self.begun.add((sender.name, receiver.name))

    def write(self) -> None:
        sender, receiver = self._pair()
        there = [pair for pair in self.begun if sender.name in pair]
        if (sender.name, receiver.name) not in self.begun:
            if there and self.chance.random() < 0.8:
                pair = self.chance.choice(sorted(there))
                sender, receiver = (next(one for one in self.actors if one.name == name) for name in pair)
            else:
                self.begin(sender, receiver)
        payload = sender.payload("x" * self.chance.choice((0, 5, 40, 300)))
        done = self._try("seal", device=sender.name, peer=receiver.ids, payload=payload)
        if done is not None:
            self.letters = [*self.letters, Letter(sender, receiver, done["envelope"], payload)][-KEPT:]

    def _open(self, letter: Letter, **other: Any) -> None:
        arguments = {
            "device": letter.receiver.name,
            "peer": letter.sender.peer,
            "envelope": letter.envelope,
            "said": said_of(letter.payload),
            "now": self.now,
        }
        if self._try("open", **{**arguments, **other}) is not None:
            self.begun.add((letter.receiver.name, letter.sender.name))

    def deliver(self) -> None:
        """One of the last ones; now and then it stays, so that it comes again."""
        if self.letters:
            letter = self.chance.choice(self.letters)
            self._open(letter)
            if self.chance.random() < 0.8:
                self.letters.remove(letter)

    def damage(self) -> None:
        if not self.letters:
            return
        letter = self.chance.choice(self.letters)
        how = self.chance.randrange(4)
        if how == 0:
            change = [self.chance.randrange(1_700), f"{self.chance.randrange(1, 256):02x}"]
            self._open(letter, envelope={"bytes": letter.envelope, "xor": change})
        elif how == 1:
            self._open(letter, envelope={"bytes": letter.envelope, "take": self.chance.randrange(1_800)})
        elif how == 2:
            self._open(letter, said=said_of(letter.payload, kind="control"))
        else:
            turned = Letter(letter.receiver, letter.sender, letter.envelope, letter.receiver.payload(""))
            self._open(turned)

    # a group

    def new_chain(self) -> None:
        sender = self.chance.choice(self.actors)
        number = self.chains[sender.name] = self.chains.get(sender.name, 0) + 1
        self._try(
            "chain",
            chain=f"{sender.name} {number}",
            device=sender.name,
            conversation_id=CONVERSATION,
            now=self.now,
        )

    def _chain(self) -> tuple[Actor, str] | None:
        there = [one for one in self.actors if one.name in self.chains]
        if not there:
            self.new_chain()
            return None
        sender = self.chance.choice(there)
        return sender, f"{sender.name} {self.chains[sender.name]}"

    def give_chain(self) -> None:
        found = self._chain()
        if found is None:
            return
        sender, chain = found
        key = self._try("distribute", chain=chain, number=1)
        payload = sender.payload("", kind="control", number=0)
        sender_key = {
            name: key[name] for name in ("chain_id", "iteration", "chain_key", "signature_key", "number")
        }
        for reader in self.actors:
            if reader is not sender and self.chance.random() < 0.7:
                self._try(
                    "take_chain",
                    device=reader.name,
                    of={"conversation_id": CONVERSATION, **sender.ids},
                    sender_key=sender_key,
                    payload=payload,
                    member=self.chance.random() < 0.9,
                )

    def say(self) -> None:
        found = self._chain()
        if found is None:
            return
        sender, chain = found
        payload = sender.payload("to all")
        done = self._try("group_seal", chain=chain, device=sender.name, payload=payload)
        self.contents = [*self.contents, (sender, done["content"], payload)][-KEPT:]

    def hear(self) -> None:
        if not self.contents:
            return
        sender, content, payload = self.chance.choice(self.contents)
        reader = self.chance.choice(self.actors)
        read: Any = content
        if self.chance.random() < 0.1:
            read = {"bytes": content, "xor": [self.chance.randrange(100), "04"]}
        of = {"conversation_id": CONVERSATION, **sender.ids}
        self._try("group_open", device=reader.name, of=of, content=read, said=said_of(payload))

    # rosters, each kept by a device

    def _roster(self, verb: str, actor: Actor, **arguments: Any) -> Any:
        return self._try(verb, at=actor.name, conversation_id=CONVERSATION, **arguments)

    def change_roster(self) -> None:
        actor = self.chance.choice(self.actors)
        about = self.chance.choice(("alice", "bob", "carol", "dave", "erin"))
        role = self.chance.choice(("admin", "member", "member"))
        put = [{"user_id": an_id(about), "account_key": key_of(about), "role": role}]
        remove: list[str] = []
        if self.chance.random() < 0.4:
            put, remove = [], [an_id(about)]
        done = self._roster("make_change", actor, put=put, remove=remove)
        seq = 10 + len(self.changes) + self.chance.randrange(3)
        self.changes = [*self.changes, (done["change"], actor.user_id, seq)]

    def hear_change(self) -> None:
        for change, author, seq in self.changes[-self.chance.randrange(1, 4) :]:
            self._roster(
                "take_change", self.chance.choice(self.actors), change=change, author=author, seq=seq
            )

    # lists, seen, numbers, questions

    def sign_list(self) -> None:
        user = self.chance.choice(("alice", "bob", "carol"))
        devices = {
            one.device_id: one.made["identity_key"]
            for one in self.actors
            if one.user_id == an_id(user) and self.chance.random() < 0.8
        }
        version = len(self.lists.get(user, [])) + 1
        done = self._try("sign_list", account=user, user_id=an_id(user), version=version, devices=devices)
        self.lists.setdefault(user, []).append(done["list"])

    def learn_list(self) -> None:
        if self.lists:
            user = self.chance.choice(sorted(self.lists))
            given = self.chance.choice(self.lists[user][-3:])
            asked = self.chance.choice(self.actors)
            items = [{"device_id": asked.device_id, "identity_key": asked.made["identity_key"]}]
            self._try(
                "learn", user_id=an_id(user), device_list=given, items=items, policy="warn", now=self.now
            )
            of_it = {
                "user_id": an_id(user),
                "device_id": asked.device_id,
                "content": self.chance.random() < 0.7,
                "now": self.now,
            }
            self._try("wrote", **of_it, list_version=self.chance.randrange(5))

    def see(self) -> None:
        for _ in range(self.chance.randrange(1, 4)):
            seq = (self.places[-1][0] if self.places else 0) + self.chance.choice((1, 1, 1, 1, 1, 1, 1, 2))
            author = self.chance.choice(self.actors)
            self.places.append([seq, author.device_id, an_id(f"{self.script.name} {seq}")])
        held = self.places[: len(self.places) - self.chance.randrange(3)]
        done = self._try("seen", conversation_id=CONVERSATION, places=held[-35:])
        if done.gives["seen"] is not None:
            first, last = (done.gives["seen"][name] for name in ("from", "seq"))
            own = [place for place in self.places if first <= place[0] <= last]
            if self.chance.random() < 0.3:
                own[0] = [own[0][0], own[0][1], an_id("another")]
            arguments = {"conversation_id": CONVERSATION, "seq": last + self.chance.randrange(3)}
            self._try("compare_seen", seen=done["seen"], places=own, **arguments)

    def count(self) -> None:
        of = self.chance.choice(NAMES)
        where = self.chance.randrange(1, 12 + len(self.script.steps) // 40)
        self._try("number", of=of, number=where, waiting=self.chance.random() < 0.3)
        if self.chance.random() < 0.1:
            self._try("questions_ended", of=of)

    def ask(self) -> None:
        if self.letters:
            letter = self.chance.choice(self.letters)
            said = said_of(letter.payload)
            self._try("ask_again", device=letter.receiver.name, said=said, seq=1, now=self.now)
            self._try("asked", device=letter.receiver.name, now=self.now)

    def age(self) -> None:
        actor = self.chance.choice(self.actors)
        self.now += self.chance.randrange(86_400)
        done = self._try("new_signed_prekey", device=actor.name, now=self.now)
        actor.signed = done["signed_prekey"]
        peer = self.chance.choice(self.actors)
        self._try("sessions", device=actor.name, peer=peer.ids, now=self.now)
        self._try("may_repair", device=actor.name, peer=peer.ids, now=self.now)


def long_scenario(seed: int, steps: int = 1_000) -> tuple[dict[str, Any], dict[str, int]]:
    """The scenario of a seed, and how often each refusal stands in it."""
    story = Story(seed)
    return story.run(steps), story.refusals
