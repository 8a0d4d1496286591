"""Log lines: one compact JSON object each, one line an event, of bounded length.

Every line has `time` (RFC 3339, UTC, milliseconds), `level`, `service`, `logger` and `message`; an event's
own fields follow where they are simple (text, numbers, truth values), failures as `error` and `traceback`.
`event` is a stable word for machines to select by, where the event has one.

No secret gets out this way: a field whose name speaks of a token, a password, an authorization, a cookie, a
ticket or a secret is replaced, in the message too. That is the second fence; the first is not to log them.

Nor do clients' addresses, above the level debug: our own lines don't name them, and in those of libraries,
which do, addresses are replaced.

On a terminal the lines are for people: the time of day, the level and the message.

A log whose disk is full loses lines and nothing else: the process goes on, `/ready` tells of it (`state`),
and once there is room a line says how many are missing. What many meet because an engine's disk is full is
told once a minute by each place that meets it.

`twist` takes the observer by its option `fileLogObserverFactory`, which `lines` makes.
"""

import os
import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from typing import IO, Any

import msgspec
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from messenger.core.descriptors import Exhaustion
from messenger.core.room import DETAILS, SAY_SECONDS
from messenger.wire.times import rfc3339

MAX_TEXT = 2_000  # characters of a message or of a field
MAX_TRACEBACK = 8_000
MAX_FIELDS = 40
HIDDEN = "[hidden]"

_SECRET_WORDS = ("token", "password", "passwd", "authorization", "secret", "cookie", "ticket", "credential")
_SECRET_EXCEPTIONS = frozenset({"token_expired", "token_id"})
_LEGACY = frozenset({"message", "isError", "time", "system", "format", "printed", "why", "failure"})
_OWN = frozenset({"time", "level", "service", "logger", "message", "error", "traceback"})
_LEVELS = {
    LogLevel.debug: "debug",
    LogLevel.info: "info",
    LogLevel.warn: "warn",
    LogLevel.error: "error",
    LogLevel.critical: "critical",
}
_OURS = "messenger"
_IPV4 = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9])")
_MAY_BE_IPV6 = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,5}){2,9}")
_encoder = msgspec.json.Encoder()
_secret_names: dict[str, bool] = {}


def is_secret(name: str) -> bool:
    """Whether a field of this name must not be printed."""
    known = _secret_names.get(name)
    if known is None:
        folded = name.lower()
        known = folded not in _SECRET_EXCEPTIONS and any(word in folded for word in _SECRET_WORDS)
        if len(_secret_names) < 1_000:
            _secret_names[name] = known
    return known


