"""People and devices of the scenarios, and the steps that most of them begin with."""

import json
import random as pseudo
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.client.scenarios.script import Done, Script

NOW = 1_800_000_000
DAY = 86_400
SENT_AT = "2027-01-15T08:00:00.000Z"


def an_id(name: str) -> str:
    """The same UUID for a name in each run."""
    return str(UUID(int=pseudo.Random(name).getrandbits(128), version=4))


def key_of(name: str) -> str:
    """32 bytes for a name, where any will do."""
    return pseudo.Random(f"key {name}").randbytes(32).hex()


CONVERSATION = an_id("conversation")


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass
class Actor:
    """A device in a script."""

    script: Script
    name: str
    user_id: str
    device_id: str
    made: Done
    seed: str
    signed: str
    one_time: list[str] = field(default_factory=list)
    kem: list[str] = field(default_factory=list)
    last_resort: str | None = None
    number: int = 0

    @classmethod
    def enter(
        cls, script: Script, name: str, *, one_time: int = 0, kem: int = 0, last_resort: bool = True
    ) -> "Actor":
        """A new device; its user is the name up to a digit."""
        user_id, device_id = an_id(name.rstrip("0123456789")), an_id(f"device {name}")
        made = script.do("device", device=name, user_id=user_id, device_id=device_id, now=NOW)
        seed = script.steps[-1]["random"][0]
        actor = cls(script, name, user_id, device_id, made, seed, made["signed_prekey"])
        if one_time:
            actor.more_one_time(one_time)
        if kem or last_resort:
            actor.more_kem(kem, last_resort)
        return actor

    def more_one_time(self, count: int) -> None:
        done = self.script.do("one_time_prekeys", device=self.name, count=count)
        self.one_time += [done[f"prekeys.{index}"] for index in range(count)]

    def more_kem(self, count: int, last_resort: bool = False, now: int = NOW) -> None:
        done = self.script.do("kem_prekeys", device=self.name, count=count, last_resort=last_resort, now=now)
        self.kem += [done[f"prekeys.{index}"] for index in range(count)]
        self.last_resort = done["last_resort"] if last_resort else self.last_resort

    @property
    def peer(self) -> dict[str, Any]:
        """What others know of it."""
        return {
            "user_id": self.user_id,
            "device_id": self.device_id,
            "identity_key": self.made["identity_key"],
        }

    @property
    def ids(self) -> dict[str, str]:
        return {"user_id": self.user_id, "device_id": self.device_id}

    def bundle(self, *, one_time: bool = True, kem: bool = True) -> dict[str, Any]:
        """A bundle that uses up what there is; the flags leave one-time keys in."""
        return {
            **self.peer,
            "signed_prekey": self.signed,
            "one_time_prekey": self.one_time.pop(0) if one_time and self.one_time else None,
            "kem_prekey": self.kem.pop(0) if kem and self.kem else self.last_resort,
        }

    def payload(self, text: str, **other: Any) -> str:
        """A payload of this device, as JSON."""
        self.number += 1
        said = {
            "conversation_id": CONVERSATION,
            "sender_id": self.user_id,
            "sender_device_id": self.device_id,
            "client_id": an_id(f"{self.name} {self.number}"),
            "kind": "text",
            "number": self.number,
            "sent_at": SENT_AT,
            "list_version": 1,
            "body": {"type": "text", "text": text},
        }
        return compact({**said, **other})


def said_of(payload: str, **other: Any) -> dict[str, Any]:
    """What an honest server says of a message, but for what is given."""
    whole = json.loads(payload)
    names = ("conversation_id", "sender_id", "sender_device_id", "client_id", "kind")
    return {**{name: whole[name] for name in names}, **other}


@dataclass
class Letter:
    """An envelope under way."""

    sender: Actor
    receiver: Actor
    envelope: str
    payload: str


def seal(sender: Actor, receiver: Actor, text: str, note: str = "") -> Letter:
    """A message in the active session."""
    payload = sender.payload(text)
    done = sender.script.do("seal", note, device=sender.name, peer=receiver.ids, payload=payload)
    return Letter(sender, receiver, done["envelope"], payload)


def opening(letter: Letter, **other: Any) -> dict[str, Any]:
    """The arguments of `open` for a letter."""
    found = {
        "device": letter.receiver.name,
        "peer": letter.sender.peer,
        "envelope": letter.envelope,
        "said": said_of(letter.payload),
        "now": NOW,
    }
    return {**found, **other}


def read(letter: Letter, note: str = "", **other: Any) -> Done:
    """A letter is opened."""
    done = letter.sender.script.do("open", note, **opening(letter, **other))
    assert done.gives["payload"] == letter.payload
    return done


def refuse(name: str, letter: Letter, note: str = "", **other: Any) -> None:
    """A letter is refused by this error."""
    letter.sender.script.refused(name, "open", note, **opening(letter, **other))


def start(sender: Actor, receiver: Actor, *, now: int = NOW, **flags: bool) -> Done:
    """A session is begun."""
    return sender.script.do("start", device=sender.name, bundle=receiver.bundle(**flags), now=now)
