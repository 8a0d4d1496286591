"""Where a server listens, as text: Twisted's endpoint strings, with what a server of ours needs besides.

`tcp:PORT`, `ssl:PORT` and `systemd:` are ours, with Twisted's names for their arguments; all others
(`unix:PATH:mode=660`) are Twisted's own (see its `serverFromString`). A colon within a value is written
`\\:`.

- `interface=ADDRESS`: one IPv4 or IPv6 address (`\\:\\:` for all of IPv6, and IPv4 with it); all of IPv4
  without it. `backlog=N`: connections that wait to be accepted.
- `reusePort=yes` (SO_REUSEPORT): several processes listen on this port, and the kernel spreads connections
  over them. The kernel lets only processes of the same user share.
- `ssl` besides: `privateKey=FILE` and `certKey=FILE`, PEM both, and `extraCertChain=FILE` where the chain is
  not in the certificate's own file (where most CAs' clients put it). TLS 1.2 or newer. The files are read
  again on SIGHUP: new connections get the new certificate, connections that stand are left alone, and files
  that don't do leave the old ones in force.
- `systemd:index=N` or `systemd:name=NAME`: a socket of systemd's socket activation, with TLS where
  `privateKey` and `certKey` are given, as for `ssl`. `domain=INET` or `INET6` need not be said: the socket
  knows.
"""

import os
import re
import socket
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.SSL import Context as TLSContext
from OpenSSL.SSL import Error as TLSError
from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLContextFactory,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.tcp import makeBinding
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

BACKLOG = 1_024
_FIELD = re.compile(r"(?:[^:\\]|\\.)*")
_ESCAPED = re.compile(r"\\(.)")
_PLAIN = frozenset({"port", "interface", "backlog", "reusePort"})
_FILES = frozenset({"privateKey", "certKey", "extraCertChain"})
_SYSTEMD = frozenset({"domain", "index", "name"})
_YES = {"yes": True, "no": False}

log = Logger(namespace="messenger.http")


