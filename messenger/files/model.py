"""What the rules of files are about, and what they want of a store, of blobs and of a clock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeVar

from messenger.wire.files import File
from messenger.wire.times import moment_text

BodyT_co = TypeVar("BodyT_co", covariant=True)


class BlobLost(Exception):
    """S3 has not what a row says that it has: a fault, which nobody is told as "not found"."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sizes in bytes, times in seconds. `quota` and `files` are each user's."""

    size: int
    quota: int
    files: int
    unshared: float
    abandoned: float
    resumable: float = 86_400.0

    @property
    def ahead(self) -> float:
        """How far ahead a resumable upload is touched, for it to be abandoned `resumable` from now."""
        return self.resumable - self.abandoned


@dataclass(frozen=True, slots=True)
class Draft:
    """An upload that begins. `reserved` is in bytes; `upload_metadata` is None unless it can be resumed."""

    file_id: str
    blob_key: str
    uploader_id: str
    reserved: int
    metadata: bytes | None
    conversation_id: str | None
    upload_metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A stored file as one user sees it.

    `own`: it is this user's upload; `member`: the user is in a conversation with it; `held`: somebody is.
    `conversation_ids` are those that this user may know of.
    """

    file_id: str
    blob_key: str
    size: int
    sha256: bytes
    metadata: bytes | None
    conversation_ids: list[str]
    created_at: datetime
    expires_at: datetime | None
    own: bool
    member: bool
    held: bool

    @property
    def readable(self) -> bool:
        """Whether this user may fetch it."""
        return self.member or (self.own and not self.held)

    def file(self) -> File:
        """What the wire says of it."""
        return File(
            file_id=self.file_id,
            size=self.size,
            sha256=self.sha256,
            metadata=self.metadata,
            conversation_ids=self.conversation_ids,
            created_at=moment_text(self.created_at),
            expires_at=None if self.expires_at is None else moment_text(self.expires_at),
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """A blob that has to go. `final`: once S3 has deleted it nothing can bring it back."""

    blob_key: str
    upload_id: str | None
    final: bool


class Reserved(Enum):
    """What came of asking for room, or of wanting to keep what has come."""

    done = "done"
    no_conversation = "no_conversation"
    blocked = "blocked"
    over_quota = "over_quota"
    gone = "gone"


class Shared(Enum):
    """What came of sharing."""

    done = "done"
    no_file = "no_file"
    no_conversation = "no_conversation"
    blocked = "blocked"
    too_many = "too_many"


class Store(Protocol):
    """Rows. Each call is one transaction."""

    async def begin(self, draft: Draft) -> Reserved:
        """Make the row and reserve its bytes, where the uploader is a member of the conversation, if any."""

    async def grow(self, file_id: str, more: int) -> Reserved:
        """Reserve `more` bytes for an upload."""

    async def touch(self, file_id: str) -> bool:
        """Somebody works on this upload; False where its row is gone."""

    async def note_parts(self, file_id: str, upload_id: str) -> None:
        """The blob goes up as this multipart upload."""

    async def finish(self, file_id: str, size: int, sha256: bytes) -> Found | Reserved:
        """Make an upload a file, as its uploader sees it; `gone` or `blocked` where there will be none."""

    async def drop(self, file_id: str) -> Removal | None:
        """Delete the row, give the quota back and note the blob for removal; None where there is no row."""

    async def find(self, file_id: str, user_id: str) -> Found | None:
        """The stored, unexpired file of this id."""

    async def share(self, file_id: str, user_id: str, conversation_id: str) -> Shared:
        """Put this user's file into a conversation that the user is in; again is fine."""

    async def drop_abandoned(self) -> Removal | None:
        """`drop` an upload that nobody works on; None where there is none."""

    async def drop_expired(self) -> Removal | None:
        """`drop` a file that has expired; None where there is none."""

    async def drop_ownerless(self) -> Removal | None:
        """`drop` a file whose uploader's account was deleted; None where there is none."""

    async def let_go(self, limit: int) -> None:
        """Take files out of conversations in which nobody is left, looking at up to `limit` of those not
        looked at for long."""

    async def due(self, limit: int) -> list[Removal]:
        """Up to `limit` blobs that have to go; they are not due again for a while."""

    async def cleared(self, blob_key: str) -> None:
        """This blob is gone for good."""


class Blobs(Protocol[BodyT_co]):
    """Bytes by key. Problem `unavailable` where they can't be had now."""

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        length: int | None,
        begun: Callable[[str], Awaitable[None]],
    ) -> None:
        """Store what `chunks` give, visible only when complete. What `chunks` raise comes through."""

    async def get(self, key: str, start: int, length: int) -> BodyT_co | None:
        """A body of `length` (at least 1) bytes from `start` on; None where there is no such blob."""

    async def remove(self, key: str, upload_id: str | None = None) -> None:
        """Delete; nothing there is fine."""


class Clock(Protocol):
    """Time."""

    def seconds(self) -> float:
        """A number that grows by one each second."""
