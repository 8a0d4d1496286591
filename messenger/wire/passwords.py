"""The rules for passwords: their length, and that they are none of those that anyone would try first.

The server judges what it is sent, and a client what its user typed: who derives what it sends has to judge
before that. Both judge alike, here; nothing is asked of, or told to, another service.

A list of words that common passwords are made of is bundled (`common_words.txt`); how people build on them is
covered by rules. A password is common where all of it is

- at most two listed words, with short digits or signs, a year, or a run around or between them, also where
  letters are spelled as in `P@ssw0rd`, in any case, with or without separators;
- runs: of one character, of the alphabet, of digits, along or across a keyboard (`qwertyuiop`, `1qaz2wsx`);
- a short piece, or a common one, over and over (`abcabcabcabc`);
- the user's own name, forwards or backwards, in place of a word.

(NIST SP 800-63B section 5.1.1.2 asks for such a comparison and for nothing else: no rule about kinds of
characters.)
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from unicodedata import normalize

MIN_PASSWORD = 10  # bytes of UTF-8
MAX_PASSWORD = 1024
LONGEST = 32  # characters; nobody tries longer ones first
SHORT_PERIOD = 4
BUDGET = 6
_WORD, _OTHER = 2, 1
_MOST_WORDS = 2
_FILLER = 4

_LEET = (str.maketrans("013457@$!8+", "oleastasibt"), str.maketrans("013457@$|8+", "oieastasibt"))
_SEPARATORS = re.compile(r"[\s._,;:/+-]+")
_DOUBLED = re.compile(r"(.)\1+", re.DOTALL)
_YEAR = re.compile(r"19[0-9]{2}|20[0-9]{2}", re.ASCII)
_TRACKS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "!@#$%^&*()_+",
    *("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/"),
    *("qaz", "wsx", "edc", "rfv", "tgb", "yhn", "ujm", "zaq", "!qaz", "@wsx", "#edc"),
)
_RUNS = frozenset(
    track[start:end]
    for text in _TRACKS
    for track in (text, text[::-1])
    for start in range(len(track))
    for end in range(start + 3, len(track) + 1)
)


@cache
def words() -> frozenset[str]:
    """The listed words."""
    text = resources.files("messenger.wire").joinpath("common_words.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def fault(password: str, username: str = "") -> str | None:
    """Why `password` can't be taken for the user of this name, as a sentence; None where it can."""
    try:
        raw = password.encode("utf-8")
    except UnicodeEncodeError:
        return "The password is not Unicode text."
    if not MIN_PASSWORD <= len(raw) <= MAX_PASSWORD:
        return f"A password has {MIN_PASSWORD} to {MAX_PASSWORD:,} bytes of UTF-8."
    if is_common(password, username):
        return "This password is among the first that anyone would try."
    return None


def is_common(password: str, username: str = "") -> bool:
    """Whether `password` is one of those that are tried first, for the user of this name."""
    folded = normalize("NFKC", password).casefold()
    names = {username, username[::-1]} if len(username) >= 3 else set()
    variants = {folded, _SEPARATORS.sub("", folded), _DOUBLED.sub(r"\1", folded)}
    return len(folded) <= LONGEST and any(_is_common(text, names) for text in variants)


def _is_common(text: str, names: set[str]) -> bool:
    unit = text[: _period(text)]
    return (len(unit) <= SHORT_PERIOD and len(unit) < len(text)) or _covered(unit, names)


def _period(text: str) -> int:
    """The length of the piece that the text repeats, at least twice; its own length where it does not."""
    for length in range(1, len(text) // 2 + 1):
        if text[length:] == text[:-length]:
            return length
    return len(text)


def _covered(text: str, names: set[str]) -> bool:
    """Whether pieces within the budget make up all of the text."""
    spellings = [text, *(text.translate(table) for table in _LEET)]
    # For each place: the cheapest ways to get there, by how many words and whether a filler came last.
    ways: list[dict[tuple[int, bool], int]] = [{} for _ in range(len(text) + 1)]
    ways[0][0, False] = 0
    for start in range(len(text)):
        if not ways[start]:
            continue
        for end in range(start + 1, len(text) + 1):
            for is_word, filler, cost in _kinds([one[start:end] for one in spellings], names):
                for (count, after_filler), spent in ways[start].items():
                    more, total = count + is_word, spent + cost
                    if more > _MOST_WORDS or total > BUDGET or (filler and after_filler):
                        continue
                    there = ways[end]
                    there[more, filler] = min(total, there.get((more, filler), total))
    return bool(ways[-1])


def _kinds(spellings: list[str], names: set[str]) -> Iterator[tuple[bool, bool, int]]:
    """Judge a piece, in its spellings: whether a word, whether a filler, and what it costs."""
    piece = spellings[0]
    if piece in _RUNS or _YEAR.fullmatch(piece) or (len(piece) >= 3 and len(set(piece)) == 1):
        yield False, False, _OTHER
    if any(one in names for one in spellings):
        yield False, False, _OTHER
    if any(one in words() for one in spellings):
        yield True, False, _WORD
    if len(piece) <= _FILLER and piece.isascii() and not any(character.isalpha() for character in piece):
        yield False, True, _OTHER
