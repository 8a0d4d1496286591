"""Log lines are one JSON object each, bounded, and never hold a secret."""

import io
import json

import pytest
from twisted.logger import Logger, LogPublisher

from messenger.core.log import HIDDEN, MAX_TEXT, is_secret, json_lines


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
