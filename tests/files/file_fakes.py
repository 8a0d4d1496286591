"""The files' rules on a store and blobs in memory: no engine, no real time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from messenger.files.domain import Files
from messenger.files.model import Bounds, Draft, Found, Removal, Reserved, Shared
from tests.fakes import Clock, run

BOUNDS = Bounds(size=10_000_000, quota=20_000_000, files=5, unshared=86_400, abandoned=600)
LATE = 600.0


@dataclass
class Row:
    """A file as stored."""

    draft: Draft
    size: int
    created_at: datetime
    expires_at: datetime | None
    touched: float
    sha256: bytes | None = None
    upload_id: str | None = None
    shares: set[str] = field(default_factory=set)


class MemoryStore:
    """A FileStore and a RemovalStore; `members`, `ttls` and `blocked` are the message service's.

    test_file_stores.py holds it to PostgreSQL's rules.
    """

    def __init__(self, clock: Clock, bounds: Bounds, most_conversations: int = 1_000) -> None:
        self.clock = clock
        self.bounds = bounds
        self.most = most_conversations
        self.rows: dict[str, Row] = {}
        self.used: dict[str, int] = {}
        self.removals: dict[str, tuple[str | None, float]] = {}
        self.members: dict[str, set[str]] = {}
        self.ttls: dict[str, int | None] = {}
        self.deleted_users: set[str] = set()
        self.blocked: set[str] = set()
        self.before_call: Callable[[str], None] = lambda name: None
        self.after_call: Callable[[str], None] = lambda name: None

    def _expiry(self, conversation_id: str | None) -> datetime | None:
        seconds = self.bounds.unshared if conversation_id is None else self.ttls.get(conversation_id)
        return None if seconds is None else self.clock.moment + timedelta(seconds=seconds)

    async def begin(self, draft: Draft) -> Reserved:
        self.before_call("begin")
        shared = draft.conversation_id
        if shared is not None and draft.uploader_id not in self.members.get(shared, ()):
            return Reserved.no_conversation
        if shared in self.blocked:
            return Reserved.blocked
        files = sum(row.draft.uploader_id == draft.uploader_id for row in self.rows.values())
        used = self.used.get(draft.uploader_id, 0)
        if used + draft.reserved > self.bounds.quota or files >= self.bounds.files:
            return Reserved.over_quota
        self.used[draft.uploader_id] = used + draft.reserved
        row = Row(draft, draft.reserved, self.clock.moment, self._expiry(shared), self.clock.seconds)
        row.shares = set() if shared is None else {shared}
        self.rows[draft.file_id] = row
        return Reserved.done

    def _upload(self, file_id: str) -> Row | None:
        row = self.rows.get(file_id)
        return row if row is not None and row.sha256 is None else None

    async def grow(self, file_id: str, more: int) -> Reserved:
        self.before_call("grow")
        row = self._upload(file_id)
        if row is None:
            return Reserved.gone
        if self.used[row.draft.uploader_id] + more > self.bounds.quota:
            return Reserved.over_quota
        self.used[row.draft.uploader_id] += more
        row.size += more
        return Reserved.done

    async def touch(self, file_id: str) -> bool:
        self.before_call("touch")
        row = self._upload(file_id)
        if row is not None:
            row.touched = self.clock.seconds
        return row is not None

    async def note_parts(self, file_id: str, upload_id: str) -> None:
        self.before_call("note_parts")
        if file_id in self.rows:
            self.rows[file_id].upload_id = upload_id

    async def finish(self, file_id: str, size: int, sha256: bytes) -> Found | Reserved:
        self.before_call("finish")
        row = self._upload(file_id)
        if row is None:
            return Reserved.gone
        if row.shares & self.blocked:
            return Reserved.blocked
        self.used[row.draft.uploader_id] += size - row.size
        row.size, row.sha256 = size, sha256
        self.after_call("finish")
        return self._found(row, row.draft.uploader_id)

    async def find(self, file_id: str, user_id: str) -> Found | None:
        self.before_call("find")
        row = self.rows.get(file_id)
        if row is None or row.sha256 is None or row.draft.uploader_id in self.deleted_users:
            return None
        if row.expires_at is not None and row.expires_at <= self.clock.moment:
            return None
        return self._found(row, user_id)

    def _found(self, row: Row, user_id: str) -> Found:
        own = row.draft.uploader_id == user_id
        mine = [one for one in row.shares if user_id in self.members.get(one, ())]
        assert row.sha256 is not None
        return Found(
            file_id=row.draft.file_id,
            blob_key=row.draft.blob_key,
            size=row.size,
            sha256=row.sha256,
            metadata=row.draft.metadata,
            conversation_ids=sorted(row.shares if own else mine),
            created_at=row.created_at,
            expires_at=row.expires_at,
            own=own,
            member=bool(mine),
            shared=any(self.members.get(one) for one in row.shares),
        )

    async def share(self, file_id: str, user_id: str, conversation_id: str) -> Shared:
        row = self.rows.get(file_id)
        if row is None or row.sha256 is None or row.draft.uploader_id != user_id:
            return Shared.no_file
        if user_id not in self.members.get(conversation_id, ()):
            return Shared.no_conversation
        if conversation_id in self.blocked:
            return Shared.blocked
        if conversation_id not in row.shares and len(row.shares) >= self.most:
            return Shared.too_many
        later = self._expiry(conversation_id)
        if not row.shares:
            row.expires_at = later
        elif row.expires_at is not None:
            row.expires_at = None if later is None else max(later, row.expires_at)
        row.shares.add(conversation_id)
        return Shared.done

    async def drop(self, file_id: str) -> Removal | None:
        self.before_call("drop")
        row = self.rows.pop(file_id, None)
        if row is None:
            return None
        self.used[row.draft.uploader_id] -= row.size
        final = row.sha256 is not None
        self.removals[row.draft.blob_key] = (row.upload_id, self.clock.seconds + (60 if final else LATE))
        return Removal(row.draft.blob_key, row.upload_id, final)

    async def _drop_first(self, wanted: Callable[[Row], bool]) -> Removal | None:
        for file_id, row in self.rows.items():
            if wanted(row):
                return await self.drop(file_id)
        return None

    async def drop_abandoned(self) -> Removal | None:
        due = self.clock.seconds - self.bounds.abandoned
        return await self._drop_first(lambda row: row.sha256 is None and row.touched < due)

    async def drop_expired(self) -> Removal | None:
        now = self.clock.moment
        return await self._drop_first(lambda row: row.expires_at is not None and row.expires_at <= now)

    async def drop_ownerless(self) -> Removal | None:
        return await self._drop_first(lambda row: row.draft.uploader_id in self.deleted_users)

    async def let_go(self, limit: int) -> None:
        for row in self.rows.values():
            held = {one for one in row.shares if self.members.get(one)}
            if row.shares and not held:
                row.expires_at = self.clock.moment + timedelta(seconds=self.bounds.unshared)
            row.shares = held

    async def due(self, limit: int) -> list[Removal]:
        found = [key for key, (_, due) in self.removals.items() if due <= self.clock.seconds][:limit]
        return [Removal(key, self.removals[key][0], True) for key in found]

    async def cleared(self, blob_key: str) -> None:
        self.removals.pop(blob_key, None)


class MemoryBlobs:
    """Blobs; `fail` is raised by the next call of this name, for as long as it stands."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.parts: set[str] = set()
        self.fail: dict[str, Exception] = {}
        self.removed: list[str] = []

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        length: int | None,
        begun: Callable[[str], Awaitable[None]],
    ) -> None:
        content = b""
        if length is None:
            self.parts.add("upload-" + key)
            await begun("upload-" + key)
        async for chunk in chunks:
            content += chunk
        if "put" in self.fail:
            raise self.fail["put"]
        self.parts.discard("upload-" + key)
        self.blobs[key] = content

    async def get(self, key: str, start: int, length: int) -> bytes | None:
        blob = self.blobs.get(key)
        return None if blob is None else blob[start : start + length]

    async def remove(self, key: str, upload_id: str | None = None) -> None:
        self.removed.append(key)
        if "remove" in self.fail:
            raise self.fail["remove"]
        self.blobs.pop(key, None)
        if upload_id is not None:
            self.parts.discard(upload_id)


