"""`messenger-admin web`."""

import hashlib
from importlib.resources import files

import pytest

from messenger.admin.main import main
from messenger.web.assets import Damaged


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_it_tells_the_bundle_s_hash(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = (files("messenger.web") / "static" / "manifest.json").read_bytes()
    assert run("web") == 0
    assert capsys.readouterr().out.split()[0] == hashlib.sha256(manifest).hexdigest()
    assert run("web", "--files") == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    page = (files("messenger.web") / "static" / "index.html").read_bytes()
    assert f"{hashlib.sha256(page).hexdigest()}  /" in lines


def test_damaged_files_are_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise Damaged("sw.js is not the one that was built")

    monkeypatch.setattr("messenger.web.assets.load", load)
    assert run("web") == 1
    assert "messenger-admin: sw.js is not the one" in capsys.readouterr().err
