"""The other end of Web Push, for tests: a push service on TLS, and a device that reads what it is sent.

Decryption is written here from RFC 8291 and RFC 8188 alone, not with the library that encrypts.
"""

import base64
import datetime
import json
import ssl
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

CURVE = ec.SECP256R1()


def url_bytes(text: str) -> bytes:
    """The bytes of unpadded base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key, uncompressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def decrypted(private: ec.EllipticCurvePrivateKey, auth: bytes, body: bytes) -> bytes:
    """The plaintext of a message to this key's device (RFC 8291 section 3.4, one record of RFC 8188)."""
    salt, record_size, key_size = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    sender, sealed = body[21 : 21 + key_size], body[21 + key_size :]
    assert len(sealed) <= record_size, "more than one record"
    shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, sender))
    info = b"WebPush: info\x00" + point_of(private.public_key()) + sender
    keying = _derived(shared, auth, info, 32)
    key = _derived(keying, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(keying, salt, b"Content-Encoding: nonce\x00", 12)
    padded = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\x00")
    assert padded[-1:] == b"\x02", "not the last record"
    return padded[:-1]


class Device:
    """A device's keys; what it subscribes with, and what it reads."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(CURVE)
        self.auth = b"0123456789abcdef"

    def target(self, endpoint: str) -> dict[str, str]:
        """The body of `PUT /push`."""
        p256dh = base64.b64encode(point_of(self.private.public_key())).decode()
        return {"endpoint": endpoint, "p256dh": p256dh, "auth": base64.b64encode(self.auth).decode()}

    def read(self, body: bytes) -> Any:
        """The message, which is JSON."""
        return json.loads(decrypted(self.private, self.auth, body))


def claims_of(authorization: str, vapid_key: bytes, audience: str) -> dict[str, Any]:
    """The claims of a VAPID header (RFC 8292), signed with this key for this audience."""
    scheme, _, parameters = authorization.partition(" ")
    assert scheme == "vapid"
    found = dict(one.strip().split("=", 1) for one in parameters.split(","))
    assert url_bytes(found["k"]) == vapid_key
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, vapid_key)
    options: Any = {"require": ["aud", "exp"]}
    return jwt.decode(found["t"], key, algorithms=["ES256"], audience=audience, options=options)


class Received(NamedTuple):
    """A request as the push service got it."""

    path: str
    headers: dict[str, str]
    body: bytes


class PushService:
    """A push service at https://localhost:PORT, with a certificate of its own CA (`ca`, a PEM file).

    `answers` says by path what is answered, in order: (status, headers); 201 when nothing is left.
    """

    def __init__(self, folder: Path) -> None:
        self.received: list[Received] = []
        self.answers: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
        self.ca = folder / "ca.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(folder, self.ca))
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.received.append(Received(self.path, headers, body))
                queue = service.answers[self.path]
                status, answered = queue.pop(0) if queue else (201, {})
                self.send_response(status)
                for name, value in {**answered, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nobody reads it."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A handshake that was broken off is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_address[1]
        self.origin = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def at(self, path: str) -> list[Received]:
        """What has come on this path."""
        return [one for one in self.received if one.path == path]

    def stop(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _certificate(folder: Path, ca: Path) -> Path:
    """A key with a certificate for `localhost`, signed by a CA that is written to `ca`."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(CURVE), ec.generate_private_key(CURVE)
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's CA")])

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    authority = builder(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(True, 0), True)
    ca.write_bytes(authority.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    leaf = builder(x509.Name([]), key.public_key()).add_extension(names, True).sign(ca_key, hashes.SHA256())
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + leaf.public_bytes(Encoding.PEM)
    )
    return path
