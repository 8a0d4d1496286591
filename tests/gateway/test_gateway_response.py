"""The parser of upstream answers is strict, and indifferent to how bytes are cut."""

import pytest

from messenger.gateway.response import MAX_HEAD, BadResponse, ResponseParser


class Receiver:
    def __init__(self):
        self.events = []
        self.body = b""

    def proceed(self):
        self.events.append("proceed")

    def head(self, head):
        self.events.append((head.status, head.length))
        self.headers = head.headers

    def data(self, data):
        self.body += data

    def end(self):
        self.events.append("end")

    def switched(self, head, rest):
        self.events.append(("switched", rest))


def parse(data, method=b"GET", eof=False, size=None):
    parser, receiver = ResponseParser(), Receiver()
    parser.expect(method, receiver)
    for start in range(0, len(data), size or len(data)):
        parser.feed(data[start : start + (size or len(data))])
    if eof:
        parser.eof()
    return parser, receiver


GOOD = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", [(200, 3), "end"], b"abc", True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", [(200, 0), "end"], b"", True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
        [(200, None), "end"],
        b"abc",
        True,
    ),
    "204": (b"HTTP/1.1 204 No\r\n\r\n", [(204, 0), "end"], b"", True),
    "304": (b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", [(304, 0), "end"], b"", True),
    "close": (
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\na",
        [(200, 1), "end"],
        b"a",
        False,
    ),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", [(200, 1), "end"], b"a", False),
    "interim": (
        b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ["proceed", (200, 0), "end"],
        b"",
        True,
    ),
    "same length twice": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        [(200, 1), "end"],
        b"a",
        True,
    ),
}


@pytest.mark.parametrize("size", [None, 1, 5])
@pytest.mark.parametrize("name", GOOD)
def test_good(name, size):
    data, events, body, persistent = GOOD[name]
    parser, receiver = parse(data, size=size)
    assert (receiver.events, receiver.body, parser.persistent) == (events, body, persistent)
    assert not parser.busy


def test_until_the_end():
    parser, receiver = parse(b"HTTP/1.1 200 OK\r\n\r\nabc", eof=True)
    assert (receiver.events, receiver.body) == ([(200, None), "end"], b"abc")
    assert not parser.persistent


def test_answer_to_head_has_no_body():
    parser, receiver = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", method=b"HEAD")
    assert receiver.events == [(200, 0), "end"]
    assert parser.persistent


def test_several_on_one_connection():
    parser, receiver = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
    parser.expect(b"GET", receiver)
    parser.feed(b"HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nb")
    assert receiver.events == [(200, 1), "end", (404, 1), "end"]
    assert receiver.body == b"ab"


def test_switched():
    parser, receiver = parse(b"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\n\r\nframe")
    assert receiver.events == [("switched", b"frame")]
    assert not parser.persistent


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 204 No\r\n\r\nabc",
    ],
)
def test_bytes_beyond_the_answer_end_the_connection(data):
    parser, _ = parse(data)
    assert not parser.persistent


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_HEAD,
    ],
)
def test_bad(data):
    with pytest.raises(BadResponse):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_cut_short(data):
    with pytest.raises(BadResponse):
        parse(data, eof=True) if data else parse(b"H", eof=True)


def test_unasked():
    with pytest.raises(BadResponse):
        ResponseParser().feed(b"x")
