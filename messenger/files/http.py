"""Files over HTTP: `/files` and what is below it.

A blob is opaque: it is served as `application/octet-stream` to be saved, never to be shown (RFC 6266), and
may be kept by the asker's own cache alone (RFC 9111), for as long as the file lives: what is under an id
never changes. Ranges are those of ranges.py, conditions those of conditions.py.
"""

import time
from typing import Any

from messenger.core.http.answers import Answer, StreamedAnswer
from messenger.core.http.call import Call
from messenger.core.http.conditions import Verdict, entity_tag, judge, range_holds
from messenger.core.http.content import BodyLost
from messenger.core.http.routing import route
from messenger.files.domain import MAX_METADATA, Files
from messenger.files.model import Found
from messenger.files.ranges import Span, Unsatisfiable, span_of
from messenger.wire.codec import base64_bytes, uuid_text
from messenger.wire.errors import Code, Problem
from messenger.wire.files import File
from messenger.wire.times import milliseconds

OCTETS = "application/octet-stream"
YEAR = 31_536_000


class FileEndpoints:
    """The calls of the contract's Files section."""

    def __init__(self, files: Files) -> None:
        self._files = files

    @route(
        "POST",
        "/files",
        streamed=True,
        answer=File,
        status=201,
        class_="upload",
        errors=(
            Code.not_found,
            Code.blocked,
            Code.too_large,
            Code.unsupported_media_type,
            Code.unavailable,
        ),
        headers={
            "X-Conversation-ID": "Whose members may fetch it.",
            "X-File-Metadata": "Ciphertext, base64, at most 4 KiB.",
        },
    )
    async def upload(self, call: Call) -> Answer:
        """Store an encrypted blob."""
        _check_type(call.header("Content-Type"))
        found = await self._files.upload(
            call.identity.user_id,
            call.content,
            call.content.length,
            _conversation_id(call.header("X-Conversation-ID")),
            _metadata(call.header("X-File-Metadata")),
        )
        headers = {"Location": f"{call.path}/{found.file_id}", "ETag": entity_tag(found.sha256)}
        return Answer(201, found.file(), headers)

    @route(
        "GET",
        "/files/{file_id}",
        answer=bytes,
        errors=(
            Code.not_found,
            Code.precondition_failed,
            Code.range_not_satisfiable,
            Code.unavailable,
        ),
    )
    async def download(self, call: Call) -> Answer | StreamedAnswer:
        """The blob, or a range of it."""
        user_id = call.identity.user_id
        found = await self._files.readable(call.params["file_id"], user_id)
        tag = entity_tag(found.sha256)
        headers = _headers(found, tag)
        verdict = _verdict(call, tag, safe=True)
        if verdict is Verdict.failed:
            raise _precondition_failed()
        if verdict is Verdict.not_modified:
            return Answer(304, None, headers)
        span = _span(call, found, tag)
        headers |= {"Content-Type": OCTETS, "Content-Disposition": "attachment", "Accept-Ranges": "bytes"}
        if span is not None:
            headers["Content-Range"] = span.content_range
        length = found.size if span is None else span.length
        status = 200 if span is None else 206
        if call.method == "HEAD" or length == 0:
            return StreamedAnswer(_nothing, status, headers, length)
        body = await self._files.body(found, user_id, 0 if span is None else span.start, length)
        if call.request.left:
            body.close()
            raise BodyLost("the client has left")
        return StreamedAnswer(body.write_to, status, headers, length)

    @route("GET", "/files/{file_id}/info", answer=File, errors=(Code.not_found,))
    async def info(self, call: Call) -> File:
        """A file's metadata."""
        return (await self._files.find(call.params["file_id"], call.identity.user_id)).file()

    @route(
        "PUT",
        "/files/{file_id}/conversations/{conversation_id}",
        errors=(Code.not_found, Code.forbidden, Code.blocked, Code.unprocessable),
    )
    async def share(self, call: Call) -> None:
        """Share a file with another conversation."""
        params = call.params
        await self._files.share(params["file_id"], call.identity.user_id, params["conversation_id"])

    @route(
        "DELETE",
        "/files/{file_id}",
        errors=(Code.not_found, Code.forbidden, Code.precondition_failed),
    )
    async def delete(self, call: Call) -> None:
        """Delete a file, everywhere."""
        file_id, user_id = call.params["file_id"], call.identity.user_id
        if call.header("If-Match") is not None or call.header("If-None-Match") is not None:
            found = await self._files.find(file_id, user_id)
            if _verdict(call, entity_tag(found.sha256), safe=False) is Verdict.failed:
                raise _precondition_failed()
        await self._files.delete(file_id, user_id)


async def _nothing(_download: Any) -> None:
    """A body of no bytes."""


def _check_type(value: str | None) -> None:
    if value is None or value.partition(";")[0].strip(" \t").lower() != OCTETS:
        raise Problem(Code.unsupported_media_type, f"The body's type is {OCTETS}.")


def _conversation_id(value: str | None) -> str | None:
    if value is None:
        return None
    conversation_id = uuid_text(value)
    if conversation_id is None:
        raise Problem(Code.bad_request, "X-Conversation-ID is no UUID.")
    return conversation_id


def _metadata(value: str | None) -> bytes | None:
    if value is None:
        return None
    if len(value) > (MAX_METADATA + 2) // 3 * 4:
        raise Problem(Code.too_large, f"The metadata may have at most {MAX_METADATA} bytes.")
    try:
        return base64_bytes(value)
    except ValueError:
        raise Problem(Code.bad_request, "X-File-Metadata is not base64 with padding.") from None


def _headers(found: Found, tag: str) -> dict[str, str]:
    """The headers that 200, 206 and 304 have in common (RFC 9110 section 15.4.5)."""
    lives = YEAR
    if found.expires_at is not None:
        lives = max(0, min(YEAR, milliseconds(found.expires_at) // 1000 - int(time.time())))
    return {
        "ETag": tag,
        "Cache-Control": f"private, max-age={lives}, immutable",
        "Vary": "Authorization",
    }


def _verdict(call: Call, tag: str, *, safe: bool) -> Verdict:
    return judge(tag, call.header("If-Match"), call.header("If-None-Match"), safe=safe)


def _span(call: Call, found: Found, tag: str) -> Span | None:
    # Only GET knows ranges (RFC 9110 section 14.2).
    if call.method != "GET" or not range_holds(tag, call.header("If-Range")):
        return None
    try:
        return span_of(call.header("Range"), found.size)
    except Unsatisfiable:
        raise Problem(
            Code.range_not_satisfiable,
            f"The file has {found.size} bytes.",
            headers={"Content-Range": f"bytes */{found.size}", "Accept-Ranges": "bytes"},
        ) from None


def _precondition_failed() -> Problem:
    return Problem(Code.precondition_failed, "The file is not the one that If-Match or If-None-Match names.")
