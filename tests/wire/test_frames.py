"""Frames: one or several in a message, told apart by type.

What is no frame costs an answer, what is no JSON the socket.
"""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.wire import frames
from messenger.wire.codec import encode
from messenger.wire.errors import Code, Problem
from messenger.wire.frames import Ack, ClientFrame, NotJson, Read, Resend, Send, Token, decode, ref_of, split

ID = "0190b5c2-7e1a-7c3d-8f21-00aa11bb22cc"
DEVICE = "0190b5c2-7e1a-7c3d-8f21-00aa11bb22cd"


def raw(**members: Any) -> bytes:
    return json.dumps(members).encode()


def refused(text: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        decode(text)
    assert caught.value.code is Code.bad_request
    return caught.value


# the five frames of clients


def test_send() -> None:
    found = decode(
        raw(
            type="send",
            ref="r1",
            conversation_id=ID.upper(),
            client_id=DEVICE,
            kind="text",
            content="AAE=",
            envelopes=[{"device_id": DEVICE, "content": "/w=="}],
            later="ignored",
        )
    )
    assert isinstance(found, Send)
    assert (found.ref, found.conversation_id, found.kind, found.content) == ("r1", ID, "text", b"\x00\x01")
    assert found.envelopes is not None
    assert [(one.device_id, one.content) for one in found.envelopes] == [(DEVICE, b"\xff")]
    assert found.partial is False


def test_ack_read_resend_and_token() -> None:
    assert decode(raw(type="ack", conversation_id=ID, seq=3)) == Ack(conversation_id=ID, seq=3, change=None)
    assert decode(raw(type="ack", conversation_id=ID, change=0)) == Ack(conversation_id=ID, change=0)
    assert decode(raw(type="read", conversation_id=ID, seq=2**63 - 1)) == Read(
        conversation_id=ID, seq=2**63 - 1
    )
    assert decode(raw(type="resend", conversation_id=ID, after=0)) == Resend(conversation_id=ID, after=0)
    assert decode(raw(type="token", ref="r", access_token="t")) == Token(ref="r", access_token="t")


def test_type_may_stand_anywhere() -> None:
    assert isinstance(decode(b'{"conversation_id":"%s","seq":1,"type":"read"}' % ID.encode()), Read)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"null",
        b"1",
        b'"send"',
        b"[]",
        raw(type="unknown"),
        raw(type="hello", user_id=ID, device_id=ID, server_time="", heartbeat=1),  # ours, not a client's
        raw(type=None),
        raw(type=1),
        raw(type=["send"]),
        raw(type="Send"),
        raw(type="ack"),
        raw(type="ack", conversation_id="x", seq=1),
        raw(type="ack", conversation_id=ID, seq=-1),
        raw(type="ack", conversation_id=ID, seq=2**63),
        raw(type="ack", conversation_id=ID, seq=2**64),
        raw(type="ack", conversation_id=ID, seq=1.5),
        raw(type="ack", conversation_id=ID, seq=True),
        raw(type="ack", conversation_id=ID, seq="1"),
        raw(type="read", conversation_id=ID),
        raw(type="read", conversation_id=ID, seq=None),
        raw(type="send", ref="", conversation_id=ID, client_id=ID, kind="text", content=""),
        raw(type="send", ref="r" * 65, conversation_id=ID, client_id=ID, kind="text", content=""),
        raw(type="send", ref="r", conversation_id=ID, client_id=ID, kind="text", content="AA"),
        raw(type="send", ref="r", conversation_id=ID, client_id=ID, kind="text", envelopes={}),
        raw(type="send", ref="r", conversation_id=ID, client_id=ID, kind="text", envelopes=[[]]),
        raw(type="token", ref="r", access_token="t" * 8_193),
        b'{"type":"ack","type":"read"}',
        # Numbers too large for anyone are JSON all the same (RFC 8259 section 6).
        b'{"type":"ack","conversation_id":"%s","seq":1e400}' % ID.encode(),
        b'{"type":"ack","conversation_id":"%s","seq":%s}' % (ID.encode(), b"9" * 5_000),
        b'{"x":1e400}',
        b'{"x":%s}' % (b"9" * 5_000),
        b"9" * 5_000,
        b"1e400",
        # So is half a surrogate pair, though no text (section 8.2).
        rb'{"type":"\ud800"}',
        rb'{"type":"ping","ref":"\udc00\ud800"}',
        rb'{"type":"ack","conversation_id":"%s","unknown":"\ud83d"}' % ID.encode(),
    ],
)
def test_json_that_is_no_frame_is_a_bad_request(text: bytes) -> None:
    refused(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"hello",
        b"{}{}",
        b"{'type':'ack'}",
        b"NaN",
        b"\x00",
        b"\xff",
        b'"\xff"',
        b'{"\xff":1}',
        b'{"type":"ack","conversation_id":"\xff"}',
        b'{"type":"ack","conversation_id":"%s","unknown":"\xff"}' % ID.encode(),
        b"\xef\xbb\xbf{}",
        b'{"type":"ack","seq":01}',
        b'{"type":"ack",}',
    ],
)
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(NotJson):
        decode(text)


