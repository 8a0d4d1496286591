"""Which endpoint answers a request: the `route` mark, path templates and the table of all of them.

A template is a path such as `/conversations/{conversation_id}/messages/{seq}`. A parameter whose name ends
in `_id` is a UUID (RFC 9562 section 4, either case, handed on in lower case), `{seq}` is a positive decimal
below 2^63; any other is 1 to 128 of RFC 3986's unreserved characters. What does not fit is no path of ours:
a client gets 404, never 400. Paths are compared as they were sent: a percent-encoded, doubled or differently
cased spelling of a path is another path (RFC 3986 section 6.2.2 lets a server be this strict), so that
nothing that routes by prefix in front of this table can be led around.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from messenger.wire.codec import uuid_text
from messenger.wire.errors import Code

MARK = "__messenger_route__"
Handler = Callable[..., Awaitable[Any]]
F = TypeVar("F", bound=Handler)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DECIMAL = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)
_PARAMETER = re.compile(r"\{([a-z][a-z0-9_]*)\}", re.ASCII)
_LARGEST = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path template, and all that the router and the API description must know of it.

    `cost` is for how many events of its class a call counts.
    """

    method: str
    path: str
    handler: Handler | None
    name: str
    summary: str
    body: Any = None
    query: Any = None
    answer: Any = None
    status: int = 200
    open: bool = False
    errors: tuple[Code, ...] = ()
    streamed: bool = False
    body_limit: int | None = None
    class_: str = "other"
    cost: int = 1
    at_root: bool = False
    also: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str | None = None


def route(
    method: str,
    path: str,
    *,
    body: Any = None,
    query: Any = None,
    answer: Any = None,
    status: int | None = None,
    open: bool = False,
    errors: tuple[Code, ...] = (),
    streamed: bool = False,
    body_limit: int | None = None,
    class_: str = "other",
    at_root: bool = False,
    also: tuple[int, ...] = (),
    headers: Mapping[str, str] | None = None,
    media: str | None = None,
) -> Callable[[F], F]:
    """Mark an `async def` method of an endpoints class as the answer to `method` on `path`.

    The method is called with a `Call`, then with the decoded `body` and with the decoded `query` where the
    mark names their types. `status` goes with an ordinary answer: 200 unless given, or 204 where `answer` is
    None. An `open` route asks for no access token. A `streamed` one gets its body as `call.content`,
    unbuffered. `body_limit` is in bytes; without it the router's own holds. `class_` names the limit of
    `[limits]` that counts this route, or is `free`. `at_root` keeps the path out of the router's prefix.

    Three more are for the API's description alone: `also` are statuses beside `status` and those of
    `errors`, `headers` are request headers that mean something here (and what), `media` is the answer's type
    where it is neither JSON nor, for bytes, application/octet-stream.
    """
    if method not in _METHODS:
        raise ValueError(f"unknown method {method}")
    if not path.startswith("/"):
        raise ValueError(f"a path starts with a slash: {path}")
    if status is None:
        status = 200 if answer is not None else 204

    def mark(function: F) -> F:
        lines = (function.__doc__ or "").strip().splitlines()
        marked = Route(
            method=method,
            path=path,
            handler=None,
            name=function.__name__,
            summary=lines[0].strip() if lines else "",
            body=body,
            query=query,
            answer=answer,
            status=status,
            open=open,
            errors=errors,
            streamed=streamed,
            body_limit=body_limit,
            class_=class_,
            at_root=at_root,
            also=also,
            headers=headers or {},
            media=media,
        )
        function.__dict__.setdefault(MARK, []).append(marked)
        return function

    return mark


def routes_of(endpoints: object) -> list[Route]:
    """The marked methods of an endpoints object (bound) or class (not bound), in their order there."""
    kind = endpoints if isinstance(endpoints, type) else type(endpoints)
    found: dict[str, list[Route]] = {}
    for base in reversed(kind.__mro__):
        for name, value in vars(base).items():
            marked = getattr(value, MARK, None)
            if marked is not None:
                found[name] = marked
            else:
                found.pop(name, None)
    if endpoints is kind:
        return [one for marked in found.values() for one in reversed(marked)]
    return [
        replace(one, handler=getattr(endpoints, name))
        for name, marked in found.items()
        for one in reversed(marked)
    ]


def _uuid(text: str) -> str | None:
    return uuid_text(text)


def _decimal(text: str) -> str | None:
    return text if _DECIMAL.fullmatch(text) and int(text) < _LARGEST else None


def _plain(text: str) -> str | None:
    return text if _UNRESERVED.fullmatch(text) else None


def parameters_of(template: str) -> list[str]:
    """The names of a template's parameters, in order."""
    return [match[1] for segment in template.split("/") if (match := _PARAMETER.fullmatch(segment))]


@dataclass(slots=True)
class _Node:
    """A node of the tree of paths. After it come literal segments, else one parameter."""

    literal: dict[str, "_Node"] = field(default_factory=dict)
    parameter: tuple[str, Callable[[str], str | None], "_Node"] | None = None
    target: "Target | None" = None


@dataclass(slots=True)
class Target:
    """A path template and the routes on it by method; `allow` is the value of an `Allow` header."""

    template: str
    methods: dict[bytes, Any] = field(default_factory=dict)
    allow: str = ""


class Table:
    """All path templates, found by their segments: the cost of a look-up does not grow with their number."""

    def __init__(self) -> None:
        self._root = _Node()
        self._static: dict[str, Target] = {}
        self.targets: list[Target] = []

    def add(self, method: str, template: str, value: Any) -> None:
        """Have `find` answer `value` for `method` on `template`; ValueError where that is taken."""
        target = self._target(template)
        name = method.encode("ascii")
        if name in target.methods:
            raise ValueError(f"two routes for {method} {template}")
        target.methods[name] = value
        known = {known.decode("ascii") for known in target.methods}
        if "GET" in known:
            known.add("HEAD")
        target.allow = ", ".join(sorted(known))

    def _target(self, template: str) -> Target:
        node = self._root
        static = True
        for segment in template.split("/")[1:]:
            match = _PARAMETER.fullmatch(segment)
            if match is None:
                if "{" in segment or "%" in segment:
                    raise ValueError(f"a parameter is a whole segment: {template}")
                node = node.literal.setdefault(segment, _Node())
                continue
            static = False
            name = match[1]
            convert = _uuid if name.endswith("_id") else _decimal if name == "seq" else _plain
            if node.parameter is None:
                node.parameter = (name, convert, _Node())
            if node.parameter[0] != name:
                raise ValueError(f"two names for one parameter: {node.parameter[0]} and {name} in {template}")
            node = node.parameter[2]
        if node.target is None:
            node.target = Target(template)
            self.targets.append(node.target)
            if static:
                self._static[template] = node.target
        return node.target

    def find(self, path: str) -> tuple[Target, dict[str, str]] | None:
        """The target of a path and the parameters in it, or None where no template fits."""
        target = self._static.get(path)
        if target is not None:
            return target, {}
        node = self._root
        parameters: dict[str, str] = {}
        segments = iter(path.split("/"))
        if next(segments):
            return None
        for segment in segments:
            below = node.literal.get(segment)
            if below is None:
                if node.parameter is None:
                    return None
                name, convert, below = node.parameter
                value = convert(segment)
                if value is None:
                    return None
                parameters[name] = value
            node = below
        return (node.target, parameters) if node.target is not None else None

    def extend(self, routes: Iterable[Route], prefix: str = "") -> None:
        """Add routes, each below `prefix` unless it is at the root."""
        for one in routes:
            self.add(one.method, one.path if one.at_root else prefix + one.path, one)
