"""Multipart uploads to S3 (its API reference: CreateMultipartUpload, UploadPart, CompleteMultipartUpload)."""

import re
from collections.abc import AsyncIterator, Sequence
from xml.sax.saxutils import escape, unescape

from messenger.core.room import Room
from messenger.core.s3_requests import S3Requests, away, code_in
from messenger.core.streams import Pieces

_UPLOAD_ID = re.compile(rb"<UploadId>([^<]{1,2048})</UploadId>")


class Multipart:
    """Uploads by `requests`; `room` is that of S3."""

    def __init__(self, requests: S3Requests, room: Room) -> None:
        self._requests = requests
        self._room = room

    async def begin(self, key: str) -> str:
        """The id of a new multipart upload. The blob appears when its parts are completed."""
        response = await self._requests.ask("POST", key, {"uploads": ""})
        body = self._requests.body(response)
        if response.code != 200:
            raise await self._requests.refusal(response, body, storing=True)
        match = _UPLOAD_ID.search(await self._requests.read(body))
        if match is None:
            raise away("S3 gave no upload id")
        return unescape(match[1].decode("utf-8", "replace"))

    async def put(
        self, key: str, upload_id: str, number: int, chunks: AsyncIterator[bytes], length: int
    ) -> str:
        """Store part `number` (from 1 on), of `length` bytes; gives its ETag."""
        query = {"partNumber": str(number), "uploadId": upload_id}
        self._room.check()
        response = await self._requests.send("PUT", key, chunks, length, query)
        await self._requests.settle(response, storing=True)
        (etag, *_) = response.headers.getRawHeaders(b"ETag", [b""])
        if not etag or not etag.isascii():
            raise away("S3 gave no ETag for a part")
        return str(etag.decode("ascii"))

    async def complete(self, key: str, upload_id: str, etags: Sequence[str]) -> None:
        """Make the blob of its parts, whose ETags are in order."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, etag in enumerate(etags, 1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        query = {"uploadId": upload_id}
        response = await self._requests.send("POST", key, Pieces([document]), len(document), query)
        body = self._requests.body(response)
        if response.code != 200:
            raise await self._requests.refusal(response, body, storing=True)
        # S3 may answer 200 first and find an error later: the body has the truth.
        raw = await self._requests.read(body)
        if b"<CompleteMultipartUploadResult" not in raw:
            raise away(f"S3 did not complete an upload: {code_in(raw)}")
