"""What the command line shows: words or JSON, without what others could do to a terminal."""

import io
import json

import pytest

from messenger.client import (
    IdentityRefused,
    KdfRefused,
    MessageRejected,
    NoProfile,
    ServerUnreachable,
    UnknownUser,
)
from messenger.client.chat.lines import DELIVERED, FAILED, SENT, WAITING, conversation_line, tick
from messenger.client.cli.events import WARNING, event_words, message_words
from messenger.client.cli.main import status_of
from messenger.client.cli.output import Output, clean, size
from messenger.client.cli.parser import parser
from messenger.client.records import FileInfo, Message


def message(**more: object) -> Message:
    moment = "2026-01-31T09:30:00.123Z"
    values = {
        "id": "7",
        "client_id": "c",
        "conversation_id": "here",
        "seq": 3,
        "sender_id": "u",
        "sender": "bob",
        "outgoing": False,
        "kind": "text",
        "text": "hello",
        "file": None,
        "reply_to": None,
        "sent_at": moment,
        "received_at": moment,
        "created_at": moment,
        "state": "received",
        "late": False,
    }
    return Message(**{**values, **more})  # type: ignore[arg-type]


def test_what_others_chose_moves_no_cursor() -> None:
    assert clean("a\x1b[2Jb\rc\u202ed") == "a\ufffd[2Jb\ufffdc\ufffdd"
    assert clean("Zoë 👋\n\tyes") == "Zoë 👋\n\tyes"
    words = message_words(message(sender="b\x1bob", text="\x07"), "a\x9btitle")
    assert "\x1b" not in words
    assert "\x07" not in words
    assert "\x9b" not in words


def test_a_file_shows_its_name_on_one_line() -> None:
    info = FileInfo(id="f1", name="a\nb.txt", size=1_500_000, media_type="text/plain")
    words = message_words(message(text="", file=info))
    assert words.endswith("bob: a b.txt (1.5 MB), file f1")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 KB"), (10**13, "10000.0 GB")]
)
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words


def test_json_is_one_object_a_line_and_nothing_else() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(True, out, err)
    output.words("for people")
    output.result({"a": "x\ny"}, "words")
    output.say("aside")
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [{"a": "x\ny"}]
    assert err.getvalue() == "aside\n"


def test_no_colours_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    Output(False, out).result({}, "words [red]as they are[/red]", WARNING)
    assert out.getvalue() == "words [red]as they are[/red]\n"


def test_a_warning_says_what_who_and_where() -> None:
    event = MessageRejected(
        conversation_id="here", username="bob", reason="replayed", detail="It came twice."
    )
    assert event_words(event, {"here": "plans"}) == (
        "WARNING: It came twice. (replayed from bob in plans)",
        WARNING,
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownUser(), 1),
        (NoProfile(), 3),
        (ServerUnreachable(), 4),
        (IdentityRefused(), 5),
        (KdfRefused(), 5),
    ],
)
def test_statuses_have_a_meaning(error: Exception, status: int) -> None:
    assert status_of(error) == status  # type: ignore[arg-type]


def test_passwords_are_no_arguments() -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--password", "secret", "whoami"])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("fields", "mark"),
    [
        ({"state": "queued", "seq": None}, WAITING),
        ({"state": "failed", "seq": None}, FAILED),
        ({"state": "sent", "seq": 5}, SENT),
        ({"state": "sent", "seq": 4}, DELIVERED),
        ({"state": "sent", "seq": 2}, DELIVERED),
    ],
)
def test_ticks(fields: dict[str, object], mark: str) -> None:
    assert tick(message(outgoing=True, **fields), delivered_seq=4, read_seq=2)[0] == mark


def test_read_is_told_from_delivered() -> None:
    read, delivered = (tick(message(seq=seq, state="sent"), delivered_seq=4, read_seq=2) for seq in (2, 3))
    assert read[1] != delivered[1]


def test_unread_marks_end_somewhere() -> None:
    assert conversation_line("bob", 1_000, False, False, False).plain.endswith("999+")
    assert conversation_line("bob", 0, True, False, True).plain == "● bob ✔"
