"""What may cross the gateway, case by case: RFC 9110, RFC 9112 and published request-smuggling techniques.

A case is what a client sends, and what has to come of it: `crossed` are the complete requests that a service
then has received, as (method, target, body), and `statuses` what the client was answered, in order. Where
nothing may cross a refusal comes all the same. Techniques are named after their publications: CL.TE and TE.CL
(Linhart et al. 2005, Kettle 2019), TE.TE by obfuscation (Kettle 2019), CL.0 and 0.CL (Kettle 2022, 2025),
chunk-extension and line-terminator tricks (TERM.EXT, EXT.TERM: Jeppe Bonde Weikop 2025), hop-by-hop abuse
(Davison 2019), h2c and WebSocket smuggling (Bishop Fox 2020, Egorov 2019).
"""

from dataclasses import dataclass, field

A = "/api/v1/users/a"
F = "/api/v1/files"
GET = f"GET {A} HTTP/1.1\r\n"
POST = f"POST {F} HTTP/1.1\r\n"
HOST = "Host: example.org\r\n"
END = "\r\n"
HIDDEN = f"GET /metrics HTTP/1.1\r\n{HOST}\r\n"  # what an attacker would like to be read as a request
CHUNKED = "Transfer-Encoding: chunked\r\n"


@dataclass(frozen=True)
class Case:
    """See the module's docstring. `absent` are headers (lower case) that must not have crossed."""

    name: str
    data: bytes
    statuses: tuple[int, ...]
    crossed: tuple[tuple[str, str, bytes], ...] = ()
    absent: tuple[str, ...] = ()
    present: dict[str, str] = field(default_factory=dict)


CASES: list[Case] = []


def refused(status, name, *parts):
    """One answer, and nothing crosses."""
    CASES.append(Case(name, "".join(parts).encode("latin-1"), (status,)))


def passes(name, *parts, body=b"", method=None, target=None, absent=(), present=None, more=()):
    """One request crosses, as it was meant; then there are `more` answers."""
    data = "".join(parts).encode("latin-1")
    words = data.lstrip(b"\r\n").split(b" ", 2)
    crossing = (method or words[0].decode(), target or words[1].decode(), body)
    CASES.append(Case(name, data, (200, *more), (crossing,), tuple(absent), present or {}))


# RFC 9112 section 3: the request line.

