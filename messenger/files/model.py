"""Files, uploads and blobs as the rules see them, and the outcomes that their stores give back."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from messenger.wire.files import File
from messenger.wire.times import moment_text


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
    def touch_every(self) -> float:
        """After how many milliseconds an upload that goes on says so again."""
        return self.abandoned * 1000 / 4

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

    `own`: it is this user's upload; `member`: the user is in a conversation with it; `shared`: somebody is.
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
    shared: bool

    @property
    def readable(self) -> bool:
        """Whether this user may fetch it."""
        return self.member or (self.own and not self.shared)

    def file(self) -> File:
        """The file as it travels."""
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
    """The outcome of asking for room, or of wanting to keep what has come."""

    done = "done"
    no_conversation = "no_conversation"
    blocked = "blocked"
    over_quota = "over_quota"
    gone = "gone"


class Shared(Enum):
    """The outcome of sharing."""

    done = "done"
    no_file = "no_file"
    no_conversation = "no_conversation"
    blocked = "blocked"
    too_many = "too_many"
