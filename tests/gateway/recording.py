"""A strict reader of what a service behind the gateway receives."""

import re
from dataclasses import dataclass

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/1\.1")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t -~\x80-\xff]*)")


@dataclass
class Crossed:
    """One request as a service read it. Names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes

    @property
    def short(self):
        return (self.method, self.target, self.body)


def read_request(data):
    """The first complete request in `data` and what follows it; None while it is not complete.

    AssertionError for whatever the gateway should never send.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.split(b"\r\n")
    line = _LINE.fullmatch(first)
    assert line, first
    headers = {}
    for text in lines:
        match = _HEADER.fullmatch(text)
        assert match, text
        headers.setdefault(match[1].decode().lower(), []).append(match[2].decode("latin-1"))
    for name in ("host", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"):
        assert len(headers[name]) == 1, name
    lengths, codings = headers.get("content-length", []), headers.get("transfer-encoding", [])
    assert len(lengths) + len(codings) <= 1
    if codings:
        assert codings == ["chunked"]
        found = _dechunk(rest)
    else:
        size = int(lengths[0]) if lengths else 0
        found = (rest[:size], rest[size:]) if len(rest) >= size else None
    if found is None:
        return None
    body, rest = found
    return Crossed(line[1].decode(), line[2].decode(), headers, body), rest


def _dechunk(data):
    parts = []
    while True:
        size, end, data = data.partition(b"\r\n")
        if not end:
            return None
        assert re.fullmatch(rb"[0-9a-f]+", size), size
        length = int(size, 16)
        if len(data) < length + 2:
            return None
        assert data[length : length + 2] == b"\r\n"
        parts.append(data[:length])
        data = data[length + 2 :]
        if length == 0:
            return b"".join(parts), data


def judge(case, crossed, statuses):
    """Assert that what crossed is what the case says."""
    assert [one.short for one in crossed] == list(case.crossed)
    assert statuses == list(case.statuses)
    for one in crossed:
        for name in case.absent:
            name, _, value = name.partition(": ")
            assert name not in one.headers or (value and value not in one.headers[name]), name
        for name, value in case.present.items():
            assert one.headers.get(name) == [value], name


def waits(data):
    """Whether this is a complete head that asks for `100 Continue`."""
    head, end, _ = data.partition(b"\r\n\r\n")
    return bool(end) and b"\r\nExpect: 100-continue" in head
