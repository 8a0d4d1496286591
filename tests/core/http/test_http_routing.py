"""Routes are found by their segments; what does not fit a template is no path."""

import pytest

from messenger.core.http.routing import Table, route, routes_of

UUID = "01900000-0000-7000-8000-00000000abcd"


@pytest.fixture
def table():
    made = Table()
    made.add("GET", "/a/{thing_id}", 1)
    made.add("DELETE", "/a/{thing_id}", 2)
    made.add("GET", "/a/{thing_id}/b/{seq}", 3)
    made.add("PUT", "/a/fixed", 4)
    made.add("GET", "/n/{name}", 5)
    return made


def find(table, path):
    found = table.find(path)
    return None if found is None else (found[0].template, found[1])


def test_finds_parameters(table):
    assert find(table, f"/a/{UUID}") == ("/a/{thing_id}", {"thing_id": UUID})
    assert find(table, f"/a/{UUID}/b/12") == ("/a/{thing_id}/b/{seq}", {"thing_id": UUID, "seq": "12"})
    assert find(table, "/a/fixed") == ("/a/fixed", {})
    assert find(table, "/n/x-1._~") == ("/n/{name}", {"name": "x-1._~"})


def test_ids_come_out_in_lower_case(table):
    assert find(table, f"/a/{UUID.upper()}")[1] == {"thing_id": UUID}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "a",
        "/a",
        "/a/",
        "//a/fixed",
        "/a//fixed",
        "/a/fixed/",
        "/A/fixed",
        "/a/%66ixed",
        "/a/./fixed",
        "/a/no-uuid",
        f"/a/{UUID}x",
        f"/a/{{{UUID}}}",
        f"/a/{UUID.replace('-', '')}",
        f"/a/{UUID}/b/0",
        f"/a/{UUID}/b/-1",
        f"/a/{UUID}/b/01",
        f"/a/{UUID}/b/+1",
        f"/a/{UUID}/b/1_0",
        f"/a/{UUID}/b/٣",
        f"/a/{UUID}/b/{2**63}",
        f"/a/{UUID}/b/{'9' * 5000}",
        f"/a/{UUID}/b",
        "/n/",
        "/n/a b",
        "/n/%2e",
        "/n/" + "x" * 129,
    ],
)
def test_other_spellings_are_no_path(table, path):
    assert find(table, path) is None


def test_largest_seq(table):
    assert find(table, f"/a/{UUID}/b/{2**63 - 1}") is not None


def test_allow_names_head_with_get(table):
    assert table.find(f"/a/{UUID}")[0].allow == "DELETE, GET, HEAD"
    assert table.find("/a/fixed")[0].allow == "PUT"


def test_conflicts_are_refused(table):
    with pytest.raises(ValueError, match="two routes"):
        table.add("GET", "/a/{thing_id}", 9)
    with pytest.raises(ValueError, match="two names"):
        table.add("GET", "/a/{other_id}", 9)
    with pytest.raises(ValueError, match="whole segment"):
        table.add("GET", "/x-{thing_id}", 9)


def test_marks():
    class Base:
        @route("GET", "/one", answer=int)
        async def one(self, call):
            """First line.

            More."""

        @route("DELETE", "/two")
        @route("POST", "/two", answer=int, status=202)
        async def two(self, call):
            """Two."""

    class Derived(Base):
        @route("GET", "/three", answer=int)
        async def three(self, call):
            """Three."""

        async def two(self, call):
            """No route any more."""

    found = routes_of(Derived())
    assert [(one.method, one.path, one.status, one.summary) for one in found] == [
        ("GET", "/one", 200, "First line."),
        ("GET", "/three", 200, "Three."),
    ]
    assert found[0].handler.__self__.__class__ is Derived
    both = routes_of(Base)
    assert [(one.method, one.status, one.handler) for one in both][1:] == [
        ("DELETE", 204, None),
        ("POST", 202, None),
    ]


def test_marks_are_checked():
    with pytest.raises(ValueError, match="unknown method"):
        route("get", "/x")
    with pytest.raises(ValueError, match="slash"):
        route("GET", "x")