def _bounded(text: str, limit: int = MAX_TEXT) -> str:
    """The text, or its beginning and its end where it is longer."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [{len(text) - 2 * half} characters left out] {text[-half:]}"


def _traceback(failure: Failure) -> str:
    try:
        return _bounded(failure.getTraceback(), MAX_TRACEBACK)
    except Exception as error:  # a broken __repr__ in a frame must not lose the line
        return f"no traceback: {type(error).__name__}"


def _message(event: LogEvent) -> str:
    template = event.get("log_format")
    if type(template) is str and "(" not in template:  # "()" in a template is Twisted's own: a call
        try:
            return template.format_map(event)
        except Exception:
            return formatEvent(event)  # which says what is wrong with it
    return formatEvent(event)


def without_addresses(text: str) -> str:
    """The text with each IP address replaced."""
    return _MAY_BE_IPV6.sub(_without_ipv6, _IPV4.sub("[address]", text))


def _without_ipv6(match: re.Match[str]) -> str:
    """The longest address in what may be one, with a word before it or a port behind it, replaced."""
    parts = match[0].split(":")
    for length in range(len(parts), 2, -1):
        for start in range(len(parts) - length + 1):
            try:
                ip_address(":".join(parts[start : start + length]))
            except ValueError:
                continue
            return ":".join([*parts[:start], "[address]", *parts[start + length :]])
    return match[0]


def line_of(event: LogEvent, service: str) -> bytes:
    """The event as a JSON object, without a line break."""
    level = event.get("log_level", LogLevel.info)
    logger = str(event.get("log_namespace", event.get("log_system", "-")))
    tells = level is LogLevel.debug or logger.startswith(_OURS)
    fields: dict[str, Any] = {}
    shown: LogEvent = event
    for name, value in event.items():
        if name.startswith("log_") or name in _LEGACY:
            continue
        if is_secret(name):
            if shown is event:
                shown = dict(event)
            shown[name] = HIDDEN
            value = HIDDEN  # noqa: PLW2901 - the one value that may be printed under this name
        if name in _OWN or value is None or len(fields) >= MAX_FIELDS:
            continue
        kind = type(value)
        if kind is str:
            fields[name] = _bounded(value) if tells else without_addresses(_bounded(value))
        elif kind is int or kind is float or kind is bool:
            fields[name] = value
    message = _bounded(_message(shown))
    line = {
        "time": rfc3339(int(event.get("log_time", 0.0) * 1000)),
        "level": _LEVELS.get(level, "info"),
        "service": service,
        "logger": logger.removeprefix("messenger."),
        "message": message if tells else without_addresses(message),
        **fields,
    }
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        line["error"] = getattr(failure.type, "__name__", "unknown")
        line["traceback"] = _traceback(failure)
    try:
        return _encoder.encode(line)
    except (TypeError, ValueError, UnicodeEncodeError):
        # Lone surrogates, or an int beyond 64 bits: print what any reader can take.
        return _encoder.encode({name: _plain(value) for name, value in line.items()})


def _plain(value: Any) -> str:
    return _bounded(str(value)).encode("utf-8", "backslashreplace").decode("utf-8")


class LogState:
    """How the log of this process is: `full` while lines are lost, of which there were `lost` in all."""

    def __init__(self) -> None:
        self.full = False
        self.lost = 0


state = LogState()


@implementer(ILogObserver)
class _Lines:
    """Writes events to `out`, a text file, at once: a crash must not take lines with it."""

    def __init__(self, out: IO[Any], render: Callable[[LogEvent], str], log_state: LogState) -> None:
        self._out = out
        self._render = render
        self._exhaustion = Exhaustion()
        self._state = log_state
        self._missing = 0  # lines, since the last that was written
        self._torn = False  # whether the last one was written in part
        self._told: dict[tuple[str, str], float] = {}
        try:
            # Past all buffers, which would keep what a full disk did not take, and break lines.
            self._descriptor: int | None = out.fileno()
        except (OSError, AttributeError):
            self._descriptor = None

    def __call__(self, event: LogEvent) -> None:
        told = self._exhaustion(event)
        if told is None or self._repeats(told):
            return
        try:
            if self._missing:
                self._write(self._gap(told))
                self._missing, self._state.full = 0, False
            self._write(told)
        except OSError:
            self._missing += 1
            self._state.lost += 1
            self._state.full = True

    def _gap(self, event: LogEvent) -> LogEvent:
        return {
            "log_time": event.get("log_time", 0.0),
            "log_level": LogLevel.error,
            "log_namespace": __name__,
            "log_format": "disk full: {count} lines are missing here, the log had no room",
            "event": "log_lines_lost",
            "count": self._missing,
        }

    def _write(self, event: LogEvent) -> None:
        line = self._render(event) + "\n"
        if self._descriptor is None:
            self._out.write(line)
            self._out.flush()
            return
        left = (f"\n{line}" if self._torn else line).encode("utf-8", "backslashreplace")
        while left:
            written = os.write(self._descriptor, left)
            left = left[written:]
            self._torn = bool(left)

    def _repeats(self, event: LogEvent) -> bool:
        if event.get("detail") not in DETAILS:
            return False
        place = (str(event.get("log_namespace")), str(event.get("log_format")))
        now = event.get("log_time", 0.0)
        if now - self._told.get(place, float("-inf")) < SAY_SECONDS:
            return True
        self._told[place] = now
        return False


def lines(service: str) -> Callable[[IO[Any]], ILogObserver]:
    """A factory, for `twist`, of observers that write `service`'s events to a file: lines for people where
    that is a terminal, else JSON."""

    def make(out: IO[Any]) -> ILogObserver:
        return _Lines(out, text_of, state) if out.isatty() else json_lines(service)(out)

    return make


def json_lines(service: str) -> Callable[[IO[Any]], ILogObserver]:
    """As `lines`, for whatever file."""

    def make(out: IO[Any]) -> ILogObserver:
        return _Lines(out, lambda event: line_of(event, service).decode("utf-8"), state)

    return make


def text_of(event: LogEvent) -> str:
    """The event as a line for people; a failure's traceback follows it."""
    line: dict[str, Any] = msgspec.json.decode(line_of(event, ""))
    moment = datetime.fromtimestamp(event.get("log_time", 0.0)).astimezone()
    # A line that somebody else has a hand in must not move the cursor.
    message = "".join(one if one.isprintable() else " " for one in str(line["message"]))
    text = f"{moment:%H:%M:%S} {line['level']:8} {message}"
    if "request_id" in line:
        text += f" [{line['request_id']}]"
    return f"{text}\n{line['traceback'].rstrip()}" if "traceback" in line else text
