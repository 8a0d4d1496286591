"""Log lines: one compact JSON object each, one line an event, of bounded length.

Every line has `time` (RFC 3339, UTC, milliseconds), `level`, `service`, `logger` and `message`; an event's
own fields follow where they are simple (text, numbers, truth values), failures as `error` and `traceback`.
`event` is a stable word for machines to select by, where the event has one.

No secret gets out this way: a field whose name speaks of a token, a password, an authorization, a cookie, a
ticket or a secret is replaced, in the message too. That is the second fence; the first is not to log them.

`twist` takes the observer by its option `fileLogObserverFactory`, which `json_lines` makes.
"""

from collections.abc import Callable
from typing import IO, Any

import msgspec
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

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


def line_of(event: LogEvent, service: str) -> bytes:
    """The event as a JSON object, without a line break."""
    level = event.get("log_level", LogLevel.info)
    logger = str(event.get("log_namespace", event.get("log_system", "-")))
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
            fields[name] = _bounded(value)
        elif kind is int or kind is float or kind is bool:
            fields[name] = value
    line = {
        "time": rfc3339(int(event.get("log_time", 0.0) * 1000)),
        "level": _LEVELS.get(level, "info"),
        "service": service,
        "logger": logger.removeprefix("messenger."),
        "message": _bounded(_message(shown)),
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


@implementer(ILogObserver)
class _JsonLines:
    """Writes events to `out`, a text file, and flushes each: a crash must not take lines with it."""

    def __init__(self, out: IO[Any], service: str) -> None:
        self._out = out
        self._service = service

    def __call__(self, event: LogEvent) -> None:
        self._out.write(line_of(event, self._service).decode("utf-8") + "\n")
        self._out.flush()


def json_lines(service: str) -> Callable[[IO[Any]], ILogObserver]:
    """A factory, for `twist`, of observers that write `service`'s events to a file, line by line."""

    def make(out: IO[Any]) -> ILogObserver:
        return _JsonLines(out, service)

    return make
