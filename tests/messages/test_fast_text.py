"""Whole texts are taken at once; whatever else a stream holds is left, byte for byte, to Autobahn."""

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from messenger.messages.fast_text import unmasked, whole_text

MASKS = st.binary(min_size=4, max_size=4)


def masked(payload: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


@given(st.lists(st.text(st.characters(max_codepoint=127), max_size=300).map(str.encode), max_size=5))
def test_texts_are_read_back_in_order(texts: list[bytes]) -> None:
    stream, at, found = b"".join(map(masked, texts)), 0, []
    while taken := whole_text(stream, at):
        payload, at = taken
        found.append(payload)
    assert found == texts
    assert at == len(stream)


@given(st.integers(0, 70_000))
def test_every_length(size: int) -> None:
    stream = masked(b"a" * size)
    assert whole_text(stream, 0) == ((b"a" * size, len(stream)) if size < 65_536 else None)


@given(st.binary(max_size=500), MASKS)
def test_masks(payload: bytes, mask: bytes) -> None:
    assert unmasked(payload, mask) == bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))


@given(st.integers(0, 131))
def test_what_is_cut_off_waits(size: int) -> None:
    stream = masked(b"a" * 124)
    assert len(stream) == 130
    assert (whole_text(stream[:size], 0) is None) == (size < 130)


def test_all_else_is_autobahns() -> None:
    for stream in (
        masked(b"a", fin=False),
        masked(b"a", Opcode.CONT),
        masked(b"a", Opcode.BINARY),
        masked(b"", Opcode.PING),
        masked(b"", Opcode.CLOSE),
        masked("ä".encode()),
        masked(b"\xff"),
        Frame(Opcode.TEXT, b"aaaaaaaaaa").serialize(mask=False),
        b"\xc1" + masked(b"a")[1:],  # a reserved bit
        b"\x81\xfe\x00\x05" + bytes(4) + b"hello",  # a length in more bytes than it needs
        b"\x81\xff" + (5).to_bytes(8, "big") + bytes(4) + b"hello",
        b"",
    ):
        assert whole_text(stream, 0) is None
