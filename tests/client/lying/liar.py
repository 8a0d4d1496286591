"""What a lie may do: each method sees what the honest server would say, and gives what is said instead."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from messenger.client.e2e import DeviceKeys
from tests.client.lying.front import Answer, Ask
from tests.client.lying.state import Device, Said, Talk, User

if TYPE_CHECKING:
    from tests.client.lying.adversary import Adversary
    from tests.client.lying.server import Server

Json = Any


class Lie:
    """One lie, which is told from `begins` on.

    `met_by` names what a client must say of it, in any of the forms `Event`, `Event:reason`, `Error` and
    `Error:code`; one of them is enough. An empty one: the lie changes nothing that a user sees, and need not
    be told; with `may_warn` it may be. `unmet` says why it is not met yet.
    """

    begins: ClassVar[str] = "meet"
    met_by: ClassVar[tuple[str, ...]] = ()
    may_warn: ClassVar[bool] = False
    unmet: ClassVar[str] = ""
    server: "Server"
    adversary: "Adversary"
    keys_of: Callable[[str], DeviceKeys]  # those of a person's device that is the server's friend

    def __init__(self) -> None:
        self.active = False
        self.told = False  # something else was said than the truth

    @property
    def name(self) -> str:
        """Its name in a test's report."""
        return type(self).__name__

    # who is who

    def user(self, name: str) -> User:
        """A user by name."""
        return next(one for one in self.server.state.users.values() if one.username == name)

    def device(self, name: str) -> Device:
        """A device by its name in the story."""
        return next(one for one in self.server.state.devices.values() if one.name == name)

    def is_direct(self, talk: Talk, *names: str) -> bool:
        """Whether it is the direct conversation of these two."""
        return talk.type == "direct" and talk.members.keys() == {self.user(one).user_id for one in names}

    def group(self) -> Talk | None:
        """The group, once it is made."""
        talks = self.server.state.talks.values()
        return next((one for one in talks if one.type == "group" and one.metadata is not None), None)

    # what it does

    def begin(self) -> None:
        """It is told from now on."""
        self.active = True

    def step(self, name: str) -> None:
        """The story has come to this step."""

    def request(self, device: Device, ask: Ask) -> Answer | None:
        """An answer to a request of `device` that the honest server is not asked for."""
        return None

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        """What `device` is answered."""
        return value

    def blob(self, device: Device, ask: Ask, raw: bytes) -> bytes:
        """A file that it is given."""
        return raw

    def history(self, device: Device, talk: Talk, found: list[Said]) -> list[Said]:
        """A conversation's messages for it; once shown, what is shown may only grow at its end."""
        return found

    def message(self, device: Device, talk: Talk, said: Said, value: Json) -> Json:
        """One of them."""
        return value

    def frame(self, device: Device, frame: Json) -> list[Json]:
        """A frame for it."""
        return [frame]

    def committed(self, device: Device, talk: Talk, said: Said) -> None:
        """A message of `device` has got its place."""
