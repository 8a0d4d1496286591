"""Whatever bytes come, and however they are cut: an answer or a closed connection, and never an exception."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.http.http_app import UUID, Endpoints, router
from tests.core.http.http_transport import Connection, site

REQUESTS = [
    b"GET /api/v1/page?limit=3 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /api/v1/page HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n",
    b"POST /api/v1/sum HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b'Content-Length: 7\r\n\r\n{"a":1}',
    b'POST /api/v1/sum HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n{"a":1}',
    b"POST /api/v1/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST /api/v1/private HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"DELETE /api/v1/things/%s HTTP/1.1\r\nHost: a\r\n\r\n" % UUID.encode(),
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/v1/page HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    b"GET /api/v1/download HTTP/1.1\r\nHost: a\r\n\r\n",
]


def statuses(data, cuts):
    client = Connection(site(router(Endpoints())))
    start = 0
    for cut in [*sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]:
        client.send(data[start:cut])
        start = cut
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", client.transport.value())], client


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=5), st.lists(st.integers(0, 2000), max_size=30)
)
def test_cuts_change_nothing(requests, cuts):
    data = b"".join(requests)
    whole, _ = statuses(data, [])
    cut, client = statuses(data, cuts)
    assert cut == whole
    client.leave()
    for _ in range(100):
        client.channel.site.clock.advance(1)
    assert client.channel.site.connections == 0


MANGLED = st.builds(
    lambda request, place, size, junk: (
        request[: place % len(request)] + junk + request[place % len(request) + size :]
    ),
    st.sampled_from(REQUESTS),
    st.integers(0, 500),
    st.integers(0, 20),
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"\r\n\r\n", b"Content-Length: 5\r\n"]
        ),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(MANGLED, st.sampled_from(REQUESTS), st.binary(max_size=100)), max_size=4))
def test_nothing_raises(pieces):
    found, client = statuses(b"".join(pieces), [])
    assert all(status != 500 for status in found)
    for _ in range(200):
        client.channel.site.clock.advance(1)
    assert client.closed
