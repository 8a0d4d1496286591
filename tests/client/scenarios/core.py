"""The real core behind the verbs of the scenarios. After each step its state is written down and read again,
so that what is stored is covered, too."""

from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PublicKey

from messenger.client.e2e.errors import EncryptionError
from messenger.client.e2e.ratchet import Curve
from messenger.client.engine.naming import reason_of
from tests.client.scenarios.core_files import Files
from tests.client.scenarios.core_groups import Groups
from tests.client.scenarios.core_payloads import Payloads
from tests.client.scenarios.core_rosters import RosterVerbs
from tests.client.scenarios.core_sessions import Sessions
from tests.client.scenarios.core_trust import Trust
from tests.client.scenarios.running import Draw
from tests.client.second.mlkem import encapsulate


class _GivenEncapsulation:
    """ML-KEM's encapsulation in the library can't be told its random bytes."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def from_public_bytes(self, public: bytes) -> "_GivenEncapsulation":
        MLKEM1024PublicKey.from_public_bytes(public)
        self._public = public
        return self

    def encapsulate(self) -> tuple[bytes, bytes]:
        return encapsulate(self._public, self._draw(32))


class Core(Sessions, Groups, Payloads, Trust, RosterVerbs, Files):
    """`messenger.client.e2e`. What the libraries draw by themselves (X3DH's ephemeral key, ratchet keys, the
    encapsulation) comes from the step, too."""

    def run(self, verb: str, arguments: dict[str, Any], draw: Draw) -> dict[str, Any]:
        self.draw = draw
        with (
            patch("x3dh.base_state.secrets.token_bytes", draw),
            patch.object(Curve, "_generate_priv", staticmethod(lambda: draw(32))),
            patch("messenger.client.e2e.agreement.MLKEM1024PublicKey", _GivenEncapsulation(draw)),
        ):
            gives: dict[str, Any] = getattr(self, f"do_{verb}")(**arguments)
        return gives

    def refusal(self, error: Exception) -> tuple[str, str] | None:
        return (type(error).__name__, reason_of(error)) if isinstance(error, EncryptionError) else None
