"""History for the case that the server's database fails over: own messages that were answered for a
short while ago, and places whose messages may stand elsewhere by now.

`answered` has what left the outbox, as it went out: no plaintext. `doubted` has who wrote at places that were
taken shortly before the history changed, until they show again, here or elsewhere.
"""

import msgspec

from messenger.client.store.database import Database
from messenger.client.store.outbox import Queued

MOST_ANSWERED = 1_000
MOST_BYTES = 16 << 20  # of their ciphertext
MOST_TRIES = 3  # times that one message goes out again
MOST_DOUBTED = 10_000


class History:
    """The tables `answered` and `doubted`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # own messages

    def keep(self, queued: Queued, now: float) -> None:
        """An own message was answered for."""
        if queued.draft is None or queued.again >= MOST_TRIES:
            return
        targets = None if queued.targets is None else msgspec.json.encode(queued.targets)
        self._database.run(
            """insert or replace into answered (position, client_id, conversation_id, kind, targets, number,
                   sent_at, draft, devices, again, answered_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            queued.position,
            queued.client_id,
            queued.conversation_id,
            queued.kind,
            targets,
            queued.number,
            queued.sent_at,
            queued.draft,
            msgspec.json.encode(queued.devices),
            queued.again,
            int(now),
        )

    def answered(self) -> list[tuple[str, str]]:
        """All that is kept, as client_id and kind, in the order in which it was written."""
        rows = self._database.all("select client_id, kind from answered order by position")
        return [(row[0], row[1]) for row in rows]

    def send_again(self, client_id: str, body: bytes) -> None:
        """Have a message go out once more, before whatever was written after it."""
        self._database.run(
            """insert or ignore into outbox (position, client_id, conversation_id, kind, body, targets,
                   number, sent_at, draft, devices, attempts, again)
               select position, client_id, conversation_id, kind, ?, targets, number, sent_at, draft, devices,
                   1, again + 1 from answered where client_id = ?""",
            body,
            client_id,
        )
        self.drop(client_id)

    def drop(self, client_id: str) -> None:
        """Keep a message no longer."""
        self._database.run("delete from answered where client_id = ?", client_id)

    def prune(self, since: float) -> None:
        """Keep what was answered for at that time or later, as far as the bounds allow."""
        self._database.run(
            """delete from answered where answered_at < ? or client_id in (
                   select client_id from (
                       select client_id, row_number() over newest as number,
                           sum(length(draft)) over newest as bytes
                       from answered window newest as (order by position desc))
                   where number > ? or bytes > ?)""",
            int(since),
            MOST_ANSWERED,
            MOST_BYTES,
        )

    # places

    def doubt(self, conversation_id: str, since: float, until: float) -> int | None:
        """Take the places that were taken at that time or later for doubtful; the first of them, if any."""
        row = self._database.one(
            "select min(seq) from places where conversation_id = ? and taken_at >= ?",
            conversation_id,
            int(since),
        )
        if row is None or row[0] is None:
            return None
        self._database.run(
            """insert or replace into doubted (conversation_id, sender_device_id, client_id, seq, until)
               select conversation_id, sender_device_id, client_id, seq, ? from places
               where conversation_id = ? and taken_at >= ?""",
            int(until),
            conversation_id,
            int(since),
        )
        self._database.run(
            "delete from places where conversation_id = ? and taken_at >= ?", conversation_id, int(since)
        )
        first: int = row[0]
        return first

    def doubted(self, conversation_id: str, upto: int) -> list[int]:
        """The doubtful places up to one, rising."""
        rows = self._database.all(
            "select seq from doubted where conversation_id = ? and seq <= ? order by seq",
            conversation_id,
            upto,
        )
        return [row[0] for row in rows]

    def came_before(self, conversation_id: str, device_id: str, client_id: str) -> bool:
        """Whether this message stood at a place that is doubtful; it is in doubt no more."""
        return (
            self._database.run(
                "delete from doubted where conversation_id = ? and sender_device_id = ? and client_id = ?",
                conversation_id,
                device_id,
                client_id,
            )
            > 0
        )

    def end_doubts(self, now: float) -> None:
        """What nobody disputed in time stands where it stood. What came later than all that is there is
        remembered for who sends it again, within bounds."""
        self._database.run(
            """insert or ignore into places (conversation_id, seq, sender_device_id, client_id, taken_at)
               select d.conversation_id, d.seq, d.sender_device_id, d.client_id, 0 from doubted d
               join conversations c on c.conversation_id = d.conversation_id
               where d.until <= ? and d.seq <= c.place""",
            int(now),
        )
        self._database.run(
            """delete from doubted where until <= ? and exists (
                   select 1 from places p where p.conversation_id = doubted.conversation_id
                       and p.sender_device_id = doubted.sender_device_id
                       and p.client_id = doubted.client_id)""",
            int(now),
        )
        self._database.run(
            """delete from doubted where (conversation_id, sender_device_id, client_id) in (
                   select conversation_id, sender_device_id, client_id from doubted
                   order by until desc, seq desc limit -1 offset ?)""",
            MOST_DOUBTED,
        )
