"""JSON in and out, and the two custom types of the wire: `Binary` and `Uuid`.

Decoding never raises anything but `Problem`: msgspec's own errors, bad UTF-8 and absurd nesting are all the
client's `bad_request`, with the path of the member that was wrong.

`Binary` is standard base64 with padding (RFC 4648 section 4), canonical: what decodes to the same bytes in
two spellings is refused. `Uuid` is the 36-character form of RFC 9562 section 4, in either case, and comes out
in lower case.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

from messenger.wire.errors import Code, Problem

T = TypeVar("T")

_DIGITS = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
# The last sextet before the padding may only use the bits that belong to a byte.
_LAST_OF_ONE = frozenset("AQgw")
_LAST_OF_TWO = frozenset("AEIMQUYcgkosw048")


class Binary(bytes):
    """Bytes that travel as base64."""

    __slots__ = ()


class Uuid(str):
    """An id in its 36-character form, lower case."""

    __slots__ = ()


def base64_bytes(text: str) -> bytes:
    """The bytes of canonical, padded, standard base64; ValueError for anything else."""
    if text.endswith("=="):
        canonical = text[-3:-2] in _LAST_OF_ONE
    elif text.endswith("="):
        canonical = text[-2:-1] in _LAST_OF_TWO
    else:
        canonical = True
    if not canonical or len(text) % 4:
        raise ValueError("not canonical base64 with padding")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise ValueError("not standard base64 with padding") from error


def base64_text(raw: bytes) -> str:
    """Standard base64 with padding."""
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def base64url_text(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def uuid_text(text: str) -> str | None:
    """The id in lower case, or None where the text is no UUID in its 36-character form."""
    return text.lower() if _UUID.fullmatch(text) else None


def decode_custom(kind: type, value: Any) -> Any:
    """Decode the custom types, `Binary` and `Uuid`, for msgspec; ValueError for what is none."""
    if not isinstance(value, str):
        raise ValueError("Expected `str`")
    if kind is Binary:
        return Binary(base64_bytes(value))
    if kind is Uuid:
        text = uuid_text(value)
        if text is None:
            raise ValueError("not a UUID")
        return Uuid(text)
    raise NotImplementedError(kind)


def _encode_custom(value: Any) -> Any:
    if isinstance(value, Binary):
        return bytes(value)
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(type(value))


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON schema of a custom type, for the OpenAPI description."""
    if kind is Binary:
        return {"type": "string", "contentEncoding": "base64"}
    if kind is Uuid:
        return {"type": "string", "format": "uuid"}
    raise NotImplementedError(kind)


class Decoder(Generic[T]):
    """Decodes JSON into one type; reusable, made once at import."""

    __slots__ = ("_decoder",)

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind, dec_hook=decode_custom)

    def decode(self, raw: bytes) -> T:
        """The value; Problem `bad_request` for whatever does not fit the type, or is no JSON (RFC 8259)."""
        try:
            if not raw.isascii():
                raw.decode("utf-8")  # msgspec does not look into members that it passes over
            return self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise Problem(Code.bad_request, f"The body does not fit: {error}.") from None
        except msgspec.DecodeError as error:
            raise Problem(Code.bad_request, f"The body is not JSON: {error}.") from None
        except UnicodeDecodeError:
            raise Problem(Code.bad_request, "The body is not UTF-8.") from None
        except RecursionError:
            raise Problem(Code.bad_request, "The body is nested too deeply.") from None


def convert(value: Mapping[str, str], kind: type[T]) -> T:
    """Query parameters as the struct `kind`; Problem `bad_request` where they do not fit.

    A number is written in digits: msgspec takes `1e1` and `1.0` for whole numbers, too.
    """
    struct: Any = kind
    for name in _numbers(struct):
        if not _DIGITS.fullmatch(value.get(name, "0")):
            raise Problem(Code.bad_request, f"The query does not fit: {name} is a number in digits.")
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=decode_custom)
    except msgspec.ValidationError as error:
        raise Problem(Code.bad_request, f"The query does not fit: {error}.") from None


@cache
def _numbers(kind: Any) -> tuple[str, ...]:
    """The members of a struct that are whole numbers."""
    fields: list[str] = []
    found = msgspec.inspect.type_info(kind)
    if isinstance(found, msgspec.inspect.StructType):
        for field in found.fields:
            kinds = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
            if any(isinstance(one, msgspec.inspect.IntType) for one in kinds):
                fields.append(field.encode_name)
    return tuple(fields)


_encoder = msgspec.json.Encoder(enc_hook=_encode_custom)


def encode(value: Any) -> bytes:
    """JSON in UTF-8."""
    return _encoder.encode(value)
