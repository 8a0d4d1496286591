"""The chunked transfer coding (RFC 9112 section 7.1), decoded by Twisted and held to sizes of this world.

Extensions are skipped; trailers are read, held to the form of headers and dropped (at most 64 KiB of them).
"""

import re

from twisted.web.http import _ChunkedTransferDecoder, _MalformedChunkedDataError

LARGEST_CHUNK = 10**15
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")

BadChunk = _MalformedChunkedDataError
"""Raised by `dataReceived` for what is no chunked coding."""

_BARE_LF = BadChunk("A line ends in CR LF.")  # one that waits for more than LF would wait for ever


class ChunkedDecoder(_ChunkedTransferDecoder):
    """Twisted's decoder, which would wait for a chunk of any size."""

    def _dataReceived_CHUNK_LENGTH(self) -> bool:
        found = super()._dataReceived_CHUNK_LENGTH()
        if found and self.length > LARGEST_CHUNK:
            raise BadChunk("A chunk is too large.")
        if not found and b"\n" in self._buffer:
            raise _BARE_LF
        return found

    def _dataReceived_TRAILER(self) -> bool:
        more = super()._dataReceived_TRAILER()
        if self._trailerHeaders and not _TRAILER.fullmatch(self._trailerHeaders.pop()):
            raise BadChunk("A trailer is malformed.")
        if not more and b"\n" in self._buffer:
            raise _BARE_LF
        return more
