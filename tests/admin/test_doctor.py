"""What the doctor sees without an engine: certificates and settings."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet.defer import ensureDeferred

from messenger import __version__
from messenger.admin.doctor.configuration import look_at_certificates, look_at_settings
from messenger.admin.doctor.findings import Findings
from messenger.admin.doctor.requests import NoAnswer
from messenger.admin.doctor.services import look_at_server
from messenger.core.config import load
from messenger.standalone.server import Server, server_of


def certificate(folder: Path, days: float, key: EllipticCurvePrivateKey, begun: float = 10) -> Path:
    """A certificate of `key` that ends in `days`, as a PEM file."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=begun))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return path


def said(folder: Path, days: float, *, other_key: bool = False) -> str:
    """What the doctor says of a certificate."""
    key = generate_private_key(SECP256R1())
    path = certificate(folder, days, generate_private_key(SECP256R1()) if other_key else key)
    private = folder / "key.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings = load(None, {"MESSENGER_GATEWAY__LISTEN": f"ssl:443:privateKey={private}:certKey={path}"})
    out = io.StringIO()
    look_at_certificates(settings, Findings(out))
    return out.getvalue()


@pytest.mark.parametrize(
    ("days", "level"), [(-1.0, "WRONG"), (5.0, "warn "), (13.9, "warn "), (15.0, "ok   "), (300.0, "ok   ")]
)
def test_a_certificate_that_ends_is_told_in_time(tmp_path: Path, days: float, level: str) -> None:
    line = said(tmp_path, days)
    assert line.startswith(level), line
    assert line.count("\n") == 1


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    assert "is not the key of" in said(tmp_path, 100, other_key=True)


def test_settings_that_need_a_look() -> None:
    out = io.StringIO()
    findings = Findings(out)
    look_at_settings(load(None, {"MESSENGER_AUTH__SIGNING_SECRET": "short"}), findings)
    lines = out.getvalue()
    assert lines.count("is missing") == 4
    assert "signing_secret: has too few characters" in lines
    assert findings.wrong == 5


class Port:
    """What answers on the ports that are asked; `status` and `instance` are the server's."""

    def __init__(self, instance: str = "ours", status: int = 200, away: str = "") -> None:
        self.instance = instance
        self.status = status
        self.away = away

    async def __call__(self, url: str, path: str, known: bool) -> tuple[int, bytes]:
        assert known
        if self.away:
            raise NoAnswer(self.away)
        said = {"version": __version__, "instance": self.instance, "checks": {"s3": "is away"}}
        return self.status if path == "/ready" else 200, json.dumps(said).encode()


@pytest.mark.parametrize(
    ("port", "words"),
    [
        (Port(), "ok    auth at 127.0.0.1:1: is ready"),
        (Port("another"), "WRONG auth at 127.0.0.1:1: is another server's"),
        (Port(status=503), "WRONG auth at 127.0.0.1:1: is not ready: s3 is away"),
        (Port(away="refused"), "WRONG auth at 127.0.0.1:1: does not answer (refused)"),
    ],
)
def test_the_server_on_the_data_is_told_from_others(tmp_path: Path, port: Port, words: str) -> None:
    urls = {"auth": ["http://127.0.0.1:1"]}
    server = Server(instance="ours", pid=1, version="1", listens={}, urls=urls)
    out = io.StringIO()
    findings = Findings(out)
    done = ensureDeferred(look_at_server(server, tmp_path, port, findings))
    assert done.called
    assert out.getvalue().startswith(words), out.getvalue()


def test_where_no_server_is_ready_nobody_is_asked(tmp_path: Path) -> None:
    assert server_of(tmp_path) is None
    out = io.StringIO()
    ensureDeferred(look_at_server(None, tmp_path, Port(), Findings(out)))
    assert out.getvalue().startswith(f"WRONG server: none is ready on {tmp_path}")
