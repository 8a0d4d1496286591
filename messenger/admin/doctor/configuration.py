"""Settings that were read without an error and can't be meant; secrets; certificates that end."""

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from messenger.admin.doctor.findings import Findings
from messenger.core.schemas import SCHEMAS
from messenger.core.settings import Settings

SOON = timedelta(days=14)
TLS_SECONDS = 3.0
MIN_SECRET = 32
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def look_at_settings(settings: Settings, findings: Findings) -> None:
    """Check the settings, as far as that takes no engine."""
    for schema in SCHEMAS:
        given = bool(getattr(settings, schema).database_password)
        findings.judge(
            given,
            f"[{schema}] database_password",
            "is set" if given else "is missing",
            f"messenger-{schema} will not start: set it, or"
            f" MESSENGER_{schema.upper()}__DATABASE_PASSWORD__FILE",
        )
    auth = settings.auth
    if not auth.signing_secret:
        findings.warn(
            "[auth] signing_secret",
            "is not set",
            "signing keys and second factors are stored as they are; if the services have one, give it here",
        )
    else:
        findings.judge(
            len(auth.signing_secret) >= MIN_SECRET,
            "[auth] signing_secret",
            f"has {'enough' if len(auth.signing_secret) >= MIN_SECRET else 'too few'} characters",
            f"make a random one of {MIN_SECRET}",
        )
    if auth.bcrypt_cost < 10:
        findings.warn(
            "[auth] bcrypt_cost", f"is {auth.bcrypt_cost}", "hashes are cheap to guess: 12 is usual"
        )
    far = [one for one in settings.database.hosts if one.name not in _LOOPBACK and one.name[:1] not in "/@"]
    if far and settings.database.sslmode in ("disable", "prefer"):
        findings.warn(
            "[database] sslmode",
            f"is {settings.database.sslmode}",
            "`verify-full` sends nothing in the clear",
        )
    _plain(settings, findings)


def _plain(settings: Settings, findings: Findings) -> None:
    listen = settings.gateway.listen
    for endpoint in [listen] if isinstance(listen, str) else listen:
        fields = endpoint.split(":")
        own = any(f"interface={host}" in endpoint for host in _LOOPBACK)
        if fields[0] == "tcp" and not own:
            findings.warn(
                "[gateway] listen",
                f"{endpoint} is plain HTTP on all addresses",
                "only a proxy that speaks TLS may reach it; or use `ssl:`",
            )


def look_at_certificates(settings: Settings, findings: Findings) -> None:
    """Those that we show, and those that S3 and services show us."""
    for setting, endpoint in _listens(settings):
        if endpoint.startswith("ssl:"):
            fields = dict(part.split("=", 1) for part in _parts(endpoint) if "=" in part)
            _look_at_file(setting, fields.get("certKey", ""), fields.get("privateKey", ""), findings)
    urls = [("[s3] endpoint", settings.s3.endpoint)]
    for service in SCHEMAS:
        urls += [(f"[gateway] {service}", one) for one in getattr(settings.gateway, service)]
    for setting, url in urls:
        if url.startswith("https://"):
            _look_at_server(setting, url, findings)


def _listens(settings: Settings) -> Iterator[tuple[str, str]]:
    for section in ("gateway", *SCHEMAS):
        listen = getattr(settings, section).listen
        for endpoint in [listen] if isinstance(listen, str) else listen:
            yield f"[{section}] listen", endpoint


def _parts(endpoint: str) -> list[str]:
    return [part.replace("\\:", ":") for part in re.split(r"(?<!\\):", endpoint)]


def _look_at_file(setting: str, certificate: str, key: str, findings: Findings) -> None:
    try:
        found = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
        private = load_pem_private_key(Path(key).read_bytes(), None)
    except OSError as error:
        findings.bad(setting, f"{error.filename} can't be read ({error.strerror})", "put it there")
        return
    except (ValueError, TypeError):
        findings.bad(
            setting, f"{certificate} or {key} is no PEM without a password", "put the right file there"
        )
        return
    kind = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*kind) != found.public_key().public_bytes(*kind):
        findings.bad(setting, f"{key} is not the key of {certificate}", "give the two that belong together")
        return
    _judge(f"{setting} {certificate}", found, findings)


def _look_at_server(setting: str, url: str, findings: Findings) -> None:
    parts = urlsplit(url)
    try:
        where = (parts.hostname or "", parts.port or 443)
        found = x509.load_pem_x509_certificate(
            ssl.get_server_certificate(where, timeout=TLS_SECONDS).encode("ascii")
        )
    except (OSError, ValueError, socket.gaierror) as error:
        findings.bad(
            setting, f"{parts.netloc} shows no certificate ({error})", "is it up, and does it speak TLS?"
        )
        return
    _judge(f"{setting} {parts.netloc}", found, findings)


def _judge(what: str, certificate: x509.Certificate, findings: Findings) -> None:
    end = certificate.not_valid_after_utc
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= end:
        findings.bad(what, f"the certificate holds until {end:%Y-%m-%d}, not now", "renew it")
    elif end - now < SOON:
        findings.warn(what, f"the certificate ends on {end:%Y-%m-%d}", "renew it")
    else:
        findings.ok(what, f"the certificate holds until {end:%Y-%m-%d}")
