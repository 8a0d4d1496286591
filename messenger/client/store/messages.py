"""Messages: what was said, by others and by this device."""

import msgspec

from messenger.client.e2e import FileReference
from messenger.client.records import FileInfo, Message
from messenger.client.store.database import Database

_SELECT = """
    select m.id, m.conversation_id, m.client_id, m.sender_id, m.seq, m.kind, m.text, m.file, m.outgoing,
        m.sent_at, m.received_at, m.created_at, m.state, m.late, coalesce(p.username, m.sender_id),
        m.sender_device_id, m.gone_at_server, m.edited,
        (select max(r.id) from messages r
            where r.conversation_id = m.conversation_id and r.client_id = m.reply_to)
    from messages m left join people p on p.user_id = m.sender_id
"""


class Messages:
    """The table `messages`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        conversation_id: str,
        client_id: str,
        sender_id: str,
        sender_device_id: str,
        seq: int | None,
        kind: str,
        text: str,
        file: FileReference | None,
        reply_to: str | None,
        outgoing: bool,
        sent_at: str,
        received_at: str,
        created_at: str | None,
        state: str,
        late: bool = False,
        expires_at: str | None = None,
        expires_in: int | None = None,
    ) -> int:
        """A new message; its id."""
        return self._database.insert(
            """insert into messages (conversation_id, client_id, sender_id, sender_device_id, seq, kind, text,
                   file, reply_to, outgoing, sent_at, received_at, created_at, state, late, expires_at,
                   expires_in)
               values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            conversation_id,
            client_id,
            sender_id,
            sender_device_id,
            seq,
            kind,
            text,
            None if file is None else msgspec.json.encode(file),
            reply_to,
            int(outgoing),
            sent_at,
            received_at,
            created_at,
            state,
            int(late),
            expires_at,
            expires_in,
        )

    def add_deleted(
        self,
        conversation_id: str,
        client_id: str,
        sender_id: str,
        device_id: str,
        seq: int | None,
        sent_at: str,
    ) -> None:
        """A message that its author has taken away before it came."""
        self._database.run(
            """insert or ignore into messages (conversation_id, client_id, sender_id, sender_device_id, seq,
                   kind, outgoing, sent_at, received_at, state)
               values (?, ?, ?, ?, ?, 'text', 0, ?, ?, 'deleted')""",
            conversation_id,
            client_id,
            sender_id,
            device_id,
            seq,
            sent_at,
            sent_at,
        )

    def get(self, number: int) -> Message | None:
        """A message by its id."""
        row = self._database.one(f"{_SELECT} where m.id = ?", number)
        return None if row is None else _message(row)

    def find(self, conversation_id: str, device_id: str, client_id: str) -> Message | None:
        """A message by what names it everywhere."""
        row = self._database.one(
            f"{_SELECT} where m.conversation_id = ? and m.sender_device_id = ? and m.client_id = ?",
            conversation_id,
            device_id,
            client_id,
        )
        return None if row is None else _message(row)

    def at(self, conversation_id: str, seq: int) -> Message | None:
        """The message at a place."""
        row = self._database.one(f"{_SELECT} where m.conversation_id = ? and m.seq = ?", conversation_id, seq)
        return None if row is None else _message(row)

    def history(self, conversation_id: str, limit: int, before: int | None) -> list[Message]:
        """The latest messages, or those before one, oldest first; those without a place come last."""
        above = "" if before is None else " and (coalesce(m.seq, 1 << 62), m.id) < (?, ?)"
        values: list[object] = [conversation_id]
        if before is not None:
            row = self._database.one("select coalesce(seq, 1 << 62), id from messages where id = ?", before)
            if row is None:
                return []
            values += row
        rows = self._database.all(
            f"{_SELECT} where m.conversation_id = ?{above}"
            " order by coalesce(m.seq, 1 << 62) desc, m.id desc limit ?",
            *values,
            limit,
        )
        return [_message(row) for row in reversed(rows)]

    def after(self, number: int, limit: int) -> list[Message]:
        """All messages of all conversations by rising id, for an export."""
        return [
            _message(row)
            for row in self._database.all(f"{_SELECT} where m.id > ? order by m.id limit ?", number, limit)
        ]

    def with_files(self, conversation_id: str | None) -> list[Message]:
        """The latest 1,000 messages that hold files, newest last."""
        rows = self._database.all(
            f"{_SELECT} where m.file is not null and (? is null or m.conversation_id = ?)"
            " order by m.id desc limit 1000",
            conversation_id,
            conversation_id,
        )
        return [_message(row) for row in reversed(rows)]

    def file(self, name: str) -> tuple[Message, FileReference] | None:
        """The file whose id is this or begins like this (8 characters or more), or the one of a message."""
        by_file = "json_extract(m.file, '$.file_id') like ? || '%'" if len(name) >= 8 else "0 and ? is null"
        rows = self._database.all(
            f"{_SELECT} where m.file is not null and (m.id = ? or {by_file}) order by m.id",
            int(name) if name.isascii() and name.isdigit() and len(name) < 18 else -1,
            name.replace("%", "").replace("_", ""),
        )
        if len({msgspec.json.decode(row[7], type=FileReference).file_id for row in rows}) != 1:
            return None
        return _message(rows[0]), msgspec.json.decode(rows[0][7], type=FileReference)

    def placed(self, number: int, seq: int, created_at: str) -> None:
        """An own message has got its place."""
        self._database.run(
            "update messages set seq = ?, created_at = ?, state = 'sent' where id = ?",
            seq,
            created_at,
            number,
        )

    def moved(self, number: int, seq: int) -> None:
        """It stands at another place now."""
        self._database.run("update messages set seq = ? where id = ?", seq, number)

    def set_gone(self, number: int) -> None:
        """The server has it no more, as it says."""
        self._database.run("update messages set gone_at_server = 1 where id = ?", number)

    def edit(self, number: int, text: str, seq: int) -> bool:
        """Another text, by an edit at this place; False where a later one was taken."""
        return (
            self._database.run(
                "update messages set text = ?, edited = ? where id = ? and edited < ?", text, seq, number, seq
            )
            > 0
        )

    def expires_in(self, conversation_id: str, device_id: str, client_id: str) -> int | None:
        """For how many seconds a message is kept; None for ever."""
        row = self._database.one(
            "select expires_in from messages"
            " where conversation_id = ? and sender_device_id = ? and client_id = ?",
            conversation_id,
            device_id,
            client_id,
        )
        return None if row is None else row[0]

    def set_state(self, number: int, state: str) -> None:
        """Another state."""
        self._database.run("update messages set state = ? where id = ?", state, number)

    def erase(self, number: int) -> None:
        """Take the content away; the place stays."""
        self._database.run(
            "update messages set state = 'deleted', text = '', file = null, reply_to = null where id = ?",
            number,
        )

    def expire(self, moment: str) -> list[tuple[str, bool]]:
        """Take away what has expired by this moment (RFC 3339, UTC, milliseconds); the places stay. Of own
        messages among them: the client_id, and whether it was edited. One that waits to be sent is kept
        until it was."""
        rows = self._database.all(
            "update messages set state = 'deleted', text = '', file = null, reply_to = null,"
            " expires_at = null where expires_at is not null and expires_at <= ? and state <> 'queued'"
            " returning client_id, outgoing, edited",
            moment,
        )
        return [(row[0], bool(row[2])) for row in rows if row[1]]

    def unread(self, conversation_id: str, read_seq: int) -> int:
        """How many messages of others lie above what was read."""
        row = self._database.one(
            "select count(*) from messages"
            " where conversation_id = ? and seq > ? and not outgoing and state = 'received'",
            conversation_id,
            read_seq,
        )
        return 0 if row is None else int(row[0])


def _message(row: tuple[object, ...]) -> Message:
    (number, conversation_id, client_id, sender_id, seq, kind, text, raw, outgoing) = row[:9]
    (sent_at, received_at, created_at, state, late, sender, device, gone, edited, reply) = row[9:]
    file = None
    if raw is not None:
        found = msgspec.json.decode(bytes(raw), type=FileReference)  # type: ignore[call-overload]
        file = FileInfo(id=found.file_id, name=found.name, size=found.size, media_type=found.media_type)
    return msgspec.convert(
        {
            "id": str(number),
            "client_id": client_id,
            "conversation_id": conversation_id,
            "seq": seq,
            "sender_id": sender_id,
            "sender": sender,
            "sender_device_id": device,
            "outgoing": bool(outgoing),
            "kind": kind,
            "text": text,
            "file": file,
            "reply_to": None if reply is None else str(reply),
            "sent_at": sent_at,
            "received_at": received_at,
            "created_at": created_at,
            "state": state,
            "late": bool(late),
            "gone": bool(gone),
            "edited": bool(edited),
        },
        Message,
    )
