"""Who vouches for the certificates of those that we connect to."""

import re
from pathlib import Path
from typing import Any

from OpenSSL.crypto import Error as TLSError
from twisted.internet.ssl import Certificate, trustRootFromCertificates

from messenger.core.lifecycle import EX_CONFIG, StartError

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def trust_root(path: str, setting: str) -> Any:
    """Those in this PEM file; None for whom the system trusts, where `path` is empty.

    StartError where it can't be read or holds none; `setting` is its name for whoever has to change it.
    """
    if not path:
        return None
    try:
        found = [Certificate.loadPEM(one) for one in _PEM.findall(Path(path).read_bytes())]
    except OSError as error:
        raise StartError(f"{setting}: {path} can't be read: {error.strerror}", EX_CONFIG) from None
    except (TLSError, ValueError):
        found = []
    if not found:
        raise StartError(f"{setting}: {path} holds no certificates (PEM)", EX_CONFIG)
    return trustRootFromCertificates(found)
