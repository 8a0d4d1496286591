"""Ids that the server makes: UUID version 7 (RFC 9562 section 5.7).

They sort by the time they were made, so that an index over them grows at its end.
"""

import os
import time


def new_id() -> str:
    """A fresh UUID version 7 in its 36-character form, lower case."""
    value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
