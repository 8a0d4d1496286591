"""Resumable uploads over HTTP: `/files/uploads` and what is below it, by the protocol of tus.py.

An upload's id is that of the file it becomes. `X-File-ID` says that it has become one: in the answer that
completes it, and to whoever asks later because that answer got lost.
"""

from messenger.core.http.answers import Answer
from messenger.core.http.call import Call
from messenger.core.http.routing import route
from messenger.files.resumable import tus
from messenger.files.resumable.domain import Uploads
from messenger.files.resumable.model import Upload
from messenger.wire.errors import Code, Problem

_RESUMABLE = {"Tus-Resumable": f"`{tus.VERSION}`."}
_CHECKSUM = {"Upload-Checksum": "`sha256` and the base64 of the body's SHA-256."}
_OFFSET = {"Upload-Offset": "How many bytes of the upload came before this body."}


class UploadEndpoints:
    """The calls of tus 1.0.0."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    @route("OPTIONS", "/files/uploads", open=True)
    async def tus_options(self, call: Call) -> Answer:
        """The parts of tus that this server has."""
        del call
        return self._options()

    @route("OPTIONS", "/files/uploads/{upload_id}", open=True)
    async def tus_upload_options(self, call: Call) -> Answer:
        """The parts of tus that this server has."""
        del call
        return self._options()

    def _options(self) -> Answer:
        headers = {
            "Tus-Resumable": tus.VERSION,
            "Tus-Version": tus.VERSION,
            "Tus-Extension": tus.EXTENSIONS,
            "Tus-Max-Size": str(self._uploads.size),
            "Tus-Checksum-Algorithm": tus.ALGORITHM,
        }
        return Answer(204, None, headers)

    @route(
        "POST",
        "/files/uploads",
        streamed=True,
        status=201,
        class_="upload",
        headers={
            **_RESUMABLE,
            "Upload-Length": "The whole upload's length in bytes.",
            "Upload-Metadata": "`conversation_id` and `metadata`, with values in base64; both optional.",
            **_CHECKSUM,
        },
        errors=(
            Code.not_found,
            Code.blocked,
            Code.precondition_failed,
            Code.unsupported_media_type,
            Code.checksum_mismatch,
        ),
    )
    async def create_upload(self, call: Call) -> Answer:
        """Begin a resumable upload (tus 1.0.0), with its first bytes or without."""
        _check_version(call)
        if call.header("Upload-Defer-Length") is not None:
            raise Problem(Code.bad_request, "Upload-Length has to be known; it can't be deferred.")
        length = tus.count_of("Upload-Length", call.header("Upload-Length"))
        metadata = tus.metadata_of(call.header("Upload-Metadata"))
        checksum = tus.checksum_of(call.header("Upload-Checksum"))
        content = call.content
        if content.length != 0:
            tus.check_type(call.header("Content-Type"))
            if (content.length or 0) > length:
                raise Problem(Code.too_large, f"The upload has {length} bytes.")
        user_id = call.identity.user_id
        upload = await self._uploads.create(
            user_id, length, metadata.conversation_id, metadata.metadata, metadata.text
        )
        if content.length != 0:
            try:
                upload = await self._uploads.append(
                    user_id, upload.file_id, 0, content, content.length, checksum
                )
            except BaseException:
                # Nobody will ever know where it is.
                await self._uploads.end(user_id, upload.file_id)
                raise
        headers = {"Location": f"{call.path}/{upload.file_id}", **_progress(upload)}
        return Answer(201, None, headers)

    @route(
        "HEAD",
        "/files/uploads/{upload_id}",
        status=200,
        headers=_RESUMABLE,
        errors=(Code.gone, Code.precondition_failed),
    )
    async def upload_progress(self, call: Call) -> Answer:
        """How far a resumable upload has got: Upload-Offset of Upload-Length."""
        _check_version(call)
        upload = await self._uploads.find(call.identity.user_id, call.params["upload_id"])
        headers = {"Upload-Length": str(upload.length), **_progress(upload)}
        if upload.metadata:
            headers["Upload-Metadata"] = upload.metadata
        return Answer(200, None, headers)

    @route(
        "PATCH",
        "/files/uploads/{upload_id}",
        streamed=True,
        headers={**_RESUMABLE, **_OFFSET, **_CHECKSUM},
        errors=(
            Code.blocked,
            Code.conflict,
            Code.gone,
            Code.precondition_failed,
            Code.unsupported_media_type,
            Code.checksum_mismatch,
        ),
    )
    async def append_to_upload(self, call: Call) -> Answer:
        """Add bytes to a resumable upload; the answer that completes it bears X-File-ID."""
        _check_version(call)
        tus.check_type(call.header("Content-Type"))
        offset = tus.count_of("Upload-Offset", call.header("Upload-Offset"))
        upload = await self._uploads.append(
            call.identity.user_id,
            call.params["upload_id"],
            offset,
            call.content,
            call.content.length,
            tus.checksum_of(call.header("Upload-Checksum")),
        )
        return Answer(204, None, _progress(upload))

    @route(
        "DELETE",
        "/files/uploads/{upload_id}",
        headers=_RESUMABLE,
        errors=(Code.precondition_failed,),
    )
    async def end_upload(self, call: Call) -> None:
        """Give a resumable upload up, or delete the file that it has become."""
        _check_version(call)
        await self._uploads.end(call.identity.user_id, call.params["upload_id"])

    @route(
        "POST",
        "/files/uploads/{upload_id}",
        streamed=True,
        headers={**_RESUMABLE, "X-HTTP-Method-Override": "`PATCH`, `DELETE` or `HEAD`: the method meant."},
        also=(200,),
        errors=(
            Code.blocked,
            Code.conflict,
            Code.gone,
            Code.method_not_allowed,
            Code.precondition_failed,
            Code.unsupported_media_type,
            Code.checksum_mismatch,
        ),
    )
    async def overridden(self, call: Call) -> Answer:
        """One of the other methods, for clients between which and us only POST gets through (tus 1.0.0)."""
        match call.header("X-HTTP-Method-Override"):
            case "PATCH":
                return await self.append_to_upload(call)
            case "HEAD":
                return await self.upload_progress(call)
            case "DELETE":
                await self.end_upload(call)
                return Answer(204)
        raise Problem(Code.method_not_allowed, headers={"Allow": "DELETE, HEAD, OPTIONS, PATCH"})


def _check_version(call: Call) -> None:
    call.answer_headers["Tus-Resumable"] = tus.VERSION
    tus.check_version(call.header("Tus-Resumable"))


def _progress(upload: Upload) -> dict[str, str]:
    headers = {"Upload-Offset": str(upload.offset)}
    if upload.stored:
        headers["X-File-ID"] = upload.file_id
    else:
        headers["Upload-Expires"] = tus.expires_text(upload.expires_at)
    return headers
