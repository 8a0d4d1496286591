"""JSON in and out: base64 in one spelling, UUIDs, bounds, and whatever a client may send instead."""

import base64
import json
import string
import uuid
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from messenger.wire.codec import (
    Binary,
    Decoder,
    Uuid,
    base64_bytes,
    base64_text,
    convert,
    encode,
    schema_of,
    uuid_text,
)
from messenger.wire.errors import Code, Problem

ID = "0190b5c2-7e1a-7c3d-8f21-00aa11bb22cc"
ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


class Body(Struct, frozen=True):
    """What the tests decode."""

    id: Uuid | None = None
    blob: Binary | None = None
    number: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    text: str | None = None
    ids: list[Uuid] | None = None


body = Decoder[Body](Body)


def taken(raw: bytes) -> Body | None:
    """The body, or None where it is refused: by the one code that there is for it."""
    try:
        return body.decode(raw)
    except Problem as problem:
        if problem.code is not Code.bad_request:
            raise
        return None


def refused(raw: bytes) -> str:
    with pytest.raises(Problem) as caught:
        body.decode(raw)
    assert caught.value.code is Code.bad_request
    return caught.value.detail


# base64


@given(st.binary(max_size=200))
def test_base64_round_trip(raw: bytes) -> None:
    text = base64_text(raw)
    assert text == base64.b64encode(raw).decode()
    assert base64_bytes(text) == raw


@given(st.text(alphabet="AQgwBCD+/-_=09 \n\r\t", max_size=12))
@example("====")
@example("A===")
@example("AA=A")
@example("AAAA====")
@example("AA==AA==")
@example("=AAA")
@example("AAA\n")
def test_base64_has_one_spelling(text: str) -> None:
    """Whatever is taken is exactly what the server itself would write."""
    try:
        raw = base64_bytes(text)
    except ValueError:
        return
    assert base64_text(raw) == text


@given(st.binary(min_size=1, max_size=60), st.data())
def test_every_other_spelling_of_the_same_bytes_is_refused(raw: bytes, data: st.DataObject) -> None:
    text = base64_text(raw)
    place = data.draw(st.integers(0, len(text)))
    spellings = {
        text[:place] + data.draw(st.sampled_from(" \n\r\t=-_.%\0é\ud800")) + text[place:],
        text + "=",
        text + "\n",
        text + "AAAA"[: data.draw(st.integers(1, 3))],
    }
    if text.endswith("="):
        bare = text.rstrip("=")
        spellings |= {bare, text[:-1]}
        # The bits that belong to no byte, set: lenient decoders give the same bytes for these.
        unused = 4 if text.endswith("==") else 2
        value = ALPHABET.index(bare[-1])
        spellings |= {
            bare[:-1] + ALPHABET[value | extra] + "=" * (len(text) - len(bare))
            for extra in range(1, 1 << unused)
        }
    urlsafe = base64.urlsafe_b64encode(raw).decode()
    if urlsafe != text:
        spellings.add(urlsafe)
    for spelling in spellings - {text}:
        with pytest.raises(ValueError, match=r"base64|ASCII"):
            base64_bytes(spelling)


def test_base64_in_a_body() -> None:
    found = body.decode(b'{"blob":"AAEC/w=="}').blob
    assert found == b"\x00\x01\x02\xff"
    assert type(found) is Binary
    assert "`$.blob`" in refused(b'{"blob":"AAEC/x=="}')
    assert "`$.blob`" in refused(b'{"blob":"AAEC_w=="}')
    assert "`$.blob`" in refused(b'{"blob":7}')
    assert "`$.blob`" in refused('{"blob":"é==="}'.encode())


# ids


@given(st.uuids())
def test_uuid_comes_out_in_lower_case(value: uuid.UUID) -> None:
    assert uuid_text(str(value)) == str(value)
    assert uuid_text(str(value).upper()) == str(value)
    assert body.decode(b'{"id":"%s"}' % str(value).upper().encode()).id == str(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ID[:-1],
        ID + "0",
        ID + "\n",
        "\n" + ID,
        " " + ID,
        ID.replace("-", ""),
        "{" + ID + "}",
        "urn:uuid:" + ID,
        ID.replace("-", "_"),
        ID[:-1] + "g",
        ID[:-1] + "\u0661",  # a digit, but not an ASCII one
        ID[:-1] + "\uff11",
        "\u0131" + ID[1:],
        ID[:-1] + "\0",
        ID[:-1] + "\ud800",
    ],
)
def test_what_is_no_uuid(text: str) -> None:
    assert uuid_text(text) is None


def test_uuid_in_a_body() -> None:
    found = body.decode(b'{"ids":["%s"]}' % ID.upper().encode())
    assert found.ids == [ID]
    assert type(found.ids[0]) is Uuid
    assert "`$.ids[1]`" in refused(b'{"ids":["%s","x"]}' % ID.encode())
    assert "`$.id`" in refused(b'{"id":1}')
    assert "`$.id`" in refused(b'{"id":["%s"]}' % ID.encode())


