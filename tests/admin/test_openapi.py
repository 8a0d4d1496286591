"""The API's description is current, complete and valid."""

import json

import pytest

from messenger.admin.openapi import PATH, described, groups, text
from messenger.core.http.routing import route
from messenger.gateway.routes import service_of

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
