"""The API's description, OpenAPI 3.1, made from the marks on endpoints and the structs of `wire`.

Nothing is written twice: paths, parameters, bodies, answers and errors are those that requests are served
by. What every operation has in common is added here: bearer authentication (RFC 6750) where a route is not
open, problem documents (RFC 9457), and the errors that follow from a route's form.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from messenger.core.http.admission import FREE
from messenger.core.http.answers import JSON_TYPE
from messenger.core.http.routing import Route, parameters_of
from messenger.wire.codec import schema_of
from messenger.wire.errors import PROBLEM_TYPE, Code

_REFERENCE = "#/components/schemas/{name}"
_OCTETS = "application/octet-stream"
_LARGEST_SEQ = 2**63 - 1
_MEANINGS = {
    101: "The connection speaks WebSocket from here on.",
    200: "Done.",
    201: "Made.",
    202: "Accepted.",
    204: "Done; there is nothing to say.",
    206: "A range of it.",
    304: "What the asker has is still the same.",
    412: "A precondition does not hold.",
    426: "This path speaks WebSocket only.",
    503: "Not now.",
}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_PROBLEM_CONTENT = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}}

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Routes that belong together.

    `name` is their tag, `prefix` stands before their paths, any of them may be answered with `errors`.
    """

    name: str
    routes: list[Route]
    prefix: str = "/api/v1"
    errors: tuple[Code, ...] = ()


def document(
    groups: Iterable[Group],
    *,
    title: str,
    version: str,
    description: str,
    paths: Mapping[str, Any] | None = None,
) -> Schema:
    """The whole description; `paths` are added as they are. ValueError where two operations have one name."""
    groups = list(groups)
    components = _Components(groups)
    found: dict[str, Schema] = {}
    names: set[str] = set()
    for group in groups:
        for route in group.routes:
            path = route.path if route.at_root else group.prefix + route.path
            made = _operation(group, route, components)
            if made["operationId"] in names:
                raise ValueError(f"two operations are named {made['operationId']}")
            names.add(made["operationId"])
            found.setdefault(path, {})[route.method.lower()] = made
    found.update(paths or {})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": group.name} for group in groups],
        "paths": dict(sorted(found.items())),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
            "schemas": {"Problem": _problem_schema(), **components.schemas},
            "responses": dict(sorted(components.responses.items())),
        },
    }


class _Components:
    """Schemas of all types that the routes name."""

    def __init__(self, groups: list[Group]) -> None:
        self.responses: dict[str, Schema] = {}
        kinds: list[Any] = []
        for group in groups:
            for route in group.routes:
                kinds += [kind for kind in (route.body, route.query, route.answer) if kind is not None]
        unique = list(dict.fromkeys(kinds))
        made, schemas = msgspec.json.schema_components(unique, schema_hook=schema_of, ref_template=_REFERENCE)
        self._of: dict[Any, Schema] = dict(zip(unique, made, strict=True))
        queries = {route.query for group in groups for route in group.routes if route.query is not None}
        self._queries: dict[str, Schema] = {self._name(kind): schemas[self._name(kind)] for kind in queries}
        self.schemas = {name: schema for name, schema in sorted(schemas.items()) if name not in self._queries}

    def problems(self, status: int, codes: list[Code]) -> Schema:
        """A reference to the answer that says one of these codes, which have this status."""
        name = ".".join(codes)
        made: Schema = {
            "description": "; ".join(f"`{code}`: {code.summary}" for code in codes) + ".",
            "content": _PROBLEM_CONTENT,
        }
        if status in (429, 503):
            made["headers"] = _RETRY
        if status == 401:
            made["headers"] = _CHALLENGE
        self.responses[name] = made
        return {"$ref": f"#/components/responses/{name}"}

    def _name(self, kind: Any) -> str:
        return str(self._of[kind]["$ref"]).rpartition("/")[2]

    def schema(self, kind: Any) -> Schema:
        """The schema of a type, mostly a reference."""
        return self._of[kind]

    def query(self, kind: Any) -> Schema:
        """The schema of a query's struct, whole."""
        return self._queries[self._name(kind)]


