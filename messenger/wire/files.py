"""Files: what is known of an encrypted blob."""

from msgspec import Struct


class File(Struct, frozen=True, kw_only=True):
    """A stored blob. `size` is in bytes, `sha256` is of the blob as stored."""

    file_id: str
    size: int
    sha256: bytes
    metadata: bytes | None
    conversation_ids: list[str]
    created_at: str
    expires_at: str | None
