"""Reading the answers of an upstream (RFC 9112), without any I/O.

One parser belongs to one connection. It is as strict as the server side: an answer whose end could be read
in two ways (RFC 9112 section 6.3) is an error, and so are bytes that nobody asked for. Interim answers (1xx)
are skipped, but for 100, which is told, and 101, which ends HTTP on the connection. Trailers are dropped.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from messenger.core.http.chunked import BadChunk, ChunkedDecoder

MAX_HEAD = 65_536
_MAX_LENGTH_DIGITS = 15
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_BODYLESS = frozenset({204, 304})


class BadResponse(Exception):
    """The upstream did not answer in HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's head. `length` is its body's in bytes, None where only its end will tell."""

    status: int
    headers: list[tuple[bytes, bytes]]
    length: int | None
    persistent: bool

    def values(self, name: bytes) -> list[bytes]:
        """The values of all headers of this name (lower case)."""
        return [value for known, value in self.headers if known.lower() == name]


class Receiver(Protocol):
    """Takes one answer, in this order: `head`, `data` any number of times, `end`."""

    def proceed(self) -> None:
        """The upstream said 100: it wants the request's body."""

    def head(self, head: Head) -> None:
        """The answer's head is complete."""

    def data(self, data: bytes) -> None:
        """Bytes of the body."""

    def end(self) -> None:
        """The answer is complete."""

    def switched(self, head: Head, rest: bytes) -> None:
        """The upstream said 101; `rest` is the first of what follows in the other protocol."""


class ResponseParser:
    """Feed it what the upstream sends; BadResponse is raised for what is wrong."""

    def __init__(self) -> None:
        self._buffer = b""
        self._receiver: Receiver | None = None
        self._bodyless = False
        self._remaining: int | None = None
        self._chunked: ChunkedDecoder | None = None
        self._in_body = False
        self.persistent = True

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited or under way."""
        return self._receiver is not None

    def expect(self, method: bytes, receiver: Receiver) -> None:
        """A request with this method was sent: the next answer goes to `receiver`."""
        self._receiver = receiver
        self._bodyless = method == b"HEAD"

    def feed(self, data: bytes) -> None:
        """Take bytes from the network."""
        if self._in_body:
            self._body(data)
            return
        if self._receiver is None:
            raise BadResponse("bytes that nobody asked for")
        self._buffer += data
        while not self._in_body and self._receiver is not None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD:
                    raise BadResponse("the head is too large")
                return
            raw, rest = self._buffer[:end], self._buffer[end + 4 :]
            self._buffer = b""
            self._head(raw, rest)

    def eof(self) -> None:
        """The connection has ended; BadResponse where that is in the middle of an answer."""
        if self._receiver is None:
            return
        if self._in_body and self._remaining is None and self._chunked is None:
            self._finish(b"")
            return
        raise BadResponse("the connection ended before the answer did")

    def _head(self, raw: bytes, rest: bytes) -> None:
        head = parse_head(raw, self._bodyless)
        receiver = self._receiver
        assert receiver is not None
        if head.status == 101:
            self._receiver = None
            self.persistent = False
            receiver.switched(head, rest)
            return
        if head.status < 200:
            self._buffer = rest
            if head.status == 100:
                receiver.proceed()
            return
        self.persistent = head.persistent
        self._in_body = True
        self._remaining = head.length
        if head.length is None and head.values(b"transfer-encoding"):
            self._chunked = ChunkedDecoder(receiver.data, self._finish)
        receiver.head(head)
        if head.length == 0:
            self._finish(rest)
        elif rest:
            self._body(rest)

    def _body(self, data: bytes) -> None:
        receiver = self._receiver
        assert receiver is not None
        if self._chunked is not None:
            try:
                self._chunked.dataReceived(data)
            except BadChunk as error:
                raise BadResponse(str(error)) from None
        elif self._remaining is None:
            receiver.data(data)
        elif len(data) < self._remaining:
            self._remaining -= len(data)
            receiver.data(data)
        else:
            size, self._remaining = self._remaining, 0
            receiver.data(data[:size])
            self._finish(data[size:])

    def _finish(self, rest: bytes) -> None:
        receiver, self._receiver = self._receiver, None
        self._chunked = None
        self._in_body = False
        if rest:
            self.persistent = False  # nothing was asked for beyond this answer
        if receiver is not None:
            receiver.end()


def parse_head(raw: bytes, bodyless: bool) -> Head:
    """The head in `raw`, which has no empty line at its end. `bodyless`: the answer to a HEAD."""
    first, *lines = raw.split(b"\r\n")
    match = _STATUS.fullmatch(first)
    if match is None:
        raise BadResponse("no status line")
    status = int(match[2])
    headers: list[tuple[bytes, bytes]] = []
    lengths: set[bytes] = set()
    codings: list[bytes] = []
    close = match[1] == b"0"
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise BadResponse("a malformed header")
        name, value = found[1], found[2]
        folded = name.lower()
        if folded == b"content-length":
            lengths.add(value)
        elif folded == b"transfer-encoding":
            codings.append(value.lower())
        elif folded == b"connection":
            close = close or b"close" in [token.strip().lower() for token in value.split(b",")]
        headers.append((name, value))
    length = _length(status, bodyless, lengths, codings)
    if length is None and not codings:
        close = True
    return Head(status, headers, length, not close)


def _length(status: int, bodyless: bool, lengths: set[bytes], codings: list[bytes]) -> int | None:
    if codings and (codings != [b"chunked"] or lengths):
        raise BadResponse("a transfer coding that is not chunked alone")
    if len(lengths) > 1:
        raise BadResponse("several lengths")
    if bodyless or status < 200 or status in _BODYLESS:
        return 0
    if codings or not lengths:
        return None
    [text] = lengths
    if not text.isdigit() or len(text) > _MAX_LENGTH_DIGITS:
        raise BadResponse("a malformed length")
    return int(text)
