"""How the primary is found by who blocks; no PostgreSQL is asked."""

from threading import Event
from typing import Any

import psycopg2
import pytest

from messenger.core.database import blocking
from messenger.core.hosts import Host, Recent
from messenger.core.settings import DatabaseSettings

SETTINGS = DatabaseSettings(host="silent:1,gone:2,standby:3,primary:4")


class Connected:
    """A connection to a host."""

    def __init__(self, host: str) -> None:
        self.host = host


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each host does: an event is waited for, an error raised; who is not here connects."""
    found: dict[str, Any] = {}

    found["tried"] = []

    def connect(host: str, **_: Any) -> Connected:
        found["tried"].append(host)
        does = found.get(host)
        if isinstance(does, Event):
            does.wait(60)
            raise psycopg2.OperationalError("timeout expired")
        if does is not None:
            raise psycopg2.OperationalError(does)
        return Connected(host)

    monkeypatch.setattr(psycopg2, "connect", connect)
    monkeypatch.setattr(blocking, "HEAD_START", 0.01)
    monkeypatch.setattr(blocking, "RECENT", Recent())
    return found


def test_a_silent_host_holds_up_nobody(servers: dict[str, Any]) -> None:
    silence = Event()
    servers |= {"silent": silence, "gone": "connection refused", "standby": "session is read-only"}
    try:
        found: Any = blocking.connect(SETTINGS)
    finally:
        silence.set()
    assert found.host == "primary"


def test_where_there_is_no_primary_each_host_says_why(servers: dict[str, Any]) -> None:
    servers |= dict.fromkeys([one.name for one in SETTINGS.hosts], "session is read-only")
    servers["gone"] = "FATAL: no such role"
    with pytest.raises(psycopg2.OperationalError) as raised:
        blocking.connect(SETTINGS)
    assert str(raised.value).count("session is read-only") == 3
    assert "no such role" in str(raised.value)


def test_the_first_that_answers_is_taken(servers: dict[str, Any]) -> None:
    found: Any = blocking.connect(SETTINGS)
    assert (found.host, SETTINGS.hosts[0]) == ("silent", Host("silent", 1))


def test_the_next_connection_tries_first_who_was_the_primary(servers: dict[str, Any]) -> None:
    servers |= {"silent": "timeout expired", "gone": "connection refused", "standby": "session is read-only"}
    blocking.connect(SETTINGS)
    servers["tried"].clear()
    blocking.connect(SETTINGS)
    assert servers["tried"] == ["primary"]


def test_a_standby_that_would_do_is_not_remembered(servers: dict[str, Any]) -> None:
    blocking.connect(SETTINGS, any_state=True)
    servers |= {"silent": "session is read-only"}
    found: Any = blocking.connect(SETTINGS)
    assert (found.host, servers["tried"]) == ("gone", ["silent", "silent", "gone"])
