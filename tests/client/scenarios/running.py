"""What a scenario is made of, and how any implementation is taken through it.

    scenario = {"name", "about", "steps": [step ...]}
    step     = {"do", "with", "random"?, "gives"} or {"do", "with", "error", "word"}

`with` are the arguments of the verb `do`. A text in it that begins with `$` stands for what an earlier step
gave: `$3.envelope` is the member `envelope` of step 3 (counted from 0), `$3.prekeys.0` the first one of a
list. An object with a member `bytes` stands for these bytes after `times` (so often one after the other),
`xor` and `put` (each [place, bytes], a place below 0 counted from the end), `take` (the first
ones, or all but the last ones where it is below 0), `then` (bytes after it): in this order, each where it is
there.

`random` are the random bytes that the step draws, one after the other. Where a step is refused nothing has
changed, whatever it drew.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

Draw = Callable[[int], bytes]
Step = dict[str, Any]


class Machine(Protocol):
    """An implementation that knows the verbs."""

    def run(self, verb: str, arguments: dict[str, Any], draw: Draw) -> dict[str, Any]:
        """What a step gives."""
        ...

    def refusal(self, error: Exception) -> tuple[str, str] | None:
        """The name and the word of an error of this implementation; None for any other."""
        ...


class Drawn:
    """The random bytes of a step, in order; then, for a step that is refused, any."""

    def __init__(self, given: list[str] | None) -> None:
        self._given = None if given is None else [bytes.fromhex(one) for one in given]

    def __call__(self, count: int) -> bytes:
        if self._given is None:
            return bytes(count)
        raw = self._given.pop(0)
        assert len(raw) == count, f"{count} bytes are drawn where {len(raw)} are given"
        return raw

    def all_used(self) -> bool:
        return not self._given


def resolved(value: Any, given: list[dict[str, Any]]) -> Any:
    """An argument with what it stands for in its place."""
    if isinstance(value, str) and value.startswith("$"):
        number, *path = value[1:].split(".")
        found: Any = given[int(number)]
        for part in path:
            found = found[int(part)] if isinstance(found, list) else found[part]
        return found
    if isinstance(value, list):
        return [resolved(one, given) for one in value]
    if isinstance(value, dict):
        found = {name: resolved(one, given) for name, one in value.items()}
        return changed(found) if "bytes" in found else found
    return value


def changed(what: dict[str, Any]) -> str:
    """Bytes (hex) after what is to be done to them."""
    raw = bytearray(bytes.fromhex(what["bytes"]) * what.get("times", 1))
    for how in ("xor", "put"):
        if how in what:
            at, other = what[how][0] % len(raw), bytes.fromhex(what[how][1])
            for index, byte in enumerate(other, at):
                raw[index] = raw[index] ^ byte if how == "xor" else byte
    return (raw[: what["take"]] if "take" in what else raw).hex() + what.get("then", "")


def outcome(machine: Machine, step: Step, arguments: dict[str, Any], draw: Draw) -> dict[str, Any]:
    """What the machine makes of a step, in the form in which the file has it."""
    try:
        return {"gives": machine.run(step["do"], arguments, draw)}
    except Exception as error:
        refusal = machine.refusal(error)
        if refusal is None:
            raise
        return {"error": refusal[0], "word": refusal[1]}


def replay(machine: Machine, scenario: dict[str, Any]) -> None:
    """Take a machine through a scenario; AssertionError where anything comes out otherwise."""
    given: list[dict[str, Any]] = []
    for number, step in enumerate(scenario["steps"]):
        draw = Drawn(None if "error" in step else step.get("random", []))
        with place(scenario["name"], number, step):
            found = outcome(machine, step, resolved(step["with"], given), draw)
            expected = {name: step[name] for name in ("gives", "error", "word") if name in step}
            assert found == expected, f"{found} where {expected} is expected"
            assert "error" in step or draw.all_used(), "not all random bytes were drawn"
        given.append(step.get("gives", {}))


@contextmanager
def place(name: str, number: int, step: Step) -> Iterator[None]:
    """An error says in which step it is."""
    try:
        yield
    except Exception as error:
        error.add_note(f"scenario {name!r}, step {number}: {step['do']} {step.get('note', '')}")
        raise
