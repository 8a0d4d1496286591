"""Strict parsing: what is refused, under which status, and what is not."""

import pytest

from tests.core.http.http_app import Endpoints, router
from tests.core.http.http_transport import GET, HOST, POST, Connection, site

CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "no host": (GET + b"\r\n", 400),
    "two hosts": (GET + HOST + HOST + b"\r\n", 400),
    "empty host": (GET + b"Host:\r\n\r\n", 400),
    "host with a path": (GET + b"Host: a/b\r\n\r\n", 400),
    "host with a user": (GET + b"Host: u@a\r\n\r\n", 400),
    "host with a space": (GET + b"Host: a b\r\n\r\n", 400),
    "host with two ports": (GET + b"Host: a:1:2\r\n\r\n", 400),
    "folded header": (GET + HOST + b"X-A: 1\r\n 2\r\n\r\n", 400),
    "folded header with a tab": (GET + HOST + b"X-A: 1\r\n\t2\r\n\r\n", 400),
    "space before the first header": (GET + b" " + HOST + b"\r\n", 400),
    "space before the colon": (GET + HOST + b"X-A : 1\r\n\r\n", 400),
    "header without a colon": (GET + HOST + b"nothing\r\n\r\n", 400),
    "header without a name": (GET + HOST + b": 1\r\n\r\n", 400),
    "NUL in a value": (GET + HOST + b"X-A: a\0b\r\n\r\n", 400),
    "bare LF in a value": (GET + HOST + b"X-A: a\nX-B: b\r\n\r\n", 400),
    "bare LF everywhere": (b"GET /api/v1/page HTTP/1.1\nHost: a\n\n", 400),
    "bare LF behind the last header": (GET + b"Host: a\n\r\n", 400),
    "bare LF in a line that goes on": (GET + b"Host: a\nX-A: b", 400),
    "bare CR in a value": (GET + HOST + b"X-A: a\rb\r\n\r\n", 400),
    "underscore TE": (POST + b"Transfer_Encoding: chunked\r\n\r\n", 400),
    "underscore CL": (POST + b"Content_Length: 5\r\n\r\n", 400),
    "TE identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "TE gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "TE gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "TE chunked, identity": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n", 501),
    "TE twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "TE chunked then identity": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        400,
    ),
    "TE vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n", 501),
    "TE on 1.0": (b"POST /api/v1/sum HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "CL and TE": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "TE and CL": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
    "CL twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    "CL list": (POST + b"Content-Length: 5, 5\r\n\r\n", 400),
    "CL signed": (POST + b"Content-Length: +5\r\n\r\n", 400),
    "CL negative": (POST + b"Content-Length: -5\r\n\r\n", 400),
    "CL hexadecimal": (POST + b"Content-Length: 0x5\r\n\r\n", 400),
    "CL empty": (POST + b"Content-Length:\r\n\r\n", 400),
    "CL of 23 digits": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 413),
    "CL of 5000 digits": (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "TRACE": (b"TRACE /api/v1/page HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "unknown expectation": (POST + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n", 417),
    "absolute target of another host": (b"GET http://other/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "absolute target with a user": (b"GET http://u@example.org/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "other scheme": (b"GET ftp://example.org/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no slash": (b"GET api HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "star": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "fragment": (b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "raw byte in the target": (b"GET /\xa0 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two spaces": (b"GET  /a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no version": (b"GET /a\r\n" + HOST + b"\r\n", 400),
    "version 2.0": (b"GET /a HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "version 1.2": (b"GET /a HTTP/1.2\r\n" + HOST + b"\r\n", 505),
    "lower-case version": (b"GET /a http/1.1\r\n" + HOST + b"\r\n", 400),
    "method that is no token": (b"G(T /a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
    "head too large": (GET + HOST + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 900) for n in range(20)), 431),
    "header line too long": (GET + HOST + b"X-A: " + b"x" * 20_000, 431),
    "too many headers": (GET + HOST + b"X-A: 1\r\n" * 200 + b"\r\n", 431),
    "target too long": (b"GET /" + b"x" * 20_000, 414),
    "chunk size of 17 digits": (CHUNKED + b"1" * 17 + b"\r\n", 400),
    "chunk size negative": (CHUNKED + b"-1\r\n", 400),
    "chunk size with 0x": (CHUNKED + b"0x1\r\na\r\n", 400),
    "chunk size empty": (CHUNKED + b"\r\n", 400),
    "chunk size with a space": (CHUNKED + b"1 \r\na\r\n", 400),
    "chunk without its end": (CHUNKED + b"1\r\nabc", 400),
    "chunk extension with LF": (CHUNKED + b"1;a\nb\r\na\r\n", 400),
    "chunks with LF everywhere": (CHUNKED + b"1\na\n0\n\n", 400),
    "trailers with LF everywhere": (CHUNKED + b"1\r\na\r\n0\r\nX: a\n\n", 400),
    "trailers without an end": (CHUNKED + b"0\r\n" + b"X: " + b"x" * 70_000, 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_an_answer(name):
    data, status = REFUSED[name]
    client = Connection(site(router(Endpoints())))
    client.send(data)
    reply = client.reply()
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert reply.headers["connection"] == "close"
    assert reply.headers["x-request-id"] == reply.json["request_id"]
    assert client.closed
    client.send(b"GET /api/v1/page HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.replies() == []


REFUSED_HEADS = ("CL and TE", "TRACE", "unknown expectation", "absolute target of another host")


@pytest.mark.parametrize("name", REFUSED_HEADS)
def test_refused_under_the_id_that_it_bears(name):
    data, status = REFUSED[name]
    client = Connection(site(router(Endpoints())))
    client.send(data.replace(HOST, HOST + b"X-Request-ID: find-me\r\n", 1))
    reply = client.reply()
    assert (reply.status, reply.headers["x-request-id"], reply.json["request_id"]) == (
        status,
        "find-me",
        "find-me",
    )


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("name", ["folded header", "TE twice", "version 2.0", "chunk without its end"])
def test_refused_in_pieces_too(name, size):
    data, status = REFUSED[name]
    client = Connection(site(router(Endpoints())))
    for start in range(0, len(data), size):
        client.send(data[start : start + size])
    assert client.reply().status == status


ACCEPTED = {
    "absolute target": b"GET http://Example.org/api/v1/page HTTP/1.1\r\n" + HOST + b"\r\n",
    "host with a port": GET + b"Host: a:8080\r\n\r\n",
    "IPv6 host": GET + b"Host: [::1]:8080\r\n\r\n",
    "no host on 1.0": b"GET /api/v1/page HTTP/1.0\r\n\r\n",
    "an empty line before the request": b"\r\n" + GET + HOST + b"\r\n",
    "expectation on a request without a body": GET + HOST + b"Expect: 100-continue\r\n\r\n",
    "empty header": GET + HOST + b"X-A:\r\n\r\n",
    "bytes beyond ASCII in a value": GET + HOST + b"X-A: \xc3\xa4\r\n\r\n",
    "length zero": GET + HOST + b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    client = Connection(site(router(Endpoints())))
    client.send(ACCEPTED[name])
    assert client.reply().status == 200