def _operation(group: Group, route: Route, components: _Components) -> Schema:
    made: Schema = {
        "operationId": f"{group.name}_{route.name}",
        "tags": [group.name],
        "summary": route.summary,
    }
    parameters = [*_path_parameters(route), *_query_parameters(route, components), *_headers(route)]
    if parameters:
        made["parameters"] = parameters
    if route.body is not None:
        content = {JSON_TYPE: {"schema": components.schema(route.body)}}
        made["requestBody"] = {"required": True, "content": content}
    elif route.streamed:
        made["requestBody"] = {"content": {_OCTETS: {"schema": {}}}}
    made["responses"] = _responses(group, route, components)
    if route.open:
        made["security"] = []
    return made


def _path_parameters(route: Route) -> Iterable[Schema]:
    for name in parameters_of(route.path):
        schema: Schema = {"type": "string", "minLength": 1, "maxLength": 128}
        if name.endswith("_id"):
            schema = {"type": "string", "format": "uuid"}
        elif name == "seq":
            schema = {"type": "integer", "minimum": 1, "maximum": _LARGEST_SEQ}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(route: Route, components: _Components) -> Iterable[Schema]:
    if route.query is None:
        return
    found = components.query(route.query)
    for name, schema in found["properties"].items():
        yield {
            "name": name,
            "in": "query",
            "required": name in found.get("required", ()),
            "schema": _without_null(schema),
        }


def _without_null(schema: Schema) -> Schema:
    """A query's schema: there, null is a parameter that is left out."""
    made = {key: value for key, value in schema.items() if (key, value) != ("default", None)}
    choices = [one for one in made.pop("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **made}
    return {**made, "anyOf": choices} if choices else made


def _headers(route: Route) -> Iterable[Schema]:
    for name, meaning in route.headers.items():
        yield {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}}


def _responses(group: Group, route: Route, components: _Components) -> Schema:
    found: dict[int, Schema] = {}
    for status in (route.status, *route.also):
        made: Schema = {"description": _MEANINGS.get(status, "Done.")}
        if status == 503 or 200 <= status < 300:
            content = _content(route, components)
            if content and status != 204:
                made["content"] = content
        elif status >= 400:
            made["content"] = _PROBLEM_CONTENT
        found[status] = made
    by_status: dict[int, list[Code]] = {}
    for code in dict.fromkeys([*_implied(route), *group.errors, *route.errors]):
        by_status.setdefault(code.status, []).append(code)
    for status, codes in by_status.items():
        if status in found:
            continue
        found[status] = components.problems(status, codes)
    return {str(status): found[status] for status in sorted(found)}


def _content(route: Route, components: _Components) -> Schema:
    if route.answer is None:
        return {}
    if route.media is not None:
        return {route.media: {}}
    if route.answer is bytes:
        return {_OCTETS: {}}
    return {JSON_TYPE: {"schema": components.schema(route.answer)}}


def _implied(route: Route) -> Iterable[Code]:
    if route.body is not None or route.query is not None or route.headers:
        yield Code.bad_request
    if not route.open:
        yield from (Code.unauthorized, Code.token_expired)
    if parameters_of(route.path):
        yield Code.not_found
    if route.class_ != FREE:
        yield Code.rate_limited
    if route.body is not None:
        yield from (Code.too_large, Code.unsupported_media_type)
    elif route.streamed:
        yield Code.too_large


def _problem_schema() -> Schema:
    return {
        "title": "Problem",
        "description": "An error (RFC 9457). Some codes have further members.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "enum": [str(code) for code in Code]},
            "request_id": {"type": "string"},
        },
        "required": ["type", "title", "status", "detail", "code", "request_id"],
    }
