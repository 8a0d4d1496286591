"""Writes scenarios down: each step is run by the real core at once, with randomness that is recorded."""

import random as pseudo
from typing import Any

from tests.client.scenarios.core import Core
from tests.client.scenarios.running import Step, outcome, place, resolved


class Done:
    """A step that was done: `done["member"]` stands for what it gave, `done.gives` is that."""

    def __init__(self, number: int, gives: dict[str, Any]) -> None:
        self.number = number
        self.gives = gives

    def __getitem__(self, path: str) -> str:
        return f"${self.number}.{path}"


class Script:
    """One scenario while it is made."""

    def __init__(self, name: str, about: str, seed: int = 0) -> None:
        self.name = name
        self.steps: list[Step] = []
        self._about = about
        self._given: list[dict[str, Any]] = []
        self._core = Core()
        self._source = pseudo.Random(f"{name} {seed}")

    @property
    def scenario(self) -> dict[str, Any]:
        """The scenario as the file has it."""
        return {"name": self.name, "about": self._about, "steps": self.steps}

    def do(self, verb: str, note: str = "", /, **arguments: Any) -> Done:
        """A step that is taken."""
        found, step = self._run(verb, note, arguments)
        assert "error" not in found, f"{step['do']} is refused: {found}"
        return Done(len(self.steps) - 1, found["gives"])

    def refused(self, name: str, verb: str, note: str = "", /, **arguments: Any) -> None:
        """A step that is refused by this error."""
        found, step = self._run(verb, note, arguments)
        assert found.get("error") == name, f"{step['do']} ({note}) gives {found} and not {name}"

    def attempt(self, verb: str, /, **arguments: Any) -> tuple[Done, str | None]:
        """A step, and the name of the error if it is refused."""
        found, _ = self._run(verb, "", arguments)
        return Done(len(self.steps) - 1, found.get("gives", {})), found.get("error")

    def _run(self, verb: str, note: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], Step]:
        drawn: list[str] = []

        def draw(count: int) -> bytes:
            raw = self._source.randbytes(count)
            drawn.append(raw.hex())
            return raw

        step: Step = {"do": verb, **({"note": note} if note else {}), "with": arguments}
        with place(self.name, len(self.steps), step):
            found = outcome(self._core, step, resolved(arguments, self._given), draw)
        if drawn and "error" not in found:
            step["random"] = drawn
        self.steps.append({**step, **found})
        self._given.append(found.get("gives", {}))
        return found, step
