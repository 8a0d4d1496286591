"""Writes the pages that are made from the code: `python -m docs.reference`.

`configuration.md` is made from `core/settings.py` (names, types, bounds, defaults) and the comments of
`etc/messenger.toml` (what they mean), `http.md` from the OpenAPI description, `frames.md` from
`wire/frames.py`.
The pages are kept in the repository, so that they can be read there; a test fails while one is out of date.
"""

import json
import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args

import msgspec

from messenger import gateway
from messenger.core.settings import Settings
from messenger.wire import frames
from messenger.wire.codec import schema_of

FOLDER = Path(__file__).parent
TOML = FOLDER.parent / "etc" / "messenger.toml"
OPENAPI = Path(gateway.__path__[0], "openapi.json")
_REFERENCE = "#/components/schemas/"
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_CLOSE_CODES = {
    frames.GOING_AWAY: "the server stops: connect again",
    1002: "the framing is broken (RFC 6455)",
    frames.BINARY: "a binary message; frames are text",
    frames.NOT_JSON: "what came is no JSON",
    frames.TOO_BIG: f"a message of more than {frames.MAX_FRAME:,} bytes",
    frames.TOKEN_EXPIRED: "the access token has expired without a fresh one, or the session has ended",
    frames.TOO_SLOW: "pings stay unanswered, or what was sent stays unread: connect again, nothing is lost",
    frames.TAKEN_OVER: "a newer socket of the same device has taken over",
    frames.TOO_FAST: "sending went on too fast after refusals",
}

Schema = dict[str, Any]


def pages() -> dict[str, str]:
    """All pages, by name of file."""
    return {"configuration.md": configuration(), "http.md": http(), "frames.md": websocket()}


# configuration


def configuration() -> str:
    """Every setting, by section."""
    introduction, sections = _commented(TOML.read_text())
    structs = {one.name: one.type for one in msgspec.structs.fields(Settings)}
    lines = ["# Configuration", "", _made_from("`messenger/core/settings.py` and `etc/messenger.toml`"), ""]
    lines += ["One TOML file, [etc/messenger.toml](../etc/messenger.toml), whose comments are these:", ""]
    lines += [introduction, ""]
    for section, about, groups in sections:
        lines += [f"## [{section}]", "", about, "", "| setting | default | type and bounds | meaning |"]
        lines.append("| --- | --- | --- | --- |")
        _, components = msgspec.json.schema_components([structs[section]])
        schema = components[structs[section].__name__]["properties"]
        known = {one.name: one for one in msgspec.structs.fields(structs[section])}
        for meaning, names in groups:
            defaults = "<br>".join(f"`{_toml(_default(known[name]))}`" for name in names)
            bounds = list(dict.fromkeys(_type(schema[name], components) for name in names))
            cells = ["<br>".join(f"`{name}`" for name in names), defaults, "<br>".join(bounds), meaning]
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _commented(text: str) -> tuple[str, list[tuple[str, str, list[tuple[str, list[str]]]]]]:
    """The file's opening; for each section its name, its comment, and settings grouped by their comment."""
    introduction: list[str] = []
    sections: list[tuple[str, str, list[tuple[str, list[str]]]]] = []
    comment: list[str] = []
    for line in text.splitlines():
        setting = re.match(r"(?:# )?([a-z0-9_]+) = ", line)
        if header := re.match(r"\[([a-z0-9]+)\]$", line):
            sections.append((header[1], " ".join(comment), []))
            comment = []
        elif setting and sections:
            groups = sections[-1][2]
            if comment or not groups:
                groups.append((" ".join(comment), [setting[1]]))
            else:
                groups[-1][1].append(setting[1])
            comment = []
        elif line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        elif comment and not sections and not introduction:
            introduction, comment = comment, []
    paragraphs = "\n".join(introduction).split("\n\n")
    return "\n\n".join(paragraphs[1:]), sections


def _default(setting: Any) -> Any:
    return setting.default if setting.default is not msgspec.NODEFAULT else setting.default_factory()


def _toml(value: Any) -> str:
    return json.dumps(value)


# HTTP


def http() -> str:
    """Every call, by service."""
    described = json.loads(OPENAPI.read_bytes())
    components = described["components"]["schemas"]
    lines = ["# HTTP reference", "", _made_from("the OpenAPI description"), ""]
    lines += [
        "The description itself is served at `/api/v1/openapi.json`. What holds for all calls "
        "(authentication, ids, errors, paging) stands in [api.md](api.md). *open*: without a token.",
        "",
    ]
    for tag in described["tags"]:
        lines += [f"## {tag['name'].capitalize()}", ""]
        for path, method, operation in _operations(described["paths"]):
            if operation["tags"] == [tag["name"]]:
                lines += _call(path, method, operation, described)
    lines += ["## Objects", ""]
    for name, schema in sorted(components.items()):
        if "properties" in schema and not name.startswith(("Items_", "Page_")):
            lines += [f"### {name}", "", schema.get("description", ""), "", *_members(schema, components), ""]
    return "\n".join(lines)


