"""The API's description is current, complete and valid."""

import json
from importlib import import_module
from pathlib import Path

import pytest

import messenger
from messenger.admin.openapi import PATH, described, groups, text
from messenger.admin.openapi_examples import MissingExample, example_of
from messenger.admin.openapi_texts import DESCRIPTIONS
from messenger.core.http.routing import route, routes_of
from messenger.gateway.routes import service_of
from messenger.wire.codec import Decoder

DOCUMENT = described()
OPERATIONS = {
    (method, path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def test_the_kept_file_is_current():
    assert PATH.read_bytes() == text(), "run: python -m messenger.admin.openapi"


def test_it_is_valid():
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(json.loads(text()))


def test_every_route_is_there_and_nothing_else():
    routes = {
        (one.method.lower(), one.path if one.at_root else group.prefix + one.path)
        for group in groups()
        for one in group.routes
    }
    assert set(OPERATIONS) == routes | {("get", "/ws")}


def test_no_endpoints_of_a_service_are_forgotten():
    named = {(route.name, route.path) for group in groups() for route in group.routes}
    for path in Path(messenger.__file__).parent.rglob("http.py"):
        module = ".".join(
            ("messenger", *path.relative_to(Path(messenger.__file__).parent).with_suffix("").parts)
        )
        for kind in vars(import_module(module)).values():
            if isinstance(kind, type) and kind.__module__ == module:
                for one in routes_of(kind):
                    assert (one.name, one.path) in named, f"{module}.{kind.__name__} is not in openapi.py"


def test_every_path_is_one_that_the_gateway_passes():
    id_ = "01900000-0000-7000-8000-00000000abcd"
    for group in groups():
        if group.name == "gateway":
            continue
        for one in group.routes:
            path = one.path if one.at_root else group.prefix + one.path
            for name in ("{seq}", "{upload_id}"):
                path = path.replace(name, "7" if name == "{seq}" else id_)
            while "{" in path:
                path = path[: path.index("{")] + id_ + path[path.index("}") + 1 :]
            assert service_of(path)[0] == group.name, path


def test_references_lead_somewhere():
    def walk(value):
        if isinstance(value, dict):
            if "$ref" in value:
                target = DOCUMENT
                for key in value["$ref"].removeprefix("#/").split("/"):
                    target = target[key]
            for below in value.values():
                walk(below)
        elif isinstance(value, list):
            for below in value:
                walk(below)

    walk(DOCUMENT)


def test_an_operation():
    register = OPERATIONS["post", "/api/v1/auth/register"]
    assert register["security"] == []
    assert register["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Register")
    assert set(register["responses"]) >= {
        "201",
        "400",
        "409",
        "413",
        "415",
        "422",
        "429",
        "502",
        "503",
        "504",
    }
    me = OPERATIONS["get", "/api/v1/auth/me"]
    assert "security" not in me
    assert "401" in me["responses"]
    messages = OPERATIONS["get", "/api/v1/conversations/{conversation_id}/messages"]
    limit = next(one for one in messages["parameters"] if one["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert limit["required"] is False
    cursor = next(one for one in messages["parameters"] if one["name"] == "cursor")
    assert cursor["schema"]["type"] == "string"
    place = next(one for one in messages["parameters"] if one["in"] == "path")
    assert place["schema"] == {"type": "string", "format": "uuid"}


def test_binary_and_ids_have_their_formats():
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["IdentityKey"]["properties"]["identity_key"] == {
        "type": "string",
        "contentEncoding": "base64",
    }
    assert "bad_request" in schemas["Problem"]["properties"]["code"]["enum"]


def test_two_operations_of_one_name_are_refused():
    from messenger.core.http.openapi import Group, document
    from messenger.core.http.routing import routes_of

    class Twice:
        @route("GET", "/a", answer=int)
        @route("GET", "/b", answer=int)
        async def same(self, call):
            """Same."""

    group = Group(name="x", routes=routes_of(Twice))
    with pytest.raises(ValueError, match="x_same"):
        document([group], title="t", version="1", description="d")


def test_every_operation_says_what_it_is_for():
    assert sorted(DESCRIPTIONS) == sorted(one["operationId"] for one in OPERATIONS.values())
    for one in OPERATIONS.values():
        text = one["description"]
        assert text == DESCRIPTIONS[one["operationId"]]
        assert text.endswith(".")
        assert text != one["summary"]
        assert len(text) > 30


def test_every_operation_has_an_example():
    with_json = 0
    for (method, path), one in OPERATIONS.items():
        for parameter in one.get("parameters", ()):
            assert "example" in parameter, (path, parameter["name"])
        contents = [one.get("requestBody", {}).get("content", {})]
        contents += [a.get("content", {}) for status, a in one["responses"].items() if status.startswith("2")]
        for content in contents:
            if content.get("application/json", {}).get("schema", {}).get("$ref"):
                assert "example" in content["application/json"], path
                with_json += 1
        (sample,) = one["x-codeSamples"]
        assert sample["source"].startswith("curl ")
        assert "{" not in sample["source"].partition(" \\\n    -d ")[0], sample["source"]
        assert (method == "get") == ("-X" not in sample["source"] and "--head" not in sample["source"])
    assert with_json > 50


def test_examples_are_what_their_schemas_say():
    jsonschema = pytest.importorskip("jsonschema")
    checked = 0
    for one in OPERATIONS.values():
        contents = [one.get("requestBody", {}).get("content", {})]
        contents += [a.get("content", {}) for status, a in one["responses"].items() if status.startswith("2")]
        for content in contents:
            found = content.get("application/json", {})
            if "example" in found:
                schema = {**found["schema"], "components": DOCUMENT["components"]}
                jsonschema.validate(found["example"], schema, jsonschema.Draft202012Validator)
                checked += 1
    assert checked > 50


def test_examples_of_bodies_are_what_the_code_takes():
    for group in groups():
        for one in group.routes:
            if one.body is None:
                continue
            path = one.path if one.at_root else group.prefix + one.path
            operation = OPERATIONS[one.method.lower(), path]
            example = operation["requestBody"]["content"]["application/json"]["example"]
            assert Decoder(one.body).decode(json.dumps(example).encode()) is not None


def test_a_member_without_an_example_is_named():
    with pytest.raises(MissingExample, match=r"New\.member"):
        example_of({"$ref": "#/New"}, {"New": {"properties": {"member": {"type": "string"}}}})
