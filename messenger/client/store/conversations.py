"""Conversations, their members, and the users that were met."""

import time

from msgspec import Struct

from messenger.client.store.database import Database
from messenger.wire.conversations import Conversation, Member

PLACES_KEPT = 10_000  # of a conversation: who wrote at its latest seqs


class Row(Struct, kw_only=True):
    """A conversation as it is stored. `place` and `change_place` are how far this device has come; what lies
    from `doubt_from` on is in doubt until `doubt_until`, in seconds since 1970."""

    conversation_id: str
    type: str
    title: str
    peer_id: str | None
    metadata: bytes | None
    metadata_key: bytes | None
    message_ttl: int | None
    role: str
    created_at: str
    updated_at: str
    ended: int
    place: int | None
    change_place: int | None
    read_seq: int
    next_number: int
    activity: int
    expires_in: int | None
    legacy: int
    doubt_from: int | None
    doubt_until: int | None


_COLUMNS = ", ".join(Row.__struct_fields__)


class MemberRow(Struct, kw_only=True):
    """A member as it is stored; `gone` ones are kept, because their messages are."""

    user_id: str
    role: str
    joined_at: str
    delivered_seq: int
    read_seq: int
    gone: int


class Conversations:
    """The tables `conversations`, `members`, `people` and `places`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, conversation_id: str) -> Row | None:
        """A conversation."""
        row = self._database.one(
            f"select {_COLUMNS} from conversations where conversation_id = ?",  # noqa: S608 - our own names
            conversation_id,
        )
        return None if row is None else Row(**dict(zip(Row.__struct_fields__, row, strict=True)))

    def all(self) -> list[Row]:
        """All, those with the latest activity first."""
        rows = self._database.all(
            f"select {_COLUMNS} from conversations"  # noqa: S608 - our own names
            " order by activity desc, conversation_id"
        )
        return [Row(**dict(zip(Row.__struct_fields__, row, strict=True))) for row in rows]

    def shown(self) -> list[Row]:
        """All but that of one's own devices, those with the latest activity first."""
        return [one for one in self.all() if one.type != "self"]

    def take(self, said: Conversation) -> bool:
        """Write down what the server says about a conversation; whether it was new."""
        new = self.get(said.conversation_id) is None
        self._database.run(
            """insert into conversations
                   (conversation_id, type, metadata, message_ttl, role, created_at, updated_at, ended,
                   read_seq)
               values (?, ?, ?, ?, ?, ?, ?, ?, ?)
               on conflict (conversation_id) do update set
                   metadata = excluded.metadata, message_ttl = excluded.message_ttl, role = excluded.role,
                   updated_at = excluded.updated_at, ended = excluded.ended,
                   read_seq = max(read_seq, excluded.read_seq)""",
            said.conversation_id,
            said.type,
            said.metadata,
            said.message_ttl,
            said.role,
            said.created_at,
            said.updated_at,
            int(said.ended_at is not None),
            said.read_seq,
        )
        return new

    def set(self, conversation_id: str, **values: object) -> None:
        """Set columns of a conversation."""
        assert set(values) <= set(Row.__struct_fields__)
        names = ", ".join(f"{name} = ?" for name in values)
        self._database.run(
            f"update conversations set {names} where conversation_id = ?",  # noqa: S608 - our own names
            *values.values(),
            conversation_id,
        )

    def touch(self, conversation_id: str, activity: int) -> None:
        """Something was said, at this time (milliseconds since 1970)."""
        self._database.run(
            "update conversations set activity = max(activity, ?) where conversation_id = ?",
            activity,
            conversation_id,
        )

    def legacy(self) -> list[Row]:
        """The groups from before rosters whose members were not looked at yet."""
        return [one for one in self.all() if one.legacy and one.type == "group"]

    # places

    def place(self, conversation_id: str, seq: int) -> tuple[str, str] | None:
        """Who wrote at a seq, as (sender device, client_id)."""
        row = self._database.one(
            "select sender_device_id, client_id from places where conversation_id = ? and seq = ?",
            conversation_id,
            seq,
        )
        return None if row is None else (row[0], row[1])

    def places(self, conversation_id: str, first: int, last: int) -> list[tuple[int, str, str]]:
        """What is known of the seqs from first to last: (seq, sender device, client_id), rising."""
        rows = self._database.all(
            "select seq, sender_device_id, client_id from places"
            " where conversation_id = ? and seq between ? and ? order by seq",
            conversation_id,
            first,
            last,
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def place_of(self, conversation_id: str, device_id: str, client_id: str) -> int | None:
        """The latest seq at which a device wrote a message of this client_id, as far as remembered."""
        row = self._database.one(
            "select max(seq) from places"
            " where conversation_id = ? and sender_device_id = ? and client_id = ?",
            conversation_id,
            device_id,
            client_id,
        )
        return None if row is None else row[0]

    def put_place(self, conversation_id: str, seq: int, device_id: str, client_id: str) -> None:
        """Remember who wrote at a seq; what is far behind is forgotten."""
        self._database.run(
            "insert or ignore into places (conversation_id, seq, sender_device_id, client_id, taken_at)"
            " values (?, ?, ?, ?, ?)",
            conversation_id,
            seq,
            device_id,
            client_id,
            int(time.time()),
        )
        if seq % 1_000 == 0:
            self._database.run(
                "delete from places where conversation_id = ? and seq <= ?",
                conversation_id,
                seq - PLACES_KEPT,
            )

    def holes(self, conversation_id: str, above: int, below: int) -> list[int]:
        """The seqs between two that nothing is known of, at most 10,000 of them."""
        rows = self._database.all(
            "select seq from places where conversation_id = ? and seq > ? and seq < ?",
            conversation_id,
            above,
            below,
        )
        known = {row[0] for row in rows}
        return [seq for seq in range(max(above + 1, below - PLACES_KEPT), below) if seq not in known]

    # members

    def members(self, conversation_id: str, gone: bool = False) -> list[MemberRow]:
        """The members; with `gone` also those who have left."""
        fields = MemberRow.__struct_fields__
        rows = self._database.all(
            f"select {', '.join(fields)} from members"  # noqa: S608 - our own names
            " where conversation_id = ? and gone <= ? order by joined_at, user_id",
            conversation_id,
            int(gone),
        )
        return [MemberRow(**dict(zip(fields, row, strict=True))) for row in rows]

    def leaders(self, conversation_id: str) -> list[str]:
        """The owner and admins, as the server says."""
        return [one.user_id for one in self.members(conversation_id) if one.role in ("owner", "admin")]

    def take_members(self, conversation_id: str, said: list[Member]) -> None:
        """Write down who the server says is in a conversation."""
        self._database.run("update members set gone = 1 where conversation_id = ?", conversation_id)
        for member in said:
            self.put_member(conversation_id, member.user_id, member.role, member.joined_at)
            self.receipt(conversation_id, member.user_id, "delivered", member.delivered_seq)
            self.receipt(conversation_id, member.user_id, "read", member.read_seq)

    def put_member(self, conversation_id: str, user_id: str, role: str, joined_at: str) -> None:
        """Somebody is in a conversation, in this role."""
        self._database.run(
            """insert into members (conversation_id, user_id, role, joined_at) values (?, ?, ?, ?)
               on conflict (conversation_id, user_id) do update set role = excluded.role, gone = 0""",
            conversation_id,
            user_id,
            role,
            joined_at,
        )

    def drop_member(self, conversation_id: str, user_id: str) -> None:
        """Somebody is in a conversation no more."""
        self._database.run(
            "update members set gone = 1 where conversation_id = ? and user_id = ?", conversation_id, user_id
        )

    def receipt(self, conversation_id: str, user_id: str, kind: str, seq: int) -> bool:
        """How far a member has come; whether that was news."""
        column = "read_seq" if kind == "read" else "delivered_seq"
        return (
            self._database.run(
                f"update members set {column} = ?"  # noqa: S608 - one of two
                f" where conversation_id = ? and user_id = ? and {column} < ?",
                seq,
                conversation_id,
                user_id,
                seq,
            )
            > 0
        )

    def with_member(self, user_id: str) -> list[str]:
        """The conversations that somebody is in."""
        rows = self._database.all(
            "select conversation_id from members where user_id = ? and gone = 0", user_id
        )
        return [row[0] for row in rows]

    # people

    def name(self, user_id: str | None) -> str:
        """A user's name; the id where it is not known, empty where the account is gone."""
        if user_id is None:
            return ""
        row = self._database.one("select username from people where user_id = ?", user_id)
        return user_id if row is None else row[0]

    def people(self) -> list[tuple[str, str]]:
        """The users that were met, (user_id, username), by name."""
        return [(row[0], row[1]) for row in self._database.all("select * from people order by username")]

    def user_named(self, username: str) -> str | None:
        """The user of this name, of those that were met."""
        row = self._database.one("select user_id from people where username = ?", username)
        return None if row is None else row[0]

    def named(self, user_id: str) -> str | None:
        """The name of a user that was met."""
        row = self._database.one("select username from people where user_id = ?", user_id)
        return None if row is None else row[0]

    def put_person(self, user_id: str, username: str) -> None:
        """A user's name."""
        self._database.run("insert or replace into people values (?, ?)", user_id, username)

    def nameless(self, user_ids: list[str]) -> list[str]:
        """Those whose name is not known."""
        return [
            user_id
            for user_id in dict.fromkeys(user_ids)
            if self._database.one("select 1 from people where user_id = ?", user_id) is None
        ]