@implementer(IOpenSSLContextFactory)
class Certificate:
    """A server's certificate and key, from files that may change; ValueError where they don't do."""

    def __init__(self, private_key: str, certificate: str, chain: str | None = None) -> None:
        self._files = private_key, certificate, chain
        self._options = self._read()

    def _read(self) -> CertificateOptions:
        private_key, certificate, chain = self._files
        try:
            # Twisted's annotations know pyOpenSSL's own types only, which that has deprecated.
            key: Any = load_pem_private_key(Path(private_key).read_bytes(), None)
            pem = Path(certificate).read_bytes() + (b"\n" + Path(chain).read_bytes() if chain else b"")
            chain_found: list[Any] = list(load_pem_x509_certificates(pem))
            options = CertificateOptions(
                privateKey=key,
                certificate=chain_found[0],
                extraCertChain=chain_found[1:],
                insecurelyLowerMinimumTo=TLSVersion.TLSv1_2,
            )
            options.getContext()  # raises where key and certificate are not a pair
        except OSError as error:
            raise ValueError(f"{error.filename} can't be read: {error.strerror}") from None
        except (TLSError, ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError(
                f"{private_key} and {certificate} are no key and its certificate (PEM)"
            ) from None
        return options

    def reload(self) -> None:
        """Read the files again; where they don't do, go on with what there was and log why."""
        try:
            self._options = self._read()
        except ValueError as error:
            log.error(
                "the new certificate is not used: {why}; mend the file and send SIGHUP, the old one stays",
                event="certificate_kept",
                why=str(error),
            )
        else:
            log.info("certificate {file} read again", event="certificate_read", file=self._files[1])

    def getContext(self) -> TLSContext:
        """For Twisted, which asks at each connection."""
        context: TLSContext = self._options.getContext()
        return context


class Listener:
    """An endpoint of our own. `certificate` is None without TLS."""

    def __init__(self, reactor: Any, fields: dict[str, str]) -> None:
        self._reactor = reactor
        self.certificate: Certificate | None = None
        if "privateKey" in fields:
            key = fields["privateKey"]
            self.certificate = Certificate(key, fields.get("certKey", key), fields.get("extraCertChain"))
        elif not _FILES.isdisjoint(fields):
            raise ValueError("TLS wants privateKey=FILE and certKey=FILE")

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; CannotListenError where that can't be."""
        if self.certificate is not None:
            factory = TLSMemoryBIOFactory(self.certificate, False, factory)
        found: Deferred[IListeningPort] = execute(self._listen, factory)
        return found

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        raise NotImplementedError


@implementer(IStreamServerEndpoint)
class TcpListener(Listener):
    """An endpoint of `tcp` or `ssl`."""

    def __init__(self, reactor: Any, fields: dict[str, str]) -> None:
        super().__init__(reactor, fields)
        self._port = _number(fields, "port", None, 0, 65_535)
        self._interface = fields.get("interface", "")
        self._backlog = _number(fields, "backlog", BACKLOG, 1, 65_535)
        reuse = fields.get("reusePort", "no")
        if reuse not in _YES:
            raise ValueError(f"reusePort is yes or no, not {reuse!r}")
        self._reuse = _YES[reuse]

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        port: Any = self._port
        if self._reuse:
            port = makeBinding(self._interface, port, reuseAddress=True, reusePort=True)
        found: IListeningPort = self._reactor.listenTCP(port, factory, self._backlog, self._interface)
        return found


@implementer(IStreamServerEndpoint)
class SystemdListener(Listener):
    """A socket that systemd listens on for us, and goes on listening on while nobody serves it."""

    def __init__(self, reactor: Any, fields: dict[str, str]) -> None:
        super().__init__(reactor, fields)
        self._descriptor = _handed_over(reactor, fields)
        os.set_inheritable(self._descriptor, False)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        # The descriptor itself stays open: the next one who listens takes it again.
        with socket.socket(fileno=os.dup(self._descriptor)) as found:
            found.setblocking(False)
            port: IListeningPort = self._reactor.adoptStreamPort(found.fileno(), found.family, factory)
        return port


def listener(reactor: Any, text: str) -> IStreamServerEndpoint:
    """The endpoint that `text` describes; ValueError says what is wrong with it."""
    kind, _, rest = text.partition(":")
    if kind == "systemd":
        return SystemdListener(reactor, _fields(rest, _SYSTEMD | _FILES, first=None))
    if kind == "tcp":
        return TcpListener(reactor, _fields(rest, _PLAIN))
    if kind == "ssl":
        fields = _fields(rest, _PLAIN | _FILES)
        if "privateKey" not in fields:
            raise ValueError("ssl wants privateKey=FILE and certKey=FILE")
        return TcpListener(reactor, fields)
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(str(error)) from None
    return endpoint


def _handed_over(reactor: Any, fields: dict[str, str]) -> int:
    chosen = [f"{name}={fields[name]}" for name in ("index", "name") if name in fields]
    if len(chosen) != 1:
        raise ValueError("systemd wants index=N or name=NAME, one of the two")
    try:
        # Twisted reads LISTEN_FDS as it is imported, and takes it from the environment.
        endpoint: Any = serverFromString(reactor, f"systemd:domain=INET:{chosen[0]}")
    except (ValueError, LookupError):
        raise ValueError(
            f"systemd has handed over no socket of {chosen[0]}: is it started by its .socket unit?"
        ) from None
    descriptor: int = endpoint.fileno
    return descriptor


def _fields(text: str, known: frozenset[str], first: str | None = "port") -> dict[str, str]:
    found: dict[str, str] = {}
    parts: list[str] = []
    start = 0
    while start <= len(text):
        match = _FIELD.match(text, start)
        assert match is not None
        parts.append(match[0])
        start = match.end() + 1
    for number, part in enumerate(parts):
        name, separator, value = part.partition("=")
        if not separator:
            if number or first is None:
                raise ValueError(f"{part!r} is no NAME=VALUE")
            name, value = first, part
        if name not in known:
            raise ValueError(f"there is no {name!r}: only {', '.join(sorted(known))}")
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = _ESCAPED.sub(r"\1", value)
    return found


def _number(fields: dict[str, str], name: str, default: int | None, least: int, most: int) -> int:
    text = fields.get(name)
    if text is None and default is not None:
        return default
    if not text or not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
        raise ValueError(f"{name} is a number from {least} to {most}, not {text!r}")
    return int(text)