passes("plain GET", GET, HOST, END)
passes("HEAD", f"HEAD {A} HTTP/1.1\r\n", HOST, END)
passes("OPTIONS that is no preflight", f"OPTIONS {F}/uploads HTTP/1.1\r\n", HOST, END)
passes("query as it is", f"GET {A}?x=%2F%00&y=../..//&z=a%20b HTTP/1.1\r\n", HOST, END)
passes("an empty line before", "\r\n", GET, HOST, END)
passes("HTTP/1.0", f"GET {A} HTTP/1.0\r\n", END)
passes("absolute form", f"GET http://example.org{A} HTTP/1.1\r\n", HOST, END, target=A)
passes("absolute form in capitals", f"GET HTTP://EXAMPLE.ORG{A} HTTP/1.1\r\n", HOST, END, target=A)
refused(400, "absolute form for another host", f"GET http://internal{A} HTTP/1.1\r\n", HOST, END)
refused(400, "absolute form with a user", f"GET http://example.org@internal{A} HTTP/1.1\r\n", HOST, END)
refused(400, "absolute form with another port", f"GET http://example.org:8081{A} HTTP/1.1\r\n", HOST, END)
refused(400, "another scheme", f"GET file://example.org{A} HTTP/1.1\r\n", HOST, END)
refused(400, "authority form", "GET example.org:80 HTTP/1.1\r\n", HOST, END)
refused(400, "asterisk form of a GET", "GET * HTTP/1.1\r\n", HOST, END)
refused(404, "asterisk form of OPTIONS", "OPTIONS * HTTP/1.1\r\n", HOST, END)
refused(400, "two spaces after the method", f"GET  {A} HTTP/1.1\r\n", HOST, END)
refused(400, "two spaces before the version", f"GET {A}  HTTP/1.1\r\n", HOST, END)
refused(400, "a space at the end of the line", f"GET {A} HTTP/1.1 \r\n", HOST, END)
refused(400, "a space before the method", f" GET {A} HTTP/1.1\r\n", HOST, END)
refused(400, "a tab in the line", f"GET\t{A}\tHTTP/1.1\r\n", HOST, END)
refused(400, "a space in the target", f"GET {A} b HTTP/1.1\r\n", HOST, END)
refused(400, "no version (HTTP/0.9)", f"GET {A}\r\n", HOST, END)
refused(400, "no target", "GET HTTP/1.1\r\n", HOST, END)
refused(400, "a bare LF ends the line", f"GET {A} HTTP/1.1\n", HOST, END)
refused(400, "bare LF everywhere", f"GET {A} HTTP/1.1\nHost: example.org\n\n", END, END)
refused(400, "nothing but bare LF", f"GET {A} HTTP/1.1\nHost: example.org\n\n")
refused(400, "a bare CR ends the line", f"GET {A} HTTP/1.1\rHost: example.org\r\n", END)
refused(505, "version 1.2", f"GET {A} HTTP/1.2\r\n", HOST, END)
refused(505, "version 2.0", f"GET {A} HTTP/2.0\r\n", HOST, END)
refused(505, "version 3", f"GET {A} HTTP/3\r\n", HOST, END)
refused(400, "version 01.1", f"GET {A} HTTP/01.1\r\n", HOST, END)
refused(400, "version 1.10", f"GET {A} HTTP/1.10\r\n", HOST, END)
refused(400, "version in small letters", f"GET {A} http/1.1\r\n", HOST, END)
refused(400, "another protocol", f"GET {A} RTSP/1.0\r\n", HOST, END)
refused(505, "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
refused(400, "TLS on a plain port", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n")
refused(400, "a raw byte in the target", f"GET {A}\xe4 HTTP/1.1\r\n", HOST, END)
refused(400, "a NUL in the target", f"GET {A}\0 HTTP/1.1\r\n", HOST, END)
refused(400, "a fragment", f"GET {A}#b HTTP/1.1\r\n", HOST, END)
refused(414, "a long target", f"GET {A}?", "x" * 20_000, " HTTP/1.1\r\n", HOST, END)
refused(400, "a method in brackets", f"G(E)T {A} HTTP/1.1\r\n", HOST, END)
refused(405, "CONNECT", "CONNECT example.org:443 HTTP/1.1\r\n", HOST, END)
refused(405, "TRACE", f"TRACE {A} HTTP/1.1\r\n", HOST, END)
passes("a method in small letters is another method", f"get {A} HTTP/1.1\r\n", HOST, END)

# RFC 9112 section 3.2, RFC 9110 section 7.2: Host.

passes("host with a port", GET, "Host: example.org:8080\r\n", END)
passes("host in brackets", GET, "Host: [::1]:8080\r\n", END)
refused(400, "no host", GET, END)
refused(400, "two hosts", GET, HOST, "Host: internal\r\n", END)
refused(400, "the same host twice", GET, HOST, HOST, END)
refused(400, "an empty host", GET, "Host:\r\n", END)
refused(400, "a list of hosts", GET, "Host: example.org, internal\r\n", END)
refused(400, "host with a user", GET, "Host: example.org@internal\r\n", END)
refused(400, "host with a path", GET, "Host: example.org/internal\r\n", END)
refused(400, "host with a space", GET, "Host: example.org internal\r\n", END)
refused(400, "host with a bad port", GET, "Host: example.org:80:80\r\n", END)
refused(400, "host with a word as port", GET, "Host: example.org:http\r\n", END)
refused(400, "host with a space before the colon", GET, "Host : example.org\r\n", END)
refused(400, "a folded host", GET, "Host:\r\n example.org\r\n", END)
refused(400, "a host indented as a first line", GET, " Host: internal\r\n", HOST, END)

# RFC 9112 section 5: header fields.

passes("an empty value", GET, HOST, "X-A:\r\n", END, present={"x-a": ""})
passes("spaces around a value", GET, HOST, "X-A: \t b \t\r\n", END, present={"x-a": "b"})
passes("a value beyond ASCII", GET, HOST, "X-A: \xc3\xa4\r\n", END, present={"x-a": "\xc3\xa4"})
refused(400, "a space before a colon", GET, HOST, "X-A : b\r\n", END)
refused(400, "a tab before a colon", GET, HOST, "X-A\t: b\r\n", END)
refused(400, "a folded line", GET, HOST, "X-A: b\r\n c\r\n", END)
refused(400, "a folded line by a tab", GET, HOST, "X-A: b\r\n\tc\r\n", END)
refused(400, "a folded empty line", GET, HOST, "X-A: b\r\n \r\n", END)
refused(400, "no colon", GET, HOST, "X-A\r\n", END)
refused(400, "no name", GET, HOST, ": b\r\n", END)
refused(400, "a name with a space", GET, HOST, "X A: b\r\n", END)
refused(400, "a name in brackets", GET, HOST, "X(A): b\r\n", END)
refused(400, "a name beyond ASCII", GET, HOST, "X-\xe4: b\r\n", END)
refused(400, "a NUL in a name", GET, HOST, "X\0A: b\r\n", END)
refused(400, "a NUL in a value", GET, HOST, "X-A: b\0c\r\n", END)
refused(400, "a bare CR in a value", GET, HOST, "X-A: b\rX-B: c\r\n", END)
refused(400, "a bare LF in a value", GET, HOST, "X-A: b\nX-B: c\r\n", END)
refused(400, "a bare LF before the body's length", POST, HOST, "X-A: b\nContent-Length: 5\r\n", END, "abcde")
refused(400, "CR CR LF", GET, HOST, "X-A: b\r\r\n", END)
refused(431, "a long line", GET, HOST, "X-A: ", "b" * 20_000, "\r\n", END)
refused(431, "many lines", GET, HOST, "X-A: b\r\n" * 300, END)
refused(431, "a large head", GET, HOST, "".join(f"X-{n}: {'b' * 900}\r\n" for n in range(30)), END)

# RFC 9112 section 6.2: Content-Length.

passes("a body", POST, HOST, "Content-Length: 5\r\n", END, "abcde", body=b"abcde")
passes("no body", POST, HOST, "Content-Length: 0\r\n", END, present={"content-length": "0"})
passes("no length", POST, HOST, END, present={"content-length": "0"})
passes("a GET with a body", GET, HOST, "Content-Length: 5\r\n", END, "abcde", body=b"abcde")
for text in (
    "+5",
    "-5",
    "5 5",
    "5,5",
    "5, 5",
    "5;",
    "0x5",
    "5.0",
    "5e0",
    "five",
    '"5"',
    "\xb2",
    "5\x0b",
    "٥"[:0],
):
    refused(400, f"length {text!r}", POST, HOST, f"Content-Length: {text}\r\n", END, "abcde", HIDDEN)
refused(400, "two lengths", POST, HOST, "Content-Length: 5\r\nContent-Length: 6\r\n", END, "abcde", HIDDEN)
refused(400, "the same length twice", POST, HOST, "Content-Length: 5\r\n" * 2, END, "abcde", HIDDEN)
refused(400, "a length with a space", POST, HOST, "Content-Length : 5\r\n", END, "abcde", HIDDEN)
refused(400, "a length with an underscore", POST, HOST, "Content_Length: 5\r\n", END, "abcde")
refused(413, "a length of 20 digits", POST, HOST, f"Content-Length: {2**64 + 5}\r\n", END, "abcde", HIDDEN)
refused(413, "a length of 5,000 digits", POST, HOST, f"Content-Length: {'0' * 4_999}5\r\n", END, "abcde")
passes("a length in small letters", POST, HOST, "content-length: 5\r\n", END, "abcde", body=b"abcde")

# RFC 9112 section 6.1: Transfer-Encoding. CL.TE, TE.CL, TE.TE.

passes("chunked", POST, HOST, CHUNKED, END, "5\r\nabcde\r\n0\r\n\r\n", body=b"abcde")
passes("CHUNKED", POST, HOST, "TRANSFER-ENCODING: CHUNKED\r\n", END, "5\r\nabcde\r\n0\r\n\r\n", body=b"abcde")
refused(400, "CL.TE", POST, HOST, "Content-Length: 5\r\n", CHUNKED, END, "0\r\n\r\n", HIDDEN)
refused(400, "TE.CL", POST, HOST, CHUNKED, "Content-Length: 5\r\n", END, "0\r\n\r\n", HIDDEN)
refused(
    400, "CL.TE with a length of 0", POST, HOST, "Content-Length: 0\r\n", CHUNKED, END, "0\r\n\r\n", HIDDEN
)
refused(400, "chunked twice", POST, HOST, CHUNKED, CHUNKED, END, "0\r\n\r\n", HIDDEN)
refused(400, "chunked, then identity", POST, HOST, CHUNKED, "Transfer-Encoding: identity\r\n", END, HIDDEN)
refused(
    501, "chunked, then another", POST, HOST, CHUNKED, "Transfer-Encoding: x\r\n", END, "0\r\n\r\n", HIDDEN
)
refused(400, "identity", POST, HOST, "Transfer-Encoding: identity\r\nContent-Length: 5\r\n", END, "abcde")
for text in (
    "gzip",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked,",
    ",chunked",
    "xchunked",
    "chunkedx",
    "chunk",
    '"chunked"',
    "'chunked'",
    "chunked;q=1",
    "chunked; a=b",
    "\x0bchunked",
    "\x0cchunked",
    "chunked\x0b",
    "\xa0chunked",
    "\x85chunked",
    "",
    "cow",
    "deflate",
    "x-gzip",
):
    refused(501, f"coding {text!r}", POST, HOST, f"Transfer-Encoding: {text}\r\n", END, "0\r\n\r\n", HIDDEN)
refused(
    400, "coding with a space before the colon", POST, HOST, "Transfer-Encoding : chunked\r\n", END, HIDDEN
)
refused(
    400, "coding with a tab before the colon", POST, HOST, "Transfer-Encoding\t: chunked\r\n", END, HIDDEN
)
refused(400, "coding in a folded line", POST, HOST, "Transfer-Encoding:\r\n chunked\r\n", END, HIDDEN)
refused(400, "coding behind a fold", POST, HOST, "X-A: b\r\n Transfer-Encoding: chunked\r\n", END, HIDDEN)
refused(400, "coding with an underscore", POST, HOST, "Transfer_Encoding: chunked\r\n", END, HIDDEN)
refused(400, "coding behind a bare CR", POST, HOST, "X-A: b\rTransfer-Encoding: chunked\r\n", END, HIDDEN)
refused(400, "coding behind a bare LF", POST, HOST, "X-A: b\nTransfer-Encoding: chunked\r\n", END, HIDDEN)
refused(400, "coding with a NUL", POST, HOST, "Transfer-Encoding: chunked\0\r\n", END, HIDDEN)
refused(400, "a name with a NUL", POST, HOST, "Transfer-Encoding\0: chunked\r\n", END, HIDDEN)
refused(400, "coding on HTTP/1.0", f"POST {F} HTTP/1.0\r\n", HOST, CHUNKED, END, "0\r\n\r\n", HIDDEN)
passes(
    "a coding under another name is none",
    POST,
    HOST,
    "X-Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    END,
    "abcde",
    body=b"abcde",
)

# RFC 9112 section 7.1: chunks, their extensions, trailers.

for name, chunks, body in (
    ("several", "1\r\na\r\n4\r\nbcde\r\n0\r\n\r\n", b"abcde"),
    ("a size with zeros before it", "00005\r\nabcde\r\n000\r\n\r\n", b"abcde"),
    ("a size in either case", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
    ("an extension is dropped", '5;a=b;c="d"\r\nabcde\r\n0;x\r\n\r\n', b"abcde"),
    ("trailers are dropped", "5\r\nabcde\r\n0\r\nX-Trailer: 1\r\nContent-Length: 7\r\n\r\n", b"abcde"),
    ("what looks like an end within a chunk", "b\r\n0\r\n\r\nGET / \r\n0\r\n\r\n", b"0\r\n\r\nGET / "),
    ("an empty body", "0\r\n\r\n", b""),
):
    passes(f"chunks: {name}", POST, HOST, CHUNKED, END, chunks, body=body, absent=("x-trailer", "trailer"))
for name, chunks in (
    ("a size that is no number", "x\r\nabcde\r\n"),
    ("a negative size", "-5\r\nabcde\r\n"),
    ("a signed size", "+5\r\nabcde\r\n"),
    ("a size with 0x", "0x5\r\nabcde\r\n"),
    ("a size with an underscore", "0_5\r\nabcde\r\n"),
    ("a space before the size", " 5\r\nabcde\r\n"),
    ("a space behind the size", "5 \r\nabcde\r\n"),
    ("a tab behind the size", "5\t\r\nabcde\r\n"),
    ("no size", "\r\nabcde\r\n"),
    ("no size but an extension", ";a=b\r\nabcde\r\n"),
    ("a size of 17 digits", "1000000000000000a\r\nabcde\r\n"),
    ("a size beyond 64 bits", "10000000000000005\r\nabcde\r\n"),
    ("a size of 2^63", "8000000000000005\r\nabcde\r\n"),
    ("a chunk longer than its size", "3\r\nabcde\r\n0\r\n\r\n"),
    ("a chunk that a bare LF ends", "5\r\nabcde\n0\r\n\r\n"),
    ("a size that a bare LF ends", "5\nabcde\r\n0\r\n\r\n"),
    ("a size that a bare CR ends", "5\rabcde\r\n0\r\n\r\n"),
    ("a bare LF in an extension (TERM.EXT)", "2;\nxx\r\n4c\r\n0\r\n\r\n"),
    ("a bare LF before the extension's end (EXT.TERM)", "5;a\n\r\nabcde\r\n0\r\n\r\n"),
    ("a bare CR in an extension", "5;a\rb\r\nabcde\r\n0\r\n\r\n"),
    ("a NUL in an extension", "5;a\0\r\nabcde\r\n0\r\n\r\n"),
    ("a spill of the terminator (SPILL)", "5\r\nabcdeXX0\r\n\r\n"),
    ("a terminator of one byte", "5\r\nabcde\r0\r\n\r\n"),
    ("a trailer that is no header", "0\r\nGET /metrics HTTP/1.1\r\n\r\n"),
    ("a bare LF in a trailer", "0\r\nX: a\nb\r\n\r\n"),
    ("endless extensions", "5;" + "a" * 70_000),
    ("endless trailers", "0\r\n" + "X-A: b\r\n" * 20_000),
):
    refused(400, f"chunks: {name}", POST, HOST, CHUNKED, END, chunks, HIDDEN)

# Several requests, and what stands between them.

TWICE = (("GET", A, b""), ("GET", A, b""))
CASES.append(Case("pipelined", (GET + HOST + END).encode() * 2, (200, 200), TWICE))
CASES.append(
    Case("an empty line between", (GET + HOST + END + END + GET + HOST + END).encode(), (200, 200), TWICE)
)
CASES.append(
    Case(
        "CL.0: a body is no request",
        (POST + HOST + f"Content-Length: {len(HIDDEN)}\r\n" + END + HIDDEN + GET + HOST + END).encode(),
        (200, 200),
        (("POST", F, HIDDEN.encode()), ("GET", A, b"")),
    )
)
CASES.append(
    Case(
        "a chunked body is no request",
        (
            POST + HOST + CHUNKED + END + f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n" + GET + HOST + END
        ).encode(),
        (200, 200),
        (("POST", F, HIDDEN.encode()), ("GET", A, b"")),
    )
)
CASES.append(
    Case(
        "0.CL: what follows a length of 0 is a request of its own",
        (POST + HOST + "Content-Length: 0\r\n" + END + HIDDEN).encode(),
        (200, 404),
        (("POST", F, b""),),
    )
)
CASES.append(
    Case(
        "what follows Connection: close is not read",
        (GET + HOST + "Connection: close\r\n" + END + GET + HOST + END).encode(),
        (200,),
        (("GET", A, b""),),
    )
)
CASES.append(
    Case(
        "what follows a request of HTTP/1.0 is not read",
        (f"GET {A} HTTP/1.0\r\n" + HOST + END + GET + HOST + END).encode(),
        (200,),
        (("GET", A, b""),),
    )
)
CASES.append(
    Case(
        "a bad request behind a good one",
        (GET + HOST + END + GET + END).encode(),
        (200, 400),
        (("GET", A, b""),),
    )
)
CASES.append(Case("nothing follows a bad one", (GET + END + GET + HOST + END).encode(), (400,)))
refused(
    404,
    "a body for a path of nobody's",
    "POST /api/v1/nothing HTTP/1.1\r\n",
    HOST,
    "Content-Length: 5\r\n",
    END,
    "abcde",
)
