"""Output of the command line: words for people, or with `--json` one JSON object a line for programs.

Results go to standard output, everything else to standard error. Colours and progress bars only where a
terminal shows them. What other people chose (texts, names) is shown without control characters, which
could move the cursor or colour the screen.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TextIO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from messenger.client.conversation import Conversation

Style = str


class Output:
    """Shows results; `as_json` says how."""

    def __init__(self, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._console = Console(file=self._out, highlight=False, markup=False, soft_wrap=True)
        self._errors = Console(file=err or sys.stderr, highlight=False, markup=False, soft_wrap=True)

    @property
    def people(self) -> bool:
        """Whether people read this, at a terminal."""
        return not self.as_json and self._console.is_terminal

    def result(self, item: object, words: str, style: Style = "") -> None:
        """One result: `item` as JSON, or the words."""
        if self.as_json:
            self._out.write(msgspec.json.encode(item).decode() + "\n")
        else:
            self._console.print(words, style=style)
        self._out.flush()

    def words(self, words: str, style: Style = "") -> None:
        """Something that only people need."""
        if not self.as_json:
            self._console.print(words, style=style)

    def say(self, words: str, style: Style = "") -> None:
        """A word aside, on standard error."""
        self._errors.print(words, style=style)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A bar while something moves: call what is given with the bytes done and their sum."""
        if self.as_json or not self._errors.is_terminal:
            yield lambda done, total: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self._errors, transient=True) as bar:
            task = bar.add_task(clean(what), total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def fields(conversation: Conversation) -> dict[str, object]:
    """A conversation as JSON."""
    return {name: getattr(conversation, name) for name in _FIELDS}


_FIELDS = ("id", "type", "title", "peer", "role", "unread", "ended", "verified", "updated_at", "last_message")


def clean(text: str) -> str:
    """`text` without control characters but line breaks and tabs; direction marks go too."""
    return "".join(
        letter if letter in "\n\t" or (letter.isprintable() and letter not in _DIRECTIONS) else "\ufffd"
        for letter in text
    )


_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


APART = timedelta(minutes=5)


def times(sent_at: str, created_at: str | None) -> str:
    """When a message was written, by its sender's clock; the server's time too, where it is another one."""
    sent, created = _moment(sent_at), _moment(created_at)
    if sent is None or created is None or abs(sent - created) <= APART:
        return clock(sent_at)
    return f"{clock(sent_at)} (the server says {clock(created_at)})"


def _moment(text: str | None) -> datetime | None:
    """A time of the wire's; None for what is none, which a sender may write."""
    try:
        return datetime.fromisoformat(text or "").astimezone()
    except (ValueError, OverflowError):
        return None


def clock(moment: str | None) -> str:
    """A time of the wire's as one of the day here, with the date where it was another day."""
    local = _moment(moment)
    if local is None:
        return "--:--"
    today = datetime.now().astimezone().date()
    return local.strftime("%H:%M" if local.date() == today else "%Y-%m-%d %H:%M")


def size(count: int) -> str:
    """Bytes as people say them."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError
