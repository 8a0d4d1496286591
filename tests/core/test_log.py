"""Log lines are one JSON object each, bounded, and never hold a secret."""

import ast
import io
import json
from pathlib import Path

import pytest
from twisted.logger import Logger, LogPublisher

import messenger
from messenger.core import log as log_module
from messenger.core.log import HIDDEN, MAX_TEXT, is_secret, json_lines, without_addresses


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines(emit):
    out = io.StringIO()
    emit(Logger(namespace="messenger.keys.domain", observer=LogPublisher(json_lines("key")(out))))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_fields_level_and_logger():
    [line] = lines(lambda log: log.warn("took {n} keys", n=3, event="claim", user_id="u", missing=None))
    assert line["level"] == "warn"
    assert line["service"] == "key"
    assert line["logger"] == "keys.domain"
    assert line["message"] == "took 3 keys"
    assert (line["event"], line["n"], line["user_id"]) == ("claim", 3, "u")
    assert "missing" not in line
    assert line["time"].endswith("Z")
    assert len(line["time"]) == len("2026-01-31T09:30:00.123Z")


@pytest.mark.parametrize(
    "name", ["token", "access_token", "Authorization", "password", "new_password", "client_secret", "ticket"]
)
def test_secrets_are_hidden_in_fields_and_message(name):
    [line] = lines(lambda log: log.info("here it is: {" + name + "}", **{name: "hunter2"}))
    assert line[name] == HIDDEN
    assert "hunter2" not in json.dumps(line)


def test_ordinary_names_are_not_hidden():
    assert not any(is_secret(name) for name in ("route", "user_id", "key_id", "token_expired", "ms"))


def test_failure_is_one_line_with_its_traceback():
    def emit(log):
        try:
            raise KeyError("gone")
        except KeyError:
            log.failure("it broke")

    [line] = lines(emit)
    assert line["level"] == "critical"
    assert line["error"] == "KeyError"
    assert "Traceback" in line["traceback"]


def test_text_is_bounded():
    [line] = lines(lambda log: log.info("{text}", text="x" * 1_000_000))
    assert len(line["message"]) < MAX_TEXT + 100
    assert len(line["text"]) < MAX_TEXT + 100


def test_line_breaks_surrogates_and_huge_numbers_stay_one_line():
    assert len(lines(lambda log: log.info("a\nb\r\nc {x}", x="\ud800"))) == 1
    assert len(lines(lambda log: log.info("{x}", x=10**30))) == 1


def test_fields_can_not_forge_the_line_s_own():
    [line] = lines(lambda log: log.info("true", time="none", service="none"))
    assert line["service"] == "key"
    assert line["time"] != "none"


def test_legacy_events():
    out = io.StringIO()
    json_lines("auth")(out)({"log_text": "old", "log_format": "{log_text}", "log_time": 1.0, "isError": 0})
    assert json.loads(out.getvalue())["message"] == "old"


def of(emit, namespace):
    out = io.StringIO()
    emit(Logger(namespace=namespace, observer=LogPublisher(json_lines("key")(out))))
    return json.loads(out.getvalue())


def test_libraries_do_not_tell_who_a_client_is():
    for peer in (
        "tcp4:192.0.2.7:41234",
        "IPv4Address(type='TCP', host='192.0.2.7', port=41234)",
        "2001:db8::7",
        "tcp6:2001:db8::7:41234",
    ):

        def emit(log, peer=peer):
            log.warn("dropping connection to peer {peer} with abort={abort}", peer=peer, abort=True)

        line = of(emit, "autobahn.websocket.protocol")
        assert "192.0.2.7" not in json.dumps(line)
        assert "db8" not in json.dumps(line)
        assert "[address]" in line["message"]
        assert "[address]" in line["peer"]
        assert "dropping connection" in line["message"]
    debug = of(lambda log: log.debug("Timing out client: {peer}", peer="192.0.2.7"), "twisted.web.http")
    assert "192.0.2.7" in debug["message"]
    # Where an engine is stands in our own lines.
    assert of(lambda log: log.warn("127.0.0.1:5432 is away"), "messenger.database")["message"].startswith(
        "127"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at 10:32:01, 1.5 s, fe80::b.", "at 10:32:01, 1.5 s, [address]."),
        ("from 192.0.2.7:80: gone", "from [address]:80: gone"),
        ("[2001:db8::7]:80", "[[address]]:80"),
        ("release 1.2.3 of 4:5", "release 1.2.3 of 4:5"),
    ],
)
def test_addresses_are_told_from_other_numbers(text, shown):
    assert without_addresses(text) == shown


def test_no_line_of_ours_above_debug_names_a_client():
    """`log.info(..., peer=...)` and the like are found in the source; a service's address may be told."""
    found = []
    for path in Path(messenger.__path__[0]).rglob("*.py"):
        if path.name == "upstream.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in ("info", "warn", "error", "critical", "failure"):
                continue
            named = {one.arg for one in node.keywords} & {"peer", "address", "client", "ip", "forwarded"}
            found += [f"{path.name}:{node.lineno} {name}" for name in named]
    assert found == []


def test_on_a_terminal_lines_are_for_people():
    def emit(log):
        log.warn("took {n} keys\x1b[31m", n=3, request_id="r1")
        try:
            raise KeyError("gone")
        except KeyError:
            log.failure("it broke")

    out = Terminal()
    emit(Logger(namespace="messenger.keys", observer=LogPublisher(log_module.lines("key")(out))))
    first, second, *rest = out.getvalue().splitlines()
    assert first[8:] == " warn     took 3 keys [31m [r1]"
    assert second[8:] == " critical it broke"
    assert rest[0].startswith("Traceback")
    piped = io.StringIO()
    emit(Logger(namespace="messenger.keys", observer=LogPublisher(log_module.lines("key")(piped))))
    assert [json.loads(line)["service"] for line in piped.getvalue().splitlines()] == ["key", "key"]
