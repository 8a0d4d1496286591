"""What a long command says, and what it says when it is to be quiet."""

import io

from messenger.admin.progress import Progress


def test_what_is_wrong_is_told_in_any_case() -> None:
    out = io.StringIO()
    progress = Progress(out, quiet=True)
    for number in range(3):
        progress.at(f"{number} of 3")
    progress.done("all is well")
    assert out.getvalue() == ""
    progress.wrong("a blob is lost")
    assert out.getvalue() == "a blob is lost\n"


def test_what_has_come_to_its_end_is_told() -> None:
    out = io.StringIO()
    Progress(out).done("all is well")
    assert out.getvalue() == "all is well\n"
