"""Passwords, and what the server's rules say of them: both clients have to judge alike."""

import json
import random
from pathlib import Path

from messenger.wire.passwords import fault, words

COUNT = 6_000
NAMES = ("alice", "quillfeather", "bo", "jürgen")
SIGNS = "!?#$%&*._- /:;0123456789"
RUNS = ("qwertyuiop", "1qaz", "zyxwv", "12345678", "aaaa", "azerty", ";'", "!@#$%")
# Letters that fold, compose or spell in ways of their own.
ODD = "ßſıİΣςﬁ１ａÅé́Ꭰꭰǅ\u00a0\u2003\ufeff\x1c\x85\U0001f600🄰漢"
FIXED = (
    *("Password123!", "p4$$w0rd1234", "pass word 1234", "qqwweerrttyy", "ｐａｓｓｗｏｒｄ１２３"),
    *("contraseña2024", "CONTRASEÑA 1", "correct horse battery", "zwölf Boxkämpfer", "\ud800 is no text"),
    *("short", "x" * 32, "x" * 33, "x" * 1_024, "x" * 1_025, "ä" * 600, "abcabcabcabc", "reehtafllequill"),
)


def write(path: Path) -> Path:
    """Each with a name and the sentence, or null; as JSON."""
    listed = sorted(words())
    dice = random.Random(random.randrange(2**32))
    examples = [(one, name) for one in FIXED for name in NAMES]
    examples += [(_made(dice, listed), dice.choice(NAMES)) for _ in range(COUNT)]
    path.write_text(json.dumps([[one, name, fault(one, name)] for one, name in examples]))
    return path


def _made(dice: random.Random, listed: list[str]) -> str:
    pieces = [_piece(dice, listed) for _ in range(dice.randint(1, 4))]
    made = dice.choice(("", "", "", "-", " ", "_")).join(pieces)
    if dice.random() < 0.2:
        made = made.upper() if dice.random() < 0.5 else made.capitalize()
    if dice.random() < 0.2:
        made = made.translate(str.maketrans("aeioslt", dice.choice(("4310$17", "@3!05+7"))))
    if dice.random() < 0.1:
        made *= 2
    if dice.random() < 0.1:
        made = "".join(character * 2 for character in made)
    return made


def _piece(dice: random.Random, listed: list[str]) -> str:
    kind = dice.randrange(8)
    if kind < 3:
        return dice.choice(listed)
    if kind == 3:
        return str(dice.randrange(1890, 2110))
    if kind == 4:
        return dice.choice(RUNS)
    if kind == 5:
        name = dice.choice(NAMES)
        return name[::-1] if dice.random() < 0.3 else name
    if kind == 6:
        return "".join(dice.choices(SIGNS, k=dice.randint(1, 5)))
    return "".join(dice.choices(ODD + "abcxyz", k=dice.randint(1, 3)))
