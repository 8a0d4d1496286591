"""What the doctor sees without an engine: certificates and settings."""

import io
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

from messenger.admin.doctor.configuration import look_at_certificates, look_at_settings
from messenger.admin.doctor.telling import Telling
from messenger.core.config import load


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
    look_at_certificates(settings, Telling(out))
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
    telling = Telling(out)
    look_at_settings(load(None, {"MESSENGER_AUTH__SIGNING_SECRET": "short"}), telling)
    lines = out.getvalue()
    assert lines.count("is missing") == 4
    assert "signing_secret: has too few characters" in lines
    assert telling.wrong == 5
