"""Conditional requests (RFC 9110 section 13), by strong entity tags.

A file never changes: its tag is the SHA-256 of its bytes; what changes has its version. There is no
`Last-Modified`: conditions by date are not evaluated (sections 13.1.3 and 13.1.4), and `If-Range` with a date
never holds. The order of evaluation is section 13.2.2's.
"""

import re
from base64 import urlsafe_b64encode
from enum import Enum

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_SEPARATOR = re.compile(r"[ \t]*,[ \t,]*")


class Verdict(Enum):
    """The outcome of a request's conditions."""

    proceed = "proceed"
    not_modified = "not_modified"  # 304, for GET and HEAD
    failed = "failed"  # 412


def entity_tag(sha256: bytes) -> str:
    """The strong entity tag of bytes with this SHA-256, with its quotes."""
    return f'"{urlsafe_b64encode(sha256).rstrip(b"=").decode("ascii")}"'


def judge(tag: str | None, if_match: str | None, if_none_match: str | None, *, safe: bool) -> Verdict:
    """The verdict for a thing whose entity tag is `tag`, None where there is none; `safe` for GET and HEAD.

    A header that can't be parsed names no tag.
    """
    if tag is None:
        return Verdict.proceed if if_match is None else Verdict.failed
    if if_match is not None and not _names(if_match, tag, weak=False):
        return Verdict.failed
    if if_none_match is not None and _names(if_none_match, tag, weak=True):
        return Verdict.not_modified if safe else Verdict.failed
    return Verdict.proceed


def range_holds(tag: str, if_range: str | None) -> bool:
    """Whether `Range` counts: no `If-Range`, or one that names exactly this tag (section 13.1.5)."""
    return if_range is None or if_range.strip(" \t") == tag


def _names(header: str, tag: str, *, weak: bool) -> bool:
    text = header.strip(" \t")
    if text == "*":
        return True
    at = 0
    while at < len(text):
        match = _TAG.match(text, at)
        if match is None:
            return False
        if f'"{match[2]}"' == tag and (weak or match[1] is None):
            return True
        at = match.end()
        separator = _SEPARATOR.match(text, at)
        if separator is None:
            return False
        at = separator.end()
    return False
