"""`[database] host`: one host, or several with their ports, and what is no such list."""

import pytest

from messenger.core.config import load
from messenger.core.hosts import MOST, Host, hosts_of
from messenger.core.lifecycle import StartError
from messenger.core.settings import DatabaseSettings


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("db", [("db", 5)]),
        ("db1:5432,db2:5433", [("db1", 5432), ("db2", 5433)]),
        (" db1:1 , db2 ", [("db1", 1), ("db2", 5)]),
        ("10.0.0.1,10.0.0.2:7", [("10.0.0.1", 5), ("10.0.0.2", 7)]),
        ("::1", [("::1", 5)]),
        ("fd00::3,[fd00::2]:5433,[fd00::4]", [("fd00::3", 5), ("fd00::2", 5433), ("fd00::4", 5)]),
        ("/run/postgresql", [("/run/postgresql", 5)]),
        ("/run/postgresql:5433,@abstract", [("/run/postgresql", 5433), ("@abstract", 5)]),
        ("db:1,db:1,db:2", [("db", 1), ("db", 2)]),
    ],
)
def test_hosts(text: str, hosts: list[tuple[str, int]]) -> None:
    assert hosts_of(text, 5) == tuple(Host(*one) for one in hosts)


@pytest.mark.parametrize(
    "text",
    ["", "db,", ":5432", "db:0", "db:65536", "db:99999999999999999999", "a b", "db:", "[::1]:x", "a:b"],
)
def test_what_is_no_list_of_hosts(text: str) -> None:
    with pytest.raises(ValueError, match=r"host|port"):
        hosts_of(text, 5432)


def test_the_list_has_an_end() -> None:
    with pytest.raises(ValueError, match="at most"):
        hosts_of(",".join(f"h{number}" for number in range(MOST + 1)), 5432)


def test_a_wrong_host_is_one_line_of_the_administrators() -> None:
    with pytest.raises(StartError) as caught:
        load(None, {"MESSENGER_DATABASE__HOST": "db1:5432,db2:port"})
    assert "host: `db2:port` is no host" in str(caught.value)


def test_where_names_all() -> None:
    assert DatabaseSettings(host="a:1,[::2]:3,b", name="m").where == "a:1,[::2]:3,b:5432/m"
