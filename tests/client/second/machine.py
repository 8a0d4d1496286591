"""The second implementation behind the verbs of the scenarios."""

from typing import Any

from tests.client.second.basics import Draw, Refused
from tests.client.second.files import Files
from tests.client.second.groups import Groups
from tests.client.second.links import Links
from tests.client.second.order import Order
from tests.client.second.payloads import Payloads
from tests.client.second.rosters import RosterVerbs
from tests.client.second.sessions import Sessions
from tests.client.second.trust import Trust


class Second(Sessions, Groups, Payloads, Trust, Links, RosterVerbs, Order, Files):
    """docs/encryption.md, made of primitives alone."""

    def run(self, verb: str, arguments: dict[str, Any], draw: Draw) -> dict[str, Any]:
        self.draw = draw
        gives: dict[str, Any] = getattr(self, f"do_{verb}")(**arguments)
        return gives

    def refusal(self, error: Exception) -> tuple[str, str] | None:
        return (error.name, error.word) if isinstance(error, Refused) else None
