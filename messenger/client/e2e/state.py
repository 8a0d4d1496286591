"""State as bytes: a version byte, then MessagePack of one struct.

Members may be added with defaults under the same version; a version that is not known is refused, so that an
older program never writes over what a newer one has stored.
"""

from typing import Any, Self, TypeVar

import msgspec
from msgspec import Struct

from messenger.client.e2e.errors import BadState

VERSION = 1

T = TypeVar("T")


def _plain(value: Any) -> Any:
    """Bytes and text of the wire's own types (`Binary`, `Uuid`)."""
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(type(value))


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def dump(value: object) -> bytes:
    """A struct as bytes."""
    return bytes((VERSION,)) + _encoder.encode(value)


def load(raw: bytes, kind: type[T]) -> T:
    """The struct that `dump` wrote; BadState for anything else."""
    if not raw or raw[0] != VERSION:
        raise BadState(f"Stored encryption state is not of version {VERSION}.")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        value: T = decoder.decode(raw[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadState(f"Stored encryption state is damaged: {error}.") from None
    return value


class Stored(Struct):
    """A struct that is stored just as it is."""

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Decode what `to_bytes` wrote; BadState for anything else."""
        return load(raw, cls)

    def to_bytes(self) -> bytes:
        """All of it, in the clear: to be stored encrypted."""
        return dump(self)
