"""The head of a text frame, read back by another implementation at every edge of its length."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from messenger.messages.socket import text_head


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 262_144])
def test_a_text_of_any_size_is_read_back(size: int) -> None:
    reader = StreamReader()
    reader.feed_data(text_head(size) + b"x" * size)
    parsing = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame = done.value.value
    assert (frame.opcode, frame.fin, len(frame.data)) == (Opcode.TEXT, True, size)
