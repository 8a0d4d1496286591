"""The doctor's findings: `ok`, `warn` (it works, and is not as it should be) or `WRONG`, and what to do."""

import sys
from dataclasses import dataclass
from typing import TextIO


@dataclass
class Findings:
    """Writes the lines as they come; `wrong` and `warned` count them."""

    out: TextIO | None = None
    wrong: int = 0
    warned: int = 0

    def ok(self, what: str, words: str) -> None:
        """All is well."""
        self._say("ok", what, words)

    def warn(self, what: str, words: str, advice: str) -> None:
        """It works, but."""
        self.warned += 1
        self._say("warn", what, f"{words}: {advice}")

    def bad(self, what: str, words: str, advice: str) -> None:
        """It does not work."""
        self.wrong += 1
        self._say("WRONG", what, f"{words}: {advice}")

    def judge(self, good: bool, what: str, words: str, advice: str) -> None:
        """`ok` or WRONG."""
        if good:
            self.ok(what, words)
        else:
            self.bad(what, words, advice)

    def _say(self, level: str, what: str, words: str) -> None:
        out = sys.stdout if self.out is None else self.out
        line = " ".join(f"{what}: {words}".split())
        out.write(f"{level:5} {line}\n")
        out.flush()