@pytest.mark.parametrize("opening", [b'{"a":', b"[", b'{"type":"ack","x":['])
@pytest.mark.parametrize("closing", [b"", b"]", b"}"])
def test_absurd_nesting_costs_a_frame_not_the_socket(opening: bytes, closing: bytes) -> None:
    assert outcomes(opening * 60_000 + closing * 60_000) == [Code.bad_request]


# several in one message


def test_one_frame_is_itself() -> None:
    text = b' \t\r\n{"type":"x"} '
    assert split(text) == [text]


def test_an_array_is_its_frames() -> None:
    first, second = raw(type="ack", conversation_id=ID), raw(type="read", conversation_id=ID, seq=1)
    assert split(b" [" + first + b" , " + second + b"]\n") == [first, second]
    assert split(b"[]") == []


def test_a_bad_frame_leaves_its_neighbours_alone() -> None:
    good = raw(type="read", conversation_id=ID, seq=1)
    items = split(b"[" + good + b',{"type":"nonsense","ref":"r"},7,' + good + b"]")
    assert len(items) == 4
    assert isinstance(decode(items[0]), Read)
    refused(items[1])
    refused(items[2])
    assert isinstance(decode(items[3]), Read)


def test_half_a_surrogate_pair_costs_its_own_frame() -> None:
    ping = raw(type="ping", ref="r")
    found = outcomes(b"[" + ping + rb',{"ref":"\ud800"},' + ping + b"]")
    assert found == [decode(ping), Code.bad_request, decode(ping)]
    with pytest.raises(NotJson):
        split(rb'["\ud800", NaN]')


def test_arrays_are_bounded() -> None:
    assert len(split(b"[" + b",".join([b"1"] * frames.MAX_FRAMES) + b"]")) == frames.MAX_FRAMES
    with pytest.raises(Problem) as caught:
        split(b"[" + b",".join([b"1"] * (frames.MAX_FRAMES + 1)) + b"]")
    assert caught.value.code is Code.bad_request


def test_an_array_in_an_array_is_no_frame() -> None:
    [item] = split(b"[[" + raw(type="ack", conversation_id=ID) + b"]]")
    refused(item)


@pytest.mark.parametrize("text", [b"[", b"[1", b"[1,]", b"[,]", b"[] []", b"[}", b"[\xff]", b"[1] x"])
def test_arrays_that_are_no_json(text: bytes) -> None:
    with pytest.raises(NotJson):
        split(text)