def _operations(paths: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, item in paths.items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _call(path: str, method: str, operation: Schema, described: Schema) -> list[str]:
    schemas = described["components"]["schemas"]
    is_open = " *open*" if operation.get("security") == [] else ""
    lines = [f"### {method.upper()} {path}", "", operation["summary"] + is_open, ""]
    lines += [operation["description"], ""]
    rows = []
    for one in operation.get("parameters", []):
        must = "required, " if one.get("required") and one["in"] != "path" else ""
        rows.append(f"`{one['name']}` ({one['in']}): {must}{_type(one['schema'], schemas)}")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        rows.append(f"body: {_content(kind, content, schemas)}")
    errors = []
    for status, response in operation["responses"].items():
        if "$ref" in response:
            errors += response["$ref"].rpartition("/")[2].split(".")
            continue
        contents = [_content(kind, content, schemas) for kind, content in response.get("content", {}).items()]
        rows.append(f"{status}: {' or '.join(contents) if contents else response['description']}")
    lines += [f"- {row}" for row in rows]
    if errors:
        lines.append("- errors: " + ", ".join(f"`{code}`" for code in errors))
    return [*lines, ""]


def _content(kind: str, content: Schema, schemas: Schema) -> str:
    if kind == "application/json":
        return _type(content["schema"], schemas)
    return f"`{kind}`"


# WebSocket


def websocket() -> str:
    """Every frame, and what closes a socket."""
    lines = ["# WebSocket reference", "", _made_from("`messenger/wire/frames.py`"), ""]
    lines += [
        f"One socket at `/ws`, subprotocol `{frames.SUBPROTOCOL}`, text messages of JSON. A message is one "
        f"frame or an array of at most {frames.MAX_FRAMES:,}, and at most {frames.MAX_FRAME:,} bytes long. "
        "Frames and members that a client does not know are to be ignored. How a socket is opened and what "
        "to do with what comes stands in [api.md](api.md#the-websocket).",
        "",
    ]
    server = [
        kind
        for kind in vars(frames).values()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == frames.__name__
        and kind.__struct_config__.tag is not None
        and kind not in get_args(frames.ClientFrame)
    ]
    for title, kinds in (("From the client", get_args(frames.ClientFrame)), ("From the server", server)):
        lines += [f"## {title}", ""]
        for kind in kinds:
            _, components = msgspec.json.schema_components([kind], schema_hook=schema_of)
            schema = components[kind.__name__]
            rest = {name: one for name, one in schema["properties"].items() if name != "type"}
            name = schema["properties"]["type"]["enum"][0]
            lines += [f"### {name}", "", cleandoc(schema.get("description", "")), ""]
            lines += [*_members({**schema, "properties": rest}, components, link=False), ""]
        if title == "From the server":
            lines += [
                "### error",
                "",
                "A frame was refused; the code is as in HTTP, and the socket lives.",
                "",
                "- `ref`: string or null, that of the frame",
                "- `code`: string",
                "- `detail`: string",
                "",
            ]
    lines += ["## Close codes", "", "| code | why |", "| --- | --- |"]
    lines += [f"| {code} | {why} |" for code, why in sorted(_CLOSE_CODES.items())]
    return "\n".join([*lines, ""])


# what all have in common


def _made_from(source: str) -> str:
    return f"This page is made from {source}, by `python -m docs.reference`."


def _members(schema: Schema, schemas: Schema, link: bool = True) -> list[str]:
    required = schema.get("required", [])
    return [
        f"- `{name}`: {_type(one, schemas, link)}{'' if name in required else ', may be left out'}"
        for name, one in schema["properties"].items()
    ]


def _type(schema: Schema, schemas: Schema, link: bool = True) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = schemas[name]
        if name.startswith("Page_"):
            return f"page of {_type(target['properties']['items']['items'], schemas, link)}"
        if name.startswith("Items_"):
            return f"`{{items}}` of {_type(target['properties']['items']['items'], schemas, link)}"
        return f"[{name}](#{name.lower()})" if link else f"[{name}](http.md#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one, schemas, link) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), schemas, link)}{_bounds(schema, 'Items', 'items')}"
    if schema.get("contentEncoding") == "base64":
        return "base64"
    if "format" in schema:
        return str(schema["format"])
    if "pattern" in schema:
        return f"`{schema['pattern']}`"
    return f"{schema.get('type', 'any')}{_bounds(schema, 'Length', 'characters')}{_range(schema)}"


def _bounds(schema: Schema, of: str, unit: str) -> str:
    low, high = schema.get(f"min{of}"), schema.get(f"max{of}")
    if low is None and high is None:
        return ""
    if low is None:
        return f", at most {high:,} {unit}"
    return f", {low:,} to {high:,} {unit}" if high is not None else f", at least {low:,} {unit}"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    start = f"above {above:g}" if above is not None else None if low is None else f"from {low:,}"
    end = None if high is None or high >= 2**63 - 1 else f"to {high:,}"
    found = " ".join(part for part in (start, end) if part)
    return f", {found}" if found else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
        sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
