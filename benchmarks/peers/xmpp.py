"""What of XMPP (RFC 6120, 6121) a load needs: sign up, log in by SASL PLAIN, be present, hear stanzas.

Over plain TCP, on the loopback. `Stanzas` takes the stream apart and does no I/O.

    <stream:stream>          features; then, to sign up, an iq of jabber:iq:register (XEP-0077)
    <auth mechanism=PLAIN>   success
    <stream:stream>          features, again
    <iq><bind/></iq>         result, with the full address
    <presence/>              the same presence, sent back to us: messages come from now on
"""

import asyncio
import base64
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLPullParser
from xml.sax.saxutils import quoteattr

DOMAIN = "localhost"
OPEN_SECONDS = 60.0

_CLIENT = "{jabber:client}"
_STREAM = "{http://etherx.jabber.org/streams}"
_SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
_OPENING = (
    f"<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)

MESSAGE = f"{_CLIENT}message"


class Stanzas:
    """Cuts the bytes of one stream into its stanzas, however they arrive."""

    def __init__(self) -> None:
        self._parser: Any = XMLPullParser(("start", "end"))
        self._depth = 0
        self._stream: Element | None = None

    def feed(self, data: bytes) -> list[Element]:
        """The stanzas that have become whole; ConnectionError for what isn't XML."""
        found: list[Element] = []
        try:
            self._parser.feed(data)
            for event, element in self._parser.read_events():
                if event == "start":
                    if self._stream is None:
                        self._stream = element
                    self._depth += 1
                    continue
                self._depth -= 1
                if self._depth == 1:
                    found.append(element)
        except ParseError as error:
            raise ConnectionError(f"not XML: {error}") from None
        if found and self._stream is not None:
            self._stream.clear()  # or a stream would grow without end
        return found


class Client(asyncio.Protocol):
    """One connection of `name`; `heard(stanza)` is called for each stanza once it is `present`."""

    def __init__(
        self,
        name: str,
        password: str,
        heard: Callable[[Element], None],
        lost: Callable[[Exception], None],
        sign_up: bool = False,
    ) -> None:
        self._name = name
        self._password = password
        self._heard = heard
        self._lost = lost
        self._sign_up = sign_up
        self._stanzas = Stanzas()
        self._step: Callable[[Element], None] = self._first_features
        self.transport: Any = None
        self.present: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.say(_OPENING)

    def data_received(self, data: bytes) -> None:
        try:
            for stanza in self._stanzas.feed(data):
                if stanza.tag == f"{_STREAM}error":
                    raise ConnectionError(text(stanza))
                self._step(stanza)
        except Exception as error:
            self._end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("the server has closed the stream"))

    def say(self, words: str) -> None:
        """Send this."""
        self.transport.write(words.encode())

    def close(self) -> None:
        """Leave, without anybody's being told."""
        self._lost = _nobody
        self.transport.abort()

    def _end(self, error: Exception) -> None:
        self.transport.abort()
        if not self.present.done():
            self.present.set_exception(error)
        else:
            self._lost(error)

    # One method for each answer that is waited for.

    def _first_features(self, stanza: Element) -> None:
        if self._sign_up:
            self._step = self._signed_up
            self.say(
                "<iq type='set' id='up'><query xmlns='jabber:iq:register'>"
                f"<username>{self._name}</username><password>{self._password}</password></query></iq>"
            )
        else:
            self._authenticate()

    def _signed_up(self, stanza: Element) -> None:
        _expect(stanza, f"{_CLIENT}iq", "result")
        self._authenticate()

    def _authenticate(self) -> None:
        said = base64.b64encode(f"\0{self._name}\0{self._password}".encode()).decode()
        self._step = self._authenticated
        self.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{said}</auth>")

    def _authenticated(self, stanza: Element) -> None:
        _expect(stanza, f"{_SASL}success")
        self._stanzas = Stanzas()
        self._step = self._second_features
        self.say(_OPENING)

    def _second_features(self, stanza: Element) -> None:
        self._step = self._bound
        self.say("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")

    def _bound(self, stanza: Element) -> None:
        _expect(stanza, f"{_CLIENT}iq", "result")
        self._step = self._presence
        self.say("<presence/>")

    def _presence(self, stanza: Element) -> None:
        _expect(stanza, f"{_CLIENT}presence")
        self._step = self._heard
        self.present.set_result(None)


def _nobody(_error: Exception) -> None:
    return


def _expect(stanza: Element, tag: str, kind: str | None = None) -> None:
    if stanza.tag != tag or stanza.get("type") != kind:
        raise ConnectionError(f"not the answer: {text(stanza)}")


def text(stanza: Element) -> str:
    """A stanza in words, for an error."""
    return " ".join(f"{one.tag} {one.attrib} {one.text or ''}" for one in stanza.iter())


def message(to: str, name: str, body: str) -> str:
    """A message to the account `to`, called `name`; `body` needs no quoting."""
    return (
        f"<message type='chat' to={quoteattr(f'{to}@{DOMAIN}')} id={quoteattr(name)}>"
        f"<body>{body}</body></message>"
    )


async def connect(
    port: int,
    name: str,
    password: str,
    heard: Callable[[Element], None],
    lost: Callable[[Exception], None],
    sign_up: bool = False,
) -> Client:
    """A connection that is present; ConnectionError, or TimeoutError after OPEN_SECONDS."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: Client(name, password, heard, lost, sign_up), "127.0.0.1", port
    )
    await asyncio.wait_for(client.present, OPEN_SECONDS)
    return client