# ref


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (raw(type="nonsense", ref="r"), "r"),
        (raw(ref="é" * 64), "é" * 64),
        (raw(ref="r" * 65), None),
        (raw(ref=""), None),
        (raw(ref=1), None),
        (raw(ref=None), None),
        (raw(), None),
        (b"[]", None),
        (b"7", None),
        (b"", None),
        (rb'{"ref":"\ud800"}', None),
        (b'{"ref":"\xff"}', None),
        (b'{"ref":' * 60_000, None),
        (b'{"x":' + b"[" * 60_000 + b"]" * 60_000 + b',"ref":"r"}', None),
        (b'{"seq":1e400,"ref":"r"}', "r"),
    ],
)
def test_ref_of_a_frame_that_did_not_decode(text: bytes, ref: str | None) -> None:
    assert ref_of(text) == ref


# fuzz


def is_json(text: bytes) -> bool:
    """Whether Python's own parser takes the text, constants and lone surrogates apart."""

    def no_constant(name: str) -> None:
        raise ValueError(name)

    try:
        json.dumps(json.loads(text.decode("utf-8"), parse_constant=no_constant), ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


def outcomes(text: bytes) -> list[object]:
    """What a socket makes of a message: for each frame itself, the code of its error, or NotJson."""
    try:
        items = split(text)
    except NotJson:
        return [NotJson]
    except Problem as problem:
        return [problem.code]
    found: list[object] = []
    for item in items:
        try:
            found.append(decode(item))
        except NotJson:
            found.append(NotJson)
        except Problem as problem:
            found.append(problem.code)
    return found


def feed(text: bytes) -> None:
    """Nothing else may come of a message, and none of them wrongly."""
    for outcome in outcomes(text):
        if outcome is NotJson:
            assert not is_json(text)
        elif not isinstance(outcome, ClientFrame):
            assert outcome is Code.bad_request
    ref = ref_of(text)
    assert ref is None or 1 <= len(ref) <= 64


@given(st.binary(max_size=100))
def test_any_bytes(text: bytes) -> None:
    feed(text)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([ID, "AAE=", "AAE", "send", "r" * 65]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_members = st.sampled_from(
    ["ref", "conversation_id", "client_id", "kind", "content", "envelopes", "seq", "change", "after", "x"]
)
_frames = st.builds(
    lambda members, kind: {**members, "type": kind},
    st.dictionaries(_members, _values),
    st.sampled_from(["send", "ack", "read", "resend", "token", "hello", "x", None, 1]),
)


@given(_frames | st.lists(_frames, max_size=3) | _values)
def test_any_json(value: Any) -> None:
    feed(json.dumps(value).encode())


@given(_frames, st.data())
def test_damaged_frames(value: dict[str, Any], data: st.DataObject) -> None:
    text = bytearray(json.dumps(value).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    feed(bytes(text))


# from the server


def test_frames_of_the_server_bear_their_type() -> None:
    assert encode(frames.Synced()) == b'{"type":"synced"}'
    hello = frames.Hello(user_id=ID, device_id=DEVICE, server_time="t", heartbeat=45)
    assert msgspec.json.decode(encode(hello))["type"] == "hello"
    sent = frames.SentFrame(ref="r", conversation_id=ID, seq=1, created_at="t")
    assert msgspec.json.decode(encode(sent)) == {
        "type": "sent",
        "ref": "r",
        "conversation_id": ID,
        "seq": 1,
        "created_at": "t",
    }


def test_a_message_frame_carries_its_bytes_as_base64() -> None:
    message = frames.MessageFrame(
        conversation_id=ID,
        seq=1,
        sender_id=None,
        sender_device_id=DEVICE,
        client_id=ID,
        kind="text",
        content=b"\xff",
        envelope=None,
        created_at="t",
        expires_at=None,
        deleted=False,
    )
    found = msgspec.json.decode(encode(message))
    assert (found["type"], found["content"], found["envelope"]) == ("message", "/w==", None)


def test_a_change_frame_leaves_out_what_its_event_has_not() -> None:
    change = frames.ChangeFrame(
        conversation_id=ID, change=1, at_seq=0, created_at="t", actor_id=None, event="ended"
    )
    assert set(msgspec.json.decode(encode(change))) == {
        "type",
        "conversation_id",
        "change",
        "at_seq",
        "created_at",
        "actor_id",
        "event",
    }
