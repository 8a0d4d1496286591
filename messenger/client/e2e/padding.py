"""Sizes that tell little about what was written.

A payload gets one byte 0x80 and then zeros (ISO/IEC 7816-4) up to the next step: 256 bytes up to 2 KiB,
above that an eighth of the power of two below, so at most an eighth is added. A file gets zeros by Padmé
(Nikitin et al., Reducing Metadata Leakage from Encrypted Files and Communication with PURBs, 2019): at most
12 %, and less the larger it is.
"""

from messenger.client.e2e.errors import Malformed, PayloadTooLarge

STEP = 256
MAX_PADDED = 61_440  # with handshake, header and tag it stays below the server's 64 KiB
MAX_PAYLOAD = MAX_PADDED - 1
MIN_FILE = 1024


def padded(payload: bytes) -> bytes:
    """The payload with its padding; PayloadTooLarge over MAX_PAYLOAD bytes."""
    if len(payload) > MAX_PAYLOAD:
        raise PayloadTooLarge(f"A message has at most {MAX_PAYLOAD:,} bytes; this one has {len(payload):,}.")
    marked = len(payload) + 1
    step = max(STEP, 1 << (marked.bit_length() - 1) >> 3)
    return payload + b"\x80" + bytes(-marked % step)


def unpadded(raw: bytes) -> bytes:
    """The payload without its padding; Malformed where that is none."""
    payload, mark, rest = raw.rpartition(b"\x80")
    if not mark or rest.strip(b"\0"):
        raise Malformed("The payload is not padded.")
    return payload


def padded_file_size(size: int) -> int:
    """How many bytes a file of `size` bytes takes with its padding."""
    if size <= MIN_FILE:
        return MIN_FILE
    exponent = size.bit_length() - 1
    low = (1 << exponent - exponent.bit_length()) - 1
    return size + low & ~low