class Body:
    """Chunks that a client sends; an exception among them ends the body."""

    def __init__(self, *chunks: bytes | Exception, each: Callable[[], None] = lambda: None) -> None:
        self._chunks = iter(chunks)
        self._each = each

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        self._each()
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            return chunk
        raise StopAsyncIteration


class World:
    """Files, and everything that they stand on."""

    def __init__(self, bounds: Bounds = BOUNDS) -> None:
        self.clock = Clock()
        self.store = MemoryStore(self.clock, bounds)
        self.blobs = MemoryBlobs()
        self._count = 0
        self.files = Files(
            self.store,
            self.store,
            self.blobs,
            self.clock,
            bounds,
            new_id=lambda: self._name("file"),
            new_key=lambda: self._name("key"),
        )
        self.store.members = {"family": {"ada", "ben"}, "work": {"ada", "cy"}, "others": {"ben", "cy"}}
        self.store.ttls = {"family": None, "work": 3_600, "others": None}

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    def upload(
        self, content: bytes = b"ciphertext", user: str = "ada", conversation: str | None = None
    ) -> Found:
        """A stored file."""
        return run(self.files.upload(user, Body(content), len(content), conversation))

    def empty(self) -> bool:
        """Whether nothing is left: no row, no reservation, no blob, no part."""
        used = sum(self.store.used.values())
        return not (self.store.rows or used or self.blobs.blobs or self.blobs.parts)
