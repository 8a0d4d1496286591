"""tus 1.0.0, the resumable upload protocol: its headers, read and written.

A client makes an upload (POST with Upload-Length, extension creation; with its first bytes in the same
request, creation-with-upload) and sends its bytes by PATCH with Upload-Offset, in as many requests as it
takes. After whatever went wrong it asks by HEAD how far it got and goes on from there. Each request but
OPTIONS bears `Tus-Resumable: 1.0.0`, else it is 412 with the versions that there are. OPTIONS tells what the
server can: Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm.

The statuses are tus's own: 409 where Upload-Offset is not the upload's, 404 or 410 for an upload that is gone
(DELETE, extension termination; or Upload-Expires, extension expiration), 413 for one that is too large, 415
where a body is not `application/offset+octet-stream`, 460 where what arrived has not the SHA-256 of
Upload-Checksum (extension checksum), 400 for another algorithm and for whatever can't be read.

Upload-Metadata is a list of keys, each with a value in base64 or none. `conversation_id` (a UUID) and
`metadata` (opaque bytes) mean what they do at `POST /files`. Others are forgotten at once, and so not
repeated: a file's name is none of the server's business. An upload's length has to be known when it is made:
Upload-Defer-Length is not offered.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from messenger.wire.codec import base64_bytes, uuid_text
from messenger.wire.errors import Code, Problem

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination"
ALGORITHM = "sha256"
OFFSET_TYPE = "application/offset+octet-stream"

_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_KNOWN = frozenset({"conversation_id", "metadata"})


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of an upload, decoded. `text` is the header, less what means nothing here."""

    conversation_id: str | None
    metadata: bytes | None
    text: str


def check_version(value: str | None) -> None:
    """Problem `precondition_failed` unless the client speaks our version."""
    if value != VERSION:
        raise Problem(
            Code.precondition_failed,
            f"Tus-Resumable has to be {VERSION}.",
            headers={"Tus-Version": VERSION},
        )


def check_type(value: str | None) -> None:
    """Problem `unsupported_media_type` unless a body is what tus sends."""
    if value is None or value.partition(";")[0].strip(" \t").lower() != OFFSET_TYPE:
        raise Problem(Code.unsupported_media_type, f"The body's type is {OFFSET_TYPE}.")


def count_of(name: str, value: str | None) -> int:
    """A number of bytes; Problem `bad_request`."""
    if value is None or not _COUNT.fullmatch(value):
        raise Problem(Code.bad_request, f"{name} has to be a number of bytes.")
    return int(value)


def checksum_of(value: str | None) -> bytes | None:
    """The SHA-256 of Upload-Checksum, None where there is no such header; Problem `bad_request`."""
    if value is None:
        return None
    algorithm, _, text = value.partition(" ")
    if algorithm != ALGORITHM:
        raise Problem(Code.bad_request, f"Upload-Checksum has to be of {ALGORITHM}.")
    digest = _decoded("Upload-Checksum", text)
    if len(digest) != 32:
        raise Problem(Code.bad_request, f"Upload-Checksum is no {ALGORITHM}.")
    return digest


def metadata_of(value: str | None) -> Metadata:
    """Decode an Upload-Metadata header; Problem `bad_request` for one that is malformed or repeats a key."""
    found: dict[str, str] = {}
    for pair in (value or "").split(",") if value else ():
        key, _, text = pair.strip(" \t").partition(" ")
        if not _KEY.fullmatch(key) or key in found:
            raise Problem(Code.bad_request, "Upload-Metadata is a list of different keys with values.")
        _decoded("Upload-Metadata", text)
        found[key] = text
    known = {key: text for key, text in found.items() if key in _KNOWN}
    conversation_id = None
    if "conversation_id" in known:
        raw = _decoded("Upload-Metadata", known["conversation_id"])
        conversation_id = uuid_text(raw.decode("ascii", "replace"))
        if conversation_id is None:
            raise Problem(Code.bad_request, "The conversation_id in Upload-Metadata is no UUID.")
    metadata = _decoded("Upload-Metadata", known["metadata"]) if "metadata" in known else None
    text = ",".join(f"{key} {value}" if value else key for key, value in known.items())
    return Metadata(conversation_id, metadata, text)


def expires_text(moment: datetime) -> str:
    """The value of Upload-Expires (RFC 9110 section 5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64_bytes(text)
    except ValueError:
        raise Problem(Code.bad_request, f"{name} is not base64 with padding.") from None
