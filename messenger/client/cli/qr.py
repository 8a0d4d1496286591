"""QR codes (ISO/IEC 18004) as text, two rows of squares in each line."""

import io

import segno


def qr_code(text: str) -> str:
    """A QR code that a phone can read off a terminal, dark or light."""
    out = io.StringIO()
    segno.make_qr(text, error="l").terminal(out, compact=True)
    return out.getvalue().rstrip("\n")