# what clients send instead


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"unknown":[', b'{"ids":['])
@pytest.mark.parametrize("closed", [True, False])
def test_absurd_nesting_is_a_bad_request(opening: bytes, closed: bool) -> None:
    closing = {b"[": b"]", b'{"a":': b"}", b'{"unknown":[': b"]}", b'{"ids":[': b"]}"}[opening]
    refused(opening * 100_000 + (b"1" + closing * 100_000 if closed else b""))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"text":"\xff"}',
        b'{"text":"\xc0\x80"}',  # NUL, overlong
        b'{"text":"\xed\xa0\x80"}',  # a surrogate in UTF-8's clothes
        b'{"text":"\xf4\x90\x80\x80"}',  # beyond U+10FFFF
        b'{"\xff":1}',
        b'{"unknown":"\xff"}',
        b'{"unknown":["\xe2\x82"]}',
        b"\xff",
        b'{"text":"a"}\xff',
        '{"text":"a"}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
    ],
)
def test_bad_utf8_is_a_bad_request_wherever_it_stands(raw: bytes) -> None:
    refused(raw)


@pytest.mark.parametrize("text", [r"\ud800", r"\udfff", r"\ud800\ud800", r"a\udc00\ud800", r"\ud800x"])
def test_lone_surrogates_are_refused(text: str) -> None:
    """They would be text that can't be written to anyone, nor into the database."""
    refused(b'{"text":"%s"}' % text.encode())


def test_surrogate_pairs_are_characters() -> None:
    assert body.decode(rb'{"text":"\ud83d\ude00"}').text == "\U0001f600"


@pytest.mark.parametrize(
    "number",
    [
        b"-1",
        b"9223372036854775808",
        b"18446744073709551616",
        b"1" + b"0" * 10_000,
        b"-1" + b"0" * 10_000,
        b"1e400",
        b"-1e400",
        b"1e99999999999999999999",
        b"1.5",
        b"1.0",
        b"0" * 10,
        b"NaN",
        b"Infinity",
        b"0x10",
        b"1_000",
        b"true",
        b'"1"',
    ],
)
def test_numbers_that_are_none_of_ours(number: bytes) -> None:
    refused(b'{"number":%s}' % number)


@pytest.mark.parametrize("number", [0, 2**31, 2**53 + 1, 2**63 - 1])
def test_numbers_are_exact_to_their_bound(number: int) -> None:
    assert body.decode(b'{"number":%d}' % number).number == number


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"{", b"{}{}", b"{} x", b"{'id':1}", b"[]", b"null", b'"a"', b"{,}", b'{"id":}', b"\x00"],
)
def test_what_is_no_object(raw: bytes) -> None:
    refused(raw)


def test_unknown_members_are_ignored() -> None:
    assert body.decode(b'{"text":"a","later":{"x":[1,2,{}]}}') == Body(text="a")


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_decoding_raises_nothing_but_problems(raw: bytes) -> None:
    taken(raw)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["id", "blob", "number", "text", "ids", "x"]), _json))
def test_any_json_is_taken_or_refused(value: dict[str, Any]) -> None:
    found = taken(json.dumps(value).encode())
    assert found is None or found.text == value.get("text")


# queries


def test_queries_are_text_that_becomes_what_is_wanted() -> None:
    assert convert({"number": "17", "id": ID.upper()}, Body) == Body(id=Uuid(ID), number=17)


@pytest.mark.parametrize(
    "query",
    [
        {"number": "x"},
        {"number": ""},
        {"number": "-1"},
        {"number": "9" * 5_000},
        {"number": "nan"},
        {"number": "\u0661"},
        {"id": "x"},
        {"id": "\udc80"},
        {"blob": "A"},
    ],
)
def test_queries_that_do_not_fit(query: dict[str, str]) -> None:
    with pytest.raises(Problem) as caught:
        convert(query, Body)
    assert caught.value.code is Code.bad_request


# the other way


def test_encoding() -> None:
    assert encode({"a": Binary(b"\x00\xff"), "b": b"\x00\xff", "id": Uuid(ID)}) == (
        b'{"a":"AP8=","b":"AP8=","id":"%s"}' % ID.encode()
    )
    assert encode(Body(blob=Binary(b""), number=2**63 - 1)) == (
        b'{"id":null,"blob":"","number":9223372036854775807,"text":null,"ids":null}'
    )
    with pytest.raises(NotImplementedError):
        encode(object())


def test_schemas_of_the_custom_types() -> None:
    schema = msgspec.json.schema(Body, schema_hook=schema_of)
    properties = schema["$defs"]["Body"]["properties"]
    assert {"type": "string", "format": "uuid"} in properties["id"]["anyOf"]
    assert {"type": "string", "contentEncoding": "base64"} in properties["blob"]["anyOf"]
    with pytest.raises(NotImplementedError):
        schema_of(int)
