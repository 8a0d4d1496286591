"""The queue of what is to be sent: in order for each conversation, with its ciphertext once that was made.

A row's `draft` is written together with the ratchet states that made it, before it goes to the server, and is
sent again as it is until the server has answered. `targets` are the devices of a message for some only (JSON;
an empty list: the whole audience), null for one to everybody. `fresh` asks for a new session first. `again`
is how often it goes out after it was answered for already.
"""

import msgspec
from msgspec import Struct

from messenger.client.store.database import Database


class Target(Struct, frozen=True, kw_only=True):
    """A device that a message is for. A row of an older client has only its id."""

    device_id: str
    user_id: str = ""
    identity_key: bytes = b""


class Queued(Struct, kw_only=True):
    """One message to be sent."""

    position: int
    client_id: str
    conversation_id: str
    kind: str
    body: bytes
    targets: list[Target] | None
    fresh: bool
    number: int | None
    sent_at: str
    draft: bytes | None
    devices: list[str]
    attempts: int
    again: int


_COLUMNS = ", ".join(Queued.__struct_fields__)


class Outbox:
    """The table `outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        client_id: str,
        conversation_id: str,
        kind: str,
        body: bytes,
        sent_at: str,
        targets: list[Target] | None = None,
        fresh: bool = False,
    ) -> None:
        """One more."""
        self._database.run(
            """insert into outbox (client_id, conversation_id, kind, body, targets, fresh, sent_at)
               values (?, ?, ?, ?, ?, ?, ?)""",
            client_id,
            conversation_id,
            kind,
            body,
            None if targets is None else msgspec.json.encode(targets),
            int(fresh),
            sent_at,
        )

    def first(self, conversation_id: str) -> Queued | None:
        """The next one of a conversation: what is for some devices only goes before what is for all."""
        row = self._database.one(
            f"select {_COLUMNS} from outbox where conversation_id = ?"  # noqa: S608 - our own names
            " order by draft is null and again = 0, targets is null, position limit 1",
            conversation_id,
        )
        return None if row is None else _queued(row)

    def get(self, client_id: str) -> Queued | None:
        """One by its client_id."""
        row = self._database.one(
            f"select {_COLUMNS} from outbox where client_id = ?",  # noqa: S608 - our own names
            client_id,
        )
        return None if row is None else _queued(row)

    def waiting(self, conversation_id: str) -> list[str]:
        """Messages in a conversation that wait for some devices only, by client_id."""
        rows = self._database.all(
            "select client_id from outbox where conversation_id = ? and targets is not null"
            " order by position",
            conversation_id,
        )
        return [row[0] for row in rows]

    def conversations(self) -> list[str]:
        """Where something waits."""
        return [row[0] for row in self._database.all("select distinct conversation_id from outbox")]

    def count(self) -> int:
        """How many wait."""
        row = self._database.one("select count(*) from outbox")
        return 0 if row is None else int(row[0])

    def sealed(self, client_id: str, number: int, draft: bytes, devices: list[str]) -> None:
        """The ciphertext was made, for these devices."""
        self._database.run(
            "update outbox set number = ?, draft = ?, devices = ?, fresh = 0 where client_id = ?",
            number,
            draft,
            msgspec.json.encode(devices),
            client_id,
        )

    def tried(self, client_id: str) -> None:
        """It goes to the server now."""
        self._database.run("update outbox set attempts = attempts + 1 where client_id = ?", client_id)

    def unseal(self, client_id: str) -> None:
        """The server refused the ciphertext: another is made."""
        self._database.run("update outbox set draft = null, devices = null where client_id = ?", client_id)

    def bodies(self) -> list[tuple[str, bytes, bool]]:
        """Messages between devices: client_id, body, and whether it was sealed."""
        rows = self._database.all(
            "select client_id, body, draft is not null from outbox"
            " where kind = 'control' and targets is not null"
        )
        return [(row[0], bytes(row[1]), bool(row[2])) for row in rows]

    def blank(self, client_id: str, body: bytes) -> None:
        """Have nothing here of what a sealed message says."""
        self._database.run("update outbox set body = ? where client_id = ?", body, client_id)

    def remove(self, client_id: str) -> None:
        """It is done with."""
        self._database.run("delete from outbox where client_id = ?", client_id)


_targets = msgspec.json.Decoder(list[Target | str])


def _target(found: Target | str) -> Target:
    return Target(device_id=found) if isinstance(found, str) else found


def _queued(row: tuple[object, ...]) -> Queued:
    values = dict(zip(Queued.__struct_fields__, row, strict=True))
    raw, devices = values["targets"], values["devices"]
    values["targets"] = None if raw is None else [_target(one) for one in _targets.decode(bytes(raw))]  # type: ignore[call-overload]
    values["devices"] = [] if devices is None else msgspec.json.decode(bytes(devices))  # type: ignore[call-overload]
    values["fresh"] = bool(values["fresh"])
    return Queued(**values)  # type: ignore[arg-type]
